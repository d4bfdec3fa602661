//! The user that PostgreSQL runs as. It refuses to run as root, so root gives it another.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use crate::guard;

/// Who is asked for, best first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// The user that PostgreSQL runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// The one that localcloud runs as.
    Own,
    /// Another, because localcloud runs as root.
    Other(guard::User),
}

/// A folder keeps PostgreSQL's user out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotEnterable {
    /// A folder above or at the path may not be entered.
    #[error(
        "PostgreSQL does not run as root, and the user it runs as (user id {uid}) cannot enter {}; allow it (chmod o+x {}) or choose another home, for example BIVOUAC_HOME=/var/lib/bivouac",
        folder.display(),
        folder.display()
    )]
    Folder {
        /// The first folder that keeps it out.
        folder: PathBuf,
        /// The user.
        uid: u32,
    },
    /// A folder cannot be looked at.
    #[error("cannot look at {}", folder.display())]
    Unknown {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is nobody to run it as.
    #[error(
        "PostgreSQL does not run as root, and this system has neither a user postgres nor a user nobody"
    )]
    NoUser,
}

impl Account {
    /// The user to run PostgreSQL as.
    ///
    /// # Errors
    /// Root finds no unprivileged user.
    pub(crate) fn find() -> Result<Self, NotEnterable> {
        if !Uid::effective().is_root() {
            return Ok(Self::Own);
        }
        CANDIDATES
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| {
                Self::Other(guard::User {
                    uid: user.uid.as_raw(),
                    gid: user.gid.as_raw(),
                })
            })
            .ok_or(NotEnterable::NoUser)
    }

    /// The user to name to the guard.
    pub(crate) fn user(self) -> Option<guard::User> {
        match self {
            Self::Own => None,
            Self::Other(user) => Some(user),
        }
    }

    /// Lets the user pass through a folder of ours, then checks each folder above it.
    ///
    /// # Errors
    /// The first folder, from the root down, that it cannot enter.
    pub(crate) fn must_enter(self, ours: &Path) -> Result<(), NotEnterable> {
        let Self::Other(user) = self else {
            return Ok(());
        };
        let unknown = |folder: &Path| {
            let folder = folder.to_owned();
            move |source| NotEnterable::Unknown { folder, source }
        };
        let mode = fs::metadata(ours)
            .map_err(unknown(ours))?
            .permissions()
            .mode();
        fs::set_permissions(ours, fs::Permissions::from_mode(mode | 0o011))
            .map_err(unknown(ours))?;
        let ours = ours.canonicalize().map_err(unknown(ours))?;
        let above: Vec<&Path> = ours.ancestors().collect();
        for folder in above.into_iter().rev() {
            let found = fs::metadata(folder).map_err(unknown(folder))?;
            let bit = match (found.uid() == user.uid, found.gid() == user.gid) {
                (true, _) => 0o100,
                (false, true) => 0o010,
                (false, false) => 0o001,
            };
            if found.mode() & bit == 0 {
                return Err(NotEnterable::Folder {
                    folder: folder.to_owned(),
                    uid: user.uid,
                });
            }
        }
        Ok(())
    }

    /// Gives a file or folder to the user.
    ///
    /// # Errors
    /// The file system refused.
    pub(crate) fn own(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other(user) => std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    #[test]
    fn the_folder_that_keeps_it_out_is_named() {
        let top = tempfile::tempdir().unwrap();
        let closed = top.path().join("closed");
        let home = closed.join("home");
        fs::create_dir_all(&home).unwrap();
        fs::set_permissions(top.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let stranger = Account::Other(guard::User {
            uid: 64_999,
            gid: 64_999,
        });
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        stranger.must_enter(&home).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        match stranger.must_enter(&home) {
            Err(NotEnterable::Folder { folder, .. }) => {
                assert!(folder.ends_with("closed"), "{folder:?}");
            }
            other => panic!("{other:?}"),
        }
        Account::Own.must_enter(&home).unwrap();
    }
}
