//! The folder that holds all that is kept on this machine.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// `BIVOUAC_HOME`, or the usual place for a user's data.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

impl Home {
    /// Finds the folder; it need not exist yet.
    pub fn find() -> Result<Home, Failure> {
        let root = nix::unistd::geteuid().is_root();
        let named = std::env::var_os("BIVOUAC_HOME")
            .filter(|value| !value.is_empty())
            .map(PathBuf::from);
        let path = match named {
            Some(path) => {
                std::path::absolute(&path).map_err(Failure::here("finding BIVOUAC_HOME"))?
            }
            // Root's own folder can be entered by nobody else, and PostgreSQL does not run as root.
            None if root => PathBuf::from("/var/lib/bivouac"),
            None => data_folder()?.join("bivouac"),
        };
        if root {
            refuse_closed_folder(&path)?;
        }
        Ok(Home(path))
    }

    /// A folder for one command alone.
    pub fn temporary(folder: &Path) -> Home {
        Home(folder.to_owned())
    }

    /// localcloud's folder.
    pub fn localcloud(&self) -> PathBuf {
        self.0.join("localcloud")
    }

    /// The folder of what is remembered of deployments.
    pub fn deployments(&self) -> PathBuf {
        self.0.join("deployments")
    }

    /// The folder of the receipts of what was taken away.
    #[must_use]
    pub fn receipts(&self) -> PathBuf {
        self.0.join("receipts")
    }

    /// The folder of the prices that were read from AWS's lists.
    #[must_use]
    pub fn prices(&self) -> PathBuf {
        self.0.join("prices")
    }

    /// Makes the folder, for its owner to write and everybody to enter.
    pub fn make(&self) -> Result<(), Failure> {
        let failed = || Failure::here(format!("making {}", self.0.display()));
        if !self.0.exists() {
            std::fs::create_dir_all(&self.0).map_err(failed())?;
            std::fs::set_permissions(&self.0, std::fs::Permissions::from_mode(0o711))
                .map_err(failed())?;
        }
        Ok(())
    }

    /// Takes the folder away if nothing is in it any more.
    pub fn remove_if_empty(&self) {
        // Both fail on purpose while something is kept.
        let _ = std::fs::remove_dir(self.deployments());
        let _ = std::fs::remove_dir(&self.0);
    }
}

impl AsRef<Path> for Home {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

fn data_folder() -> Result<PathBuf, Failure> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .ok_or_else(|| Failure::Refused {
            what: "no folder to keep things in: neither BIVOUAC_HOME nor HOME is set".to_owned(),
            hint: "set BIVOUAC_HOME to a folder of yours".to_owned(),
        })
}

/// As root, databases run under an unprivileged user, who has to be able to enter every folder on
/// the way.
fn refuse_closed_folder(path: &Path) -> Result<(), Failure> {
    let closed = path.ancestors().find(|folder| {
        std::fs::metadata(folder).is_ok_and(|meta| meta.is_dir() && meta.mode() & 0o001 == 0)
    });
    match closed {
        None => Ok(()),
        Some(folder) => Err(Failure::Refused {
            what: format!(
                "{} cannot be entered by other users, and as root the databases run under another user",
                folder.display()
            ),
            hint: format!(
                "choose another BIVOUAC_HOME, or: chmod o+x {}",
                folder.display()
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_that_others_cannot_enter_is_named() {
        let base = tempfile::tempdir_in("/var/tmp").unwrap();
        std::fs::set_permissions(base.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        assert!(refuse_closed_folder(&base.path().join("home")).is_ok());
        std::fs::set_permissions(base.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let refused = refuse_closed_folder(&base.path().join("home")).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains(&base.path().display().to_string())
        );
    }
}
