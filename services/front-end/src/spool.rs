//! Where the bytes of an upload wait until all of them are there: in memory up to a mebibyte, then
//! in a file of the state folder.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt;

use crate::image::{self, Kind};

/// How many bytes of an upload are kept in memory.
const MEMORY: usize = 1024 * 1024;

/// How file names in the folder begin.
const PREFIX: &str = "upload-";

/// The folder for uploads that do not fit in memory.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes the folder where it is missing and removes what an earlier process left in it.
    ///
    /// # Errors
    /// When the folder can be neither made nor read.
    pub fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(Self(path.to_owned()))
    }

    /// Begins a spool; nothing is on disk before it outgrows memory.
    #[must_use]
    pub fn begin(&self) -> Writer {
        Writer {
            folder: self.0.clone(),
            memory: BytesMut::new(),
            file: None,
            head: Vec::new(),
            hash: Md5::new(),
            length: 0,
        }
    }
}

/// A spool being written.
pub struct Writer {
    folder: PathBuf,
    memory: BytesMut,
    file: Option<(TempPath, tokio::fs::File)>,
    head: Vec<u8>,
    hash: Md5,
    length: u64,
}

impl Writer {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub async fn push(&mut self, chunk: &[u8]) -> io::Result<()> {
        let wanted = image::HEAD.saturating_sub(self.head.len()).min(chunk.len());
        self.head
            .extend_from_slice(chunk.get(..wanted).unwrap_or_default());
        self.hash.update(chunk);
        self.length += chunk.len() as u64;
        self.memory.extend_from_slice(chunk);
        if self.memory.len() > MEMORY {
            self.flush().await?;
        }
        Ok(())
    }

    /// How many bytes there are so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Ends the spool.
    ///
    /// # Errors
    /// When the disk does not take the last bytes.
    pub async fn finish(mut self) -> io::Result<Spool> {
        if self.file.is_some() {
            self.flush().await?;
        }
        let content = match self.file {
            Some((path, _)) => Content::File(path),
            None => Content::Memory(self.memory.freeze()),
        };
        Ok(Spool {
            content,
            length: self.length,
            digest: format!("{:x}", HexDigest(&self.hash.finalize())),
            kind: image::sniff(&self.head),
        })
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            let folder = self.folder.clone();
            let made =
                tokio::task::spawn_blocking(move || NamedTempFile::with_prefix_in(PREFIX, folder));
            let (file, path) = made.await.map_err(io::Error::other)??.into_parts();
            self.file = Some((path, tokio::fs::File::from_std(file)));
        }
        if let Some((_, file)) = &mut self.file {
            file.write_all(&self.memory.split()).await?;
            file.flush().await?;
        }
        Ok(())
    }
}

/// Writes bytes as lower-case hexadecimal digits.
struct HexDigest<'a>(&'a [u8]);

impl std::fmt::LowerHex for HexDigest<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The MD5 of bytes that lie in pieces, as hexadecimal digits.
#[must_use]
pub fn digest(chunks: &[Bytes]) -> String {
    let mut hash = Md5::new();
    chunks.iter().for_each(|chunk| hash.update(chunk));
    format!("{:x}", HexDigest(&hash.finalize()))
}

/// A whole upload, with what was learnt while it came in. Its file goes when it is dropped.
#[derive(Debug)]
pub struct Spool {
    content: Content,
    length: u64,
    digest: String,
    kind: Kind,
}

/// Where the bytes are.
#[derive(Debug)]
pub enum Content {
    /// In memory.
    Memory(Bytes),
    /// In a file.
    File(TempPath),
}

impl Spool {
    /// The bytes.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// How many there are.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Their MD5, as hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What they are.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    async fn spooled(folder: &Folder, chunks: usize) -> Spool {
        let mut writer = folder.begin();
        for _ in 0..chunks {
            writer.push(&[7; 100_000]).await.unwrap();
        }
        writer.finish().await.unwrap()
    }

    fn files(path: &Path) -> usize {
        std::fs::read_dir(path).unwrap().count()
    }

    #[tokio::test]
    async fn what_is_small_stays_in_memory_and_the_rest_goes_to_a_file_that_vanishes() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(&home.path().join("a/spool")).unwrap();
        let place = home.path().join("a/spool");

        let small = spooled(&folder, 10).await;
        assert!(matches!(small.content(), Content::Memory(bytes) if bytes.len() == 1_000_000));
        assert_eq!(files(&place), 0);

        let large = spooled(&folder, 25).await;
        let Content::File(path) = large.content() else {
            panic!("{large:?}")
        };
        let stored = std::fs::read(path).unwrap();
        assert_eq!((stored.len(), large.length()), (2_500_000, 2_500_000));
        assert_eq!(large.digest(), digest(&[stored.into()]));
        drop(large);
        assert_eq!(files(&place), 0);
    }

    #[tokio::test]
    async fn an_upload_given_up_leaves_no_file() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(home.path()).unwrap();
        let mut writer = folder.begin();
        writer.push(&[0; 3_000_000]).await.unwrap();
        assert_eq!(files(home.path()), 1);
        drop(writer);
        assert_eq!(files(home.path()), 0);
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("upload-abc"), "x").unwrap();
        std::fs::write(home.path().join("notes"), "x").unwrap();
        Folder::open(home.path()).unwrap();
        assert_eq!(files(home.path()), 1);
    }
}
