//! State on disk: one JSON document per service, replaced whole and durably at each change.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wire::ApiError;

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
        write_atomically(&self.path, &bytes, self.durable).map_err(failed("write"))
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
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    if durable {
        file.sync_all()?;
    }
    fs::rename(&temporary, path)?;
    match path.parent() {
        Some(folder) if durable => File::open(folder)?.sync_all(),
        _ => Ok(()),
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

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let state = folder(&dir);
        fs::write(dir.path().join("state/x.json"), "{").unwrap();
        let error = state.document::<Vec<u32>>("x").unwrap_err().to_string();
        assert!(error.contains("x.json"), "{error}");
    }
}
