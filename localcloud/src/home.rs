//! The folder that holds all of one localcloud, and the lock that keeps it to one process.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::StartError;

/// A home folder, locked for this process for as long as this value lives.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    /// Held, never read: the lock goes with it.
    _lock: File,
}

impl Home {
    /// Makes the folder if it is not there (0711: a database's unprivileged user must be able to
    /// pass through it) and locks it.
    ///
    /// # Errors
    /// It cannot be made, or another localcloud holds it.
    pub fn claim(path: &Path) -> Result<Self, StartError> {
        let failed = |source| StartError::Home {
            path: path.to_owned(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(path)
            .map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let failed = |source| StartError::Home {
            path: path.clone(),
            source,
        };
        let mut lock = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder);
                return Err(StartError::Held {
                    path,
                    holder: holder.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        lock.set_len(0).map_err(failed)?;
        lock.rewind().map_err(failed)?;
        writeln!(lock, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { path, _lock: lock })
    }

    /// The folder's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where something named so is kept.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes what a stopped, empty localcloud leaves: its state and its own files, and the folder
    /// too if nothing else is in it.
    ///
    /// # Errors
    /// The file system refused.
    pub fn remove(&self) -> io::Result<()> {
        for name in [
            "state",
            "instances",
            "snapshots",
            "images",
            "buckets",
            "databases",
            "metrics",
        ] {
            remove_tree(&self.path.join(name))?;
        }
        for name in ["endpoint.json", "ca.pem", "ca-key.pem", "lock"] {
            match fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match fs::remove_dir(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error),
            _ => Ok(()),
        }
    }
}

/// Makes a folder that only its owner can look into (0700), and those above it.
///
/// # Errors
/// The file system refused.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Removes a folder and all in it, also folders that were made unwritable; nothing there is fine.
///
/// # Errors
/// The file system refused.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(path)?;
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

fn make_writable(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}
