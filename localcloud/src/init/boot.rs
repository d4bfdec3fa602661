//! What happens once per boot, and what once per instance.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::home::remove_tree;

/// Folders that are memory on a real machine: empty at each boot.
const VOLATILE: [(&str, u32); 2] = [("run", 0o755), ("tmp", 0o1777)];

pub(super) struct Boot<'a> {
    root: &'a Path,
    /// cloud-init's folder for this instance id. An image carries its builder's, under another id.
    folder: PathBuf,
}

impl<'a> Boot<'a> {
    pub(super) fn of(root: &'a Path, instance: &str) -> Self {
        Self {
            root,
            folder: root.join("var/lib/cloud/instances").join(instance),
        }
    }

    pub(super) fn clear_volatile_folders(&self) -> io::Result<()> {
        for (name, mode) in VOLATILE {
            let folder = self.root.join(name);
            remove_tree(&folder)?;
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)?;
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// The user data if it is a script that this instance id has not run yet. It counts as run from
    /// here on, whatever becomes of it.
    pub(super) fn first_boot_script(&self) -> io::Result<Option<PathBuf>> {
        let script = self.folder.join("user-data.txt");
        let mark = self.folder.join("sem/config_scripts_user");
        let is_script = match fs::read(&script) {
            Ok(bytes) => bytes.starts_with(b"#!"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if !is_script || mark.exists() {
            return Ok(None);
        }
        fs::create_dir_all(self.folder.join("sem"))?;
        fs::write(&mark, jiff::Timestamp::now().to_string())?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700))?;
        Ok(Some(script))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with_user_data(root: &Path, instance: &str, text: &str) {
        let folder = root.join("var/lib/cloud/instances").join(instance);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("user-data.txt"), text).unwrap();
    }

    #[test]
    fn a_script_runs_once_per_instance_id() {
        let root = tempfile::tempdir().unwrap();
        with_user_data(root.path(), "i-1", "#!/bin/sh\n");
        assert!(
            Boot::of(root.path(), "i-1")
                .first_boot_script()
                .unwrap()
                .is_some()
        );
        assert!(
            Boot::of(root.path(), "i-1")
                .first_boot_script()
                .unwrap()
                .is_none()
        );
        // Another instance made from this root.
        with_user_data(root.path(), "i-2", "#!/bin/sh\n");
        assert!(
            Boot::of(root.path(), "i-2")
                .first_boot_script()
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn other_user_data_does_not_run() {
        let root = tempfile::tempdir().unwrap();
        assert!(
            Boot::of(root.path(), "i-1")
                .first_boot_script()
                .unwrap()
                .is_none()
        );
        with_user_data(root.path(), "i-1", "{\"json\": true}");
        assert!(
            Boot::of(root.path(), "i-1")
                .first_boot_script()
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn run_and_tmp_are_empty_at_boot() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("run/bivouac")).unwrap();
        fs::write(root.path().join("run/bivouac/settings.json"), "secret").unwrap();
        Boot::of(root.path(), "i-1")
            .clear_volatile_folders()
            .unwrap();
        assert_eq!(fs::read_dir(root.path().join("run")).unwrap().count(), 0);
        assert!(root.path().join("tmp").is_dir());
    }
}
