//! Locks between commands. The kernel lets go of them when their holder ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deployer_core::names::DeploymentName;

use crate::failure::Failure;
use crate::home::Home;

/// How often one looks whether a lock is free that others hold for moments only.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Held while a command changes a deployment, so that no second one does.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code)] File);

impl Lock {
    /// Takes it, or says who holds it.
    ///
    /// # Errors
    /// Another command holds it, or its file cannot be made.
    pub fn take(home: &Home, name: &DeploymentName, doing: &str) -> Fallible<Lock> {
        let path = Lock::path(home, name);
        let failed = || Failure::here::<io::Error>(format!("locking {}", path.display()));
        loop {
            std::fs::create_dir_all(home.deployments()).map_err(failed())?;
            match open(&path) {
                Ok(file) => {
                    let lock = Lock::take_at(file, name, doing)?;
                    if is_at(&lock.0, &path) {
                        return Ok(lock);
                    }
                }
                // Another command has just taken its last deployment's folder away.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed()(error)),
            }
        }
    }

    /// The lock's file, which goes with what else is remembered of a deployment.
    pub fn path(home: &Home, name: &DeploymentName) -> PathBuf {
        home.deployments().join(format!("{name}.lock"))
    }

    fn take_at(mut file: File, name: &DeploymentName, doing: &str) -> Fallible<Lock> {
        if file.try_lock().is_err() {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Err(Failure::Refused {
                what: format!(
                    "{name} is being changed by another command: {}",
                    holder.trim()
                ),
                hint: "wait until it has ended".to_owned(),
            });
        }
        // A full disk must not keep `down` from making room: what is written is only for people.
        let _ = say_who_holds_it(&mut file, doing);
        Ok(Lock(file))
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(path)
}

fn say_who_holds_it(file: &mut File, doing: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    let (process, now) = (std::process::id(), jiff::Timestamp::now());
    writeln!(file, "{doing}, process {process}, since {now:.0}")
}

/// Held by every command that may make something in localcloud, or end it: the last one at work may
/// end it. It is a lock on the home folder itself and leaves no file.
#[derive(Debug)]
pub struct AtWork(File);

impl AtWork {
    /// Waits while another command is ending localcloud.
    pub async fn begin(home: &Home) -> Fallible<AtWork> {
        loop {
            home.make()?;
            let folder = wait_for(home.as_ref(), File::try_lock_shared).await?;
            if let Some(folder) = folder {
                return Ok(AtWork(folder));
            }
        }
    }

    /// Whether no other command is at work; then none can begin until this one has ended.
    pub fn is_alone(&self) -> bool {
        // Not changed in one go, which the kernel does not promise either: of two that are about to
        // end, the second to ask is alone.
        self.0.unlock().is_ok() && self.0.try_lock().is_ok()
    }
}

/// Held while localcloud is being started, so that of several commands one does.
#[derive(Debug)]
pub struct Starting(#[allow(dead_code)] File);

impl Starting {
    /// Waits while another command is starting localcloud in that folder, which is made if need be.
    pub async fn begin(folder: &Path) -> Fallible<Starting> {
        loop {
            std::fs::create_dir_all(folder)
                .map_err(Failure::here(format!("making {}", folder.display())))?;
            let held = wait_for(folder, File::try_lock).await?;
            if let Some(held) = held {
                return Ok(Starting(held));
            }
        }
    }
}

/// Locks a folder, waiting for it; nothing if it was taken away meanwhile.
async fn wait_for(
    folder: &Path,
    lock: impl Fn(&File) -> Result<(), TryLockError>,
) -> Fallible<Option<File>> {
    let failed = || Failure::here(format!("locking {}", folder.display()));
    let held = match File::open(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed())?,
    };
    loop {
        match lock(&held) {
            Ok(()) => return Ok(is_at(&held, folder).then_some(held)),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK_AGAIN).await,
            Err(TryLockError::Error(error)) => return Err(failed()(error)),
        }
    }
}

/// Whether a path still leads to what was opened there: a lock on a file that was removed keeps
/// nobody off.
fn is_at(opened: &File, path: &Path) -> bool {
    let same = || {
        let (opened, there) = (opened.metadata().ok()?, std::fs::metadata(path).ok()?);
        Some(opened.ino() == there.ino() && opened.dev() == there.dev())
    };
    same().unwrap_or(false)
}

type Fallible<T> = Result<T, Failure>;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_second_command_is_told_who_holds_the_lock_and_since_when() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let name: DeploymentName = "elastic-cache".parse().unwrap();
        let take = |doing| Lock::take_at(open(&path).unwrap(), &name, doing);
        let held = take("up").unwrap();
        let refused = take("down").unwrap_err().to_string();
        let holder = format!("up, process {}, since 20", std::process::id());
        assert!(refused.contains(&holder), "{refused}");
        drop(held);
        assert!(take("down").is_ok());
    }

    #[tokio::test]
    async fn the_last_command_at_work_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let begin = async || {
            let lock = wait_for(folder.path(), File::try_lock_shared).await;
            AtWork(lock.unwrap().unwrap())
        };
        let (one, other) = (begin().await, begin().await);
        assert!(!one.is_alone());
        assert!(other.is_alone());
        drop(other);
        assert!(one.is_alone());
    }

    #[tokio::test]
    async fn a_folder_that_was_taken_away_is_not_locked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home");
        std::fs::create_dir(&path).unwrap();
        let held = File::open(&path).unwrap();
        std::fs::remove_dir(&path).unwrap();
        assert!(!is_at(&held, &path));
        std::fs::create_dir(&path).unwrap();
        assert!(!is_at(&held, &path));
    }
}
