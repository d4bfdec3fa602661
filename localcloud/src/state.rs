//! State on disk: one JSON document per service, replaced whole and durably at each change.
//!
//! A little room is laid up beside them. On a full disk it is given up, so that what makes room, such
//! as terminating an instance or deleting a bucket, can still be written down.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::wire::ApiError;

/// How often it is tried to write down what could not be.
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// How much room is laid up: several times what the documents take.
const RESERVE: usize = 1 << 20;
/// The file that takes it.
const RESERVE_NAME: &str = "reserve";
/// It is laid up again only where more than this is free.
const PLENTY: u64 = 16 << 20;

/// The folder in which the services keep their state.
#[derive(Clone, Debug)]
pub struct StateFolder {
    path: PathBuf,
    durable: bool,
}

/// State could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system refused.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A state file is not what localcloud writes.
    #[error(
        "{} is damaged; restore it, or delete the folder it is in to begin with an empty account",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it stops making sense.
        source: serde_json::Error,
    },
}

impl From<StateError> for ApiError {
    fn from(error: StateError) -> Self {
        Self::internal(&error)
    }
}

impl StateFolder {
    /// Makes the folder if it is not there. Where nothing needs to outlive the machine's next crash
    /// (tests on paper machines), `durable` false spares the fsync.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(path: PathBuf, durable: bool) -> Result<Self, StateError> {
        crate::home::make_private_folder(&path).map_err(|source| StateError::Io {
            operation: "make the folder",
            path: path.clone(),
            source,
        })?;
        if durable {
            lay_up(&path);
        }
        Ok(Self { path, durable })
    }

    /// Loads the document of a service, its default if there is none yet.
    ///
    /// # Errors
    /// The file cannot be read or is damaged.
    pub fn document<T>(&self, service: &str) -> Result<Document<T>, StateError>
    where
        T: Clone + Default + Serialize + DeserializeOwned,
    {
        let path = self.path.join(format!("{service}.json"));
        let value = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| StateError::Damaged {
                path: path.clone(),
                source,
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => T::default(),
            Err(source) => {
                return Err(StateError::Io {
                    operation: "read",
                    path,
                    source,
                });
            }
        };
        Ok(Document {
            path,
            durable: self.durable,
            value: Mutex::new(value),
        })
    }
}

/// A service's state: in memory, and on disk as of the last change.
#[derive(Debug)]
pub struct Document<T> {
    path: PathBuf,
    durable: bool,
    value: Mutex<T>,
}

