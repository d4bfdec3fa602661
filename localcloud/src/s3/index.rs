//! A bucket's index: which key is which file. In memory to answer, in an append-only log to last.
//!
//! Each change is one line of JSON, written before it counts and flushed to disk before it is
//! answered. A line cut off by a crash is dropped when the log is read again; a `put` whose file is
//! not whole (possible only after a power failure, when log and file reach the disk in any order) is
//! passed over, so that the object before it stays.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::durable;
use super::object::{Object, Part, Upload};
use crate::state::{is_out_of_room, write_atomically};

const LOG: &str = "index.log";
const FILES: &str = "files";
/// The log is rewritten when it holds this many lines more than twice what is alive.
const SLACK: usize = 4096;

/// One change of the index.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    Put {
        key: String,
        object: Arc<Object>,
    },
    Delete {
        key: String,
    },
    Begin {
        id: String,
        upload: Box<Upload>,
    },
    Part {
        id: String,
        number: i32,
        part: Arc<Part>,
    },
    Complete {
        id: String,
        key: String,
        object: Arc<Object>,
    },
    Abort {
        id: String,
    },
}

impl Change {
    /// The file this change brings in, with its size.
    fn file(&self) -> Option<(&str, u64)> {
        match self {
            Self::Put { object, .. } | Self::Complete { object, .. } => {
                Some((&object.file, object.size))
            }
            Self::Part { part, .. } => Some((&part.file, part.size)),
            Self::Delete { .. } | Self::Begin { .. } | Self::Abort { .. } => None,
        }
    }
}

/// All that is alive in a bucket.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) objects: BTreeMap<String, Arc<Object>>,
    /// By upload id.
    pub(crate) uploads: BTreeMap<String, Upload>,
}

impl Contents {
    /// Makes the change and returns the files that nothing refers to any more.
    fn apply(&mut self, change: Change) -> Vec<String> {
        match change {
            Change::Put { key, object } => self.place(key, object),
            Change::Delete { key } => self
                .objects
                .remove(&key)
                .map(|gone| gone.file.clone())
                .into_iter()
                .collect(),
            Change::Begin { id, upload } => {
                self.uploads.insert(id, *upload);
                Vec::new()
            }
            Change::Part { id, number, part } => match self.uploads.get_mut(&id) {
                Some(upload) => upload
                    .parts
                    .insert(number, part)
                    .map(|old| old.file.clone())
                    .into_iter()
                    .collect(),
                None => vec![part.file.clone()],
            },
            Change::Complete { id, key, object } => {
                let mut gone = self.end(&id);
                gone.retain(|file| *file != object.file);
                gone.extend(self.place(key, object));
                gone
            }
            Change::Abort { id } => self.end(&id),
        }
    }

    fn place(&mut self, key: String, object: Arc<Object>) -> Vec<String> {
        let file = object.file.clone();
        match self.objects.insert(key, object) {
            Some(old) if old.file != file => vec![old.file.clone()],
            _ => Vec::new(),
        }
    }

    fn end(&mut self, id: &str) -> Vec<String> {
        let Some(upload) = self.uploads.remove(id) else {
            return Vec::new();
        };
        upload
            .parts
            .values()
            .map(|part| part.file.clone())
            .collect()
    }

    fn changes(&self) -> impl Iterator<Item = Change> + '_ {
        let objects = self.objects.iter().map(|(key, object)| Change::Put {
            key: key.clone(),
            object: Arc::clone(object),
        });
        let uploads = self.uploads.iter().map(|(id, upload)| Change::Begin {
            id: id.clone(),
            upload: Box::new(upload.clone()),
        });
        objects.chain(uploads)
    }

    fn len(&self) -> usize {
        self.objects.len() + self.uploads.len()
    }

    fn files(&self) -> HashSet<&str> {
        let objects = self.objects.values().map(|object| object.file.as_str());
        let parts = self
            .uploads
            .values()
            .flat_map(|upload| upload.parts.values())
            .map(|part| part.file.as_str());
        objects.chain(parts).collect()
    }
}

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
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn put(folder: &Path, key: &str, bytes: &[u8]) -> Change {
        let file = uuid::Uuid::new_v4().simple().to_string();
        fs::write(files(folder).join(&file), bytes).unwrap();
        Change::Put {
            key: key.to_owned(),
            object: Arc::new(Object {
                file,
                size: bytes.len() as u64,
                ..Object::default()
            }),
        }
    }

    fn change(index: &mut Index, change: Change) {
        index.change(vec![change]).unwrap().settle(None).unwrap();
    }

    #[test]
    fn what_was_written_is_read_again_and_strays_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::open(folder.path(), true).unwrap();
        for key in ["a", "../b", "c\0", ""] {
            let change_ = put(folder.path(), key, b"one");
            change(&mut index, change_);
        }
        let again = put(folder.path(), "a", b"three");
        change(&mut index, again);
        change(
            &mut index,
            Change::Delete {
                key: "../b".to_owned(),
            },
        );
        fs::write(files(folder.path()).join("stray"), b"left by a crash").unwrap();
        drop(index);

        let index = Index::open(folder.path(), true).unwrap();
        let keys: Vec<_> = index
            .contents()
            .objects
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(keys, ["", "a", "c\0"]);
        assert_eq!(index.contents().objects["a"].size, 5);
        assert_eq!(fs::read_dir(files(folder.path())).unwrap().count(), 3);
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_a_torn_middle_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::open(folder.path(), true).unwrap();
        let first = put(folder.path(), "kept", b"x");
        change(&mut index, first);
        drop(index);
        let path = folder.path().join(LOG);
        let mut log = OpenOptions::new().append(true).open(&path).unwrap();
        log.write_all(br#"{"put":{"key":"torn","obj"#).unwrap();
        let mut index = Index::open(folder.path(), true).unwrap();
        assert_eq!(index.contents().objects.len(), 1);
        let second = put(folder.path(), "after", b"y");
        change(&mut index, second);
        drop(index);
        assert_eq!(
            Index::open(folder.path(), true)
                .unwrap()
                .contents()
                .objects
                .len(),
            2
        );

        let mut log = OpenOptions::new().append(true).open(&path).unwrap();
        log.write_all(b"nonsense\n").unwrap();
        assert_eq!(
            Index::open(folder.path(), true).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }

    #[test]
    fn a_put_whose_file_never_reached_the_disk_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::open(folder.path(), true).unwrap();
        let whole = put(folder.path(), "k", b"whole");
        change(&mut index, whole);
        let cut = put(folder.path(), "k", b"cut short");
        let Change::Put { object, .. } = &cut else {
            panic!("a put")
        };
        let file = files(folder.path()).join(&object.file);
        index.change(vec![cut.clone()]).unwrap();
        drop(index);
        File::options()
            .write(true)
            .open(file)
            .unwrap()
            .set_len(2)
            .unwrap();
        assert_eq!(
            Index::open(folder.path(), true).unwrap().contents().objects["k"].size,
            5
        );
    }

    #[test]
    fn the_log_is_rewritten_when_most_of_it_is_history() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::open(folder.path(), true).unwrap();
        let object = put(folder.path(), "k", b"x");
        for _ in 0..2 * SLACK {
            index.change(vec![object.clone()]).unwrap();
        }
        let lines = fs::read_to_string(folder.path().join(LOG))
            .unwrap()
            .lines()
            .count();
        assert!(lines < 2 * SLACK, "{lines} lines");
        drop(index);
        assert_eq!(
            Index::open(folder.path(), true)
                .unwrap()
                .contents()
                .objects
                .len(),
            1
        );
    }
}
