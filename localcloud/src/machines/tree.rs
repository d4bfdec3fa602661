//! Copies of root folders.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::path::Path;

/// Folders that are memory on a real machine: made, but not copied.
const VOLATILE: [&str; 2] = ["run", "tmp"];

/// Copies a root folder whole or not at all: `to` appears when everything is there.
///
/// Files are copied, not linked, so that no write in one root reaches another; the kernel shares
/// their blocks where the file system can.
pub(super) fn copy_root(from: &Path, to: &Path) -> io::Result<()> {
    make_whole(to, |partial| {
        copy_folder(from, partial, nix::unistd::geteuid().is_root(), &VOLATILE)
    })
}

/// The same, and on the disk for good when it returns, so that an image that was called available
/// survives a power failure.
pub(super) fn keep_root(from: &Path, to: &Path) -> io::Result<()> {
    make_whole(to, |partial| {
        copy_folder(from, partial, nix::unistd::geteuid().is_root(), &VOLATILE)?;
        flush(partial)
    })?;
    to.parent().map_or(Ok(()), flush_one)
}

fn flush(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            flush(&entry.path())?;
        } else if kind.is_file() {
            flush_one(&entry.path())?;
        }
    }
    flush_one(folder)
}

fn flush_one(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a folder beside its place and moves it there when it is done.
pub(super) fn make_whole(
    place: &Path,
    make: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let partial = place.with_extension("partial");
    crate::home::remove_tree(&partial)?;
    if let Some(parent) = place.parent() {
        crate::home::make_private_folder(parent)?;
    }
    make(&partial)?;
    fs::rename(&partial, place)
}

fn copy_folder(from: &Path, to: &Path, as_root: bool, leave_empty: &[&str]) -> io::Result<()> {
    let folder = fs::symlink_metadata(from)?;
    crate::home::make_private_folder(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if leave_empty.iter().any(|name| entry.file_name() == *name) {
                crate::home::make_private_folder(&target)?;
                fs::set_permissions(&target, entry.metadata()?.permissions())?;
            } else {
                copy_folder(&source, &target, as_root, &[])?;
            }
            continue;
        }
        if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target)?;
        } else {
            // Sockets, pipes and devices belong to processes, not to an image.
            continue;
        }
        keep_owner(&entry.metadata()?, &target, as_root)?;
        if kind.is_file() {
            // Changing the owner clears the set-user-id bit.
            let mode = entry.metadata()?.permissions().mode();
            fs::set_permissions(&target, Permissions::from_mode(mode))?;
        }
    }
    keep_owner(&folder, to, as_root)?;
    fs::set_permissions(to, folder.permissions())
}

fn keep_owner(of: &fs::Metadata, target: &Path, as_root: bool) -> io::Result<()> {
    if as_root {
        lchown(target, Some(of.uid()), Some(of.gid()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_copy_has_everything_and_shares_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("snapshots/to"));
        fs::create_dir_all(from.join("etc/deep")).unwrap();
        fs::create_dir_all(from.join("run/bivouac")).unwrap();
        fs::write(from.join("run/bivouac/secret"), "x").unwrap();
        fs::write(from.join("etc/deep/file"), "old").unwrap();
        fs::set_permissions(from.join("etc/deep/file"), Permissions::from_mode(0o750)).unwrap();
        symlink("/nowhere/../at all", from.join("etc/link")).unwrap();
        nix::unistd::mkfifo(&from.join("etc/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();

        keep_root(&from, &to).unwrap();
        fs::write(to.join("etc/deep/file"), "new").unwrap();

        assert_eq!(
            fs::read_to_string(from.join("etc/deep/file")).unwrap(),
            "old"
        );
        let mode = to
            .join("etc/deep/file")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o750);
        assert_eq!(
            fs::read_link(to.join("etc/link")).unwrap(),
            Path::new("/nowhere/../at all")
        );
        assert!(!to.join("etc/pipe").exists());
        assert_eq!(fs::read_dir(to.join("run")).unwrap().count(), 0);
    }

    #[test]
    fn what_an_interrupted_copy_left_is_not_taken_for_the_copy() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(&from).unwrap();
        fs::create_dir_all(dir.path().join("to.partial/leftover")).unwrap();
        copy_root(&from, &to).unwrap();
        assert_eq!(fs::read_dir(&to).unwrap().count(), 0);
    }
}