impl<T> Document<T>
where
    T: Clone + Serialize,
{
    /// Reads. Keep it short: everything else waits.
    pub fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.lock())
    }

    /// Changes the state and saves it before answering. A change that fails, or cannot be saved,
    /// did not happen.
    ///
    /// # Errors
    /// What `change` answers, or that the state could not be saved.
    pub fn change<R, E>(&self, change: impl FnOnce(&mut T) -> Result<R, E>) -> Result<R, E>
    where
        E: From<StateError>,
    {
        let mut current = self.lock();
        let mut next = current.clone();
        let answer = change(&mut next)?;
        self.save(&next)?;
        *current = next;
        Ok(answer)
    }

    /// Writes down what has happened already and cannot be refused: as long as it cannot be saved, on
    /// a full disk for example, it is tried again. Nothing when localcloud stops meanwhile.
    pub async fn note<R>(
        &self,
        stopping: &CancellationToken,
        mut change: impl FnMut(&mut T) -> R,
    ) -> Option<R> {
        let mut told = false;
        loop {
            match self.change(|value| Ok::<_, StateError>(change(value))) {
                Ok(answer) => return Some(answer),
                Err(error) if !told => {
                    told = true;
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "cannot save the state yet");
                }
                Err(_) => {}
            }
            stopping
                .run_until_cancelled(tokio::time::sleep(TRY_AGAIN))
                .await?;
        }
    }

    fn save(&self, value: &T) -> Result<(), StateError> {
        let failed = |operation| {
            let path = self.path.clone();
            move |source| StateError::Io {
                operation,
                path,
                source,
            }
        };
        let bytes = serde_json::to_vec(value)
            .map_err(io::Error::from)
            .map_err(failed("encode"))?;
        self.write(&bytes).map_err(failed("write"))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let written = write_atomically(&self.path, bytes, self.durable);
        match (&written, self.path.parent()) {
            (Err(error), Some(folder)) if is_out_of_room(error) => {
                if fs::remove_file(folder.join(RESERVE_NAME)).is_err() {
                    return written;
                }
                tracing::warn!("the disk is full; the last room is used");
                write_atomically(&self.path, bytes, self.durable)
            }
            (Ok(()), Some(folder)) if self.durable => {
                lay_up(folder);
                written
            }
            _ => written,
        }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        // A panic cannot leave a half-made change behind: changes are made on a copy.
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replaces a file's content (mode 0600) so that a crash at any moment leaves the old or the new one.
///
/// # Errors
/// The file system refused.
pub fn write_atomically(path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let written = write_new(&temporary, bytes, durable).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What is there of it would take room on a disk that has none.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    match path.parent() {
        Some(folder) if durable => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn write_new(path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    if durable {
        file.sync_all()?;
    }
    Ok(())
}

/// Whether something failed because the disk, or this user's share of it, is full.
pub fn is_out_of_room(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(
            kind,
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        ) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// How many bytes are free for this user on the disk of a folder, where the system tells.
pub fn room_in(folder: &Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(disk.blocks_available() * disk.fragment_size())
}

/// Lays up the reserve if it is not there. A disk that is nearly full keeps what it has.
fn lay_up(folder: &Path) {
    let place = folder.join(RESERVE_NAME);
    let has_plenty = || room_in(folder).is_some_and(|room| room > PLENTY);
    if !place.exists() && has_plenty() && fs::write(&place, vec![0; RESERVE]).is_err() {
        let _ = fs::remove_file(&place);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn folder(dir: &tempfile::TempDir) -> StateFolder {
        StateFolder::open(dir.path().join("state"), true).unwrap()
    }

    #[test]
    fn a_change_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let document = folder(&dir).document::<Vec<u32>>("x").unwrap();
        document
            .change(|list| {
                list.push(7);
                Ok::<_, StateError>(())
            })
            .unwrap();
        let again = folder(&dir).document::<Vec<u32>>("x").unwrap();
        assert_eq!(again.read(Clone::clone), [7]);
    }

    #[test]
    fn a_failed_change_did_not_happen() {
        let dir = tempfile::tempdir().unwrap();
        let document = folder(&dir).document::<Vec<u32>>("x").unwrap();
        let refused = document.change(|list| {
            list.push(7);
            Err::<(), _>(ApiError::new("No", "no"))
        });
        assert!(refused.is_err());
        assert!(document.read(Vec::is_empty));
    }

    #[tokio::test]
    async fn what_cannot_be_saved_yet_is_noted_once_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let document = folder(&dir).document::<Vec<u32>>("x").unwrap();
        let stopping = CancellationToken::new();
        // A folder where the new file would be written.
        let in_the_way = dir.path().join("state/x.tmp");
        fs::create_dir(&in_the_way).unwrap();
        let noted = document.note(&stopping, |list| list.push(7));
        let (noted, ()) = tokio::join!(noted, async {
            tokio::task::yield_now().await;
            assert!(document.read(Vec::is_empty));
            fs::remove_dir(&in_the_way).unwrap();
        });
        assert_eq!(noted, Some(()));
        assert_eq!(document.read(Clone::clone), [7]);

        fs::create_dir(&in_the_way).unwrap();
        stopping.cancel();
        assert_eq!(document.note(&stopping, |list| list.push(8)).await, None);
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let told = StateError::Io {
            operation: "write",
            path: "x".into(),
            source: full,
        };
        assert!(is_out_of_room(&told));
        assert!(!is_out_of_room(&io::Error::from(io::ErrorKind::NotFound)));
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let state = folder(&dir);
        fs::write(dir.path().join("state/x.json"), "{").unwrap();
        let error = state.document::<Vec<u32>>("x").unwrap_err().to_string();
        assert!(error.contains("x.json"), "{error}");
    }
}
