//! A bucket's index: which key is which file. In memory to answer, in an append-only log to last.
//!
//! Each change is one line of JSON, written before it counts and flushed to disk before it is
//! answered. A line cut off by a crash is dropped when the log is read again; a `put` whose file is
//! not whole (possible only after a power failure, when log and file reach the disk in any order) is
//! passed over, so that the object before it stays.

mod contents;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::durable;
use crate::state::{is_out_of_room, write_atomically};
pub(crate) use contents::{Change, Contents};

const LOG: &str = "index.log";
const FILES: &str = "files";
/// The log is rewritten when it holds this many lines more than twice what is alive.
const SLACK: usize = 4096;

/// What is left to do, without the index's lock, before a change may be answered.
#[derive(Debug)]
pub(crate) struct Pending {
    log: Arc<File>,
    durable: bool,
    folder: PathBuf,
    gone: Vec<String>,
}

impl Pending {
    /// Flushes the log, and side by side the data the change refers to; then removes what it replaced.
    ///
    /// # Errors
    /// What the disk answers.
    pub(crate) fn settle(self, data: Option<&File>) -> io::Result<()> {
        match data {
            _ if !self.durable => {}
            Some(data) => std::thread::scope(|scope| {
                let log = scope.spawn(|| self.log.sync_data());
                data.sync_all()?;
                log.join()
                    .map_err(|_| io::Error::other("the thread that flushes the index ended"))?
            })?,
            None => self.log.sync_data()?,
        }
        for file in &self.gone {
            durable::remove(&self.folder.join(file))?;
        }
        Ok(())
    }
}

/// The index of one bucket.
#[derive(Debug)]
pub(crate) struct Index {
    contents: Contents,
    folder: PathBuf,
    log: Arc<File>,
    durable: bool,
    lines: usize,
}

impl Index {
    /// Reads the index in `folder` (an empty folder is an empty bucket), cuts off an unfinished
    /// last line and removes data files that nothing refers to.
    ///
    /// # Errors
    /// An unreadable folder, or a line in the middle of the log that is no change of ours.
    pub(crate) fn open(folder: &Path, durable: bool) -> io::Result<Self> {
        let files = folder.join(FILES);
        fs::create_dir_all(&files)?;
        let path = folder.join(LOG);
        let text = match fs::read(&path) {
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let log = OpenOptions::new().create(true).append(true).open(&path)?;
        log.set_len(whole as u64)?;
        let mut index = Self {
            contents: Contents::default(),
            folder: folder.to_owned(),
            log: Arc::new(log),
            durable,
            lines: 0,
        };
        for line in text[..whole].split_inclusive(|byte| *byte == b'\n') {
            index.replay(line)?;
        }
        index.sweep()?;
        durable::sync_folder(folder)?;
        Ok(index)
    }

    fn replay(&mut self, line: &[u8]) -> io::Result<()> {
        self.lines += 1;
        let change: Change = serde_json::from_slice(line).map_err(|source| {
            let path = self.folder.join(LOG);
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} line {}: {source}", path.display(), self.lines),
            )
        })?;
        if let Some((file, size)) = change.file() {
            let length = fs::metadata(self.folder.join(FILES).join(file)).map(|found| found.len());
            if length.ok() != Some(size) {
                return Ok(());
            }
        }
        self.contents.apply(change);
        Ok(())
    }

    /// Removes what an interrupted upload or a crash left behind.
    fn sweep(&self) -> io::Result<()> {
        let alive = self.contents.files();
        for entry in fs::read_dir(self.folder.join(FILES))? {
            let entry = entry?;
            if entry
                .file_name()
                .to_str()
                .is_none_or(|name| !alive.contains(name))
            {
                durable::remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// What is in the bucket now.
    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Writes the changes to the log and makes them: readers see them from here on. The caller
    /// answers only after [`Pending::settle`].
    ///
    /// # Errors
    /// What the disk answers; the changes before the failed one are then made.
    pub(crate) fn change(&mut self, changes: Vec<Change>) -> io::Result<Pending> {
        if self.lines > 2 * self.contents.len() + SLACK {
            match self.rewrite() {
                // There is no room for a second log; the first goes on.
                Err(failure) if is_out_of_room(&failure) => {}
                other => other?,
            }
        }
        let mut gone = Vec::new();
        for change in changes {
            match self.append(&change) {
                // What was deleted so far makes room for the rest.
                Err(failure) if is_out_of_room(&failure) && !gone.is_empty() => {
                    self.pending(std::mem::take(&mut gone)).settle(None)?;
                    self.append(&change)?;
                }
                other => other?,
            }
            gone.extend(self.contents.apply(change));
        }
        Ok(self.pending(gone))
    }

    fn pending(&self, gone: Vec<String>) -> Pending {
        Pending {
            log: Arc::clone(&self.log),
            durable: self.durable,
            folder: self.folder.join(FILES),
            gone,
        }
    }

    fn append(&mut self, change: &Change) -> io::Result<()> {
        let mut line = serde_json::to_vec(change)?;
        line.push(b'\n');
        let before = self.log.metadata()?.len();
        if let Err(failure) = (&*self.log).write_all(&line) {
            self.log.set_len(before)?;
            return Err(failure);
        }
        self.lines += 1;
        Ok(())
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let mut text = Vec::new();
        for change in self.contents.changes() {
            serde_json::to_writer(&mut text, &change)?;
            text.push(b'\n');
        }
        let path = self.folder.join(LOG);
        write_atomically(&path, &text, self.durable)?;
        self.log = Arc::new(OpenOptions::new().append(true).open(&path)?);
        self.lines = self.contents.len();
        Ok(())
    }
}

/// Where a bucket's data files are.
pub(crate) fn files(bucket: &Path) -> PathBuf {
    bucket.join(FILES)
}

#[cfg(test)]
mod tests;
