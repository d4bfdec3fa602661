//! The console log of an instance: bounded, and read by GetConsoleOutput.

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio::net::unix::pipe;

/// When the log is longer than this, its older part goes.
const LONGEST: u64 = 1 << 20;
/// What stays then; more than GetConsoleOutput's 64 KiB.
const KEPT: u64 = 256 << 10;

pub(super) struct Console {
    path: PathBuf,
    log: File,
    length: u64,
    reader: pipe::Receiver,
    writer: PipeWriter,
}

impl Console {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let log = open_log(path)?;
        Ok(Self {
            path: path.to_owned(),
            length: log.metadata()?.len(),
            log,
            reader: pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?,
            writer,
        })
    }

    /// Makes the console a command's stdout and stderr.
    pub(super) fn attach(&self, command: &mut Command) -> io::Result<()> {
        command
            .stdin(Stdio::null())
            .stdout(self.writer.try_clone()?)
            .stderr(self.writer.try_clone()?);
        Ok(())
    }

    /// Init's own line in the log.
    pub(super) fn note(&mut self, text: &str) {
        let now = jiff::Timestamp::now();
        self.write(format!("[{now:.3}] init: {text}\n").as_bytes());
    }

    /// Copies what processes have written; waits until there is something.
    pub(super) async fn copy(&mut self) {
        if self.reader.readable().await.is_ok() {
            self.copy_what_is_there();
        }
    }

    /// Copies what is in the pipe now.
    pub(super) fn copy_what_is_there(&mut self) {
        let mut buffer = [0; 16 << 10];
        while let Ok(read @ 1..) = self.reader.try_read(&mut buffer) {
            self.write(&buffer[..read]);
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        // A full disk must not end the instance: its log has a gap then.
        if self.log.write_all(bytes).is_ok() {
            self.length += bytes.len() as u64;
        }
        if self.length > LONGEST {
            let _ = self.shorten();
        }
    }

    fn shorten(&mut self) -> io::Result<()> {
        let mut tail = Vec::new();
        let mut old = File::open(&self.path)?;
        old.seek(SeekFrom::Start(self.length.saturating_sub(KEPT)))?;
        old.read_to_end(&mut tail)?;
        let shorter = self.path.with_extension("tmp");
        fs::write(&shorter, &tail)?;
        fs::rename(&shorter, &self.path)?;
        self.log = open_log(&self.path)?;
        self.length = tail.len() as u64;
        Ok(())
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_chatty_instance_keeps_its_newest_lines_in_bounded_space() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        let mut console = Console::open(&path).unwrap();
        for number in 0..40_000 {
            console.write(format!("line {number} {}\n", "x".repeat(40)).as_bytes());
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.len() as u64 <= LONGEST + 100, "{}", text.len());
        assert!(text.contains("line 39999 "));
    }
}
