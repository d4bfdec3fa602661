//! Files that are replaced as a whole: whoever reads one finds the old or the new, whenever the
//! writer was cut off.

use std::io;
use std::path::{Path, PathBuf};

/// Puts a file in the place of the one that is there, if any.
///
/// # Errors
/// It cannot be written; then the old one is still there.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let next = next(path);
    let written = std::fs::write(&next, content).and_then(|()| std::fs::rename(&next, path));
    if written.is_err() {
        // What is there of it takes room on a disk that has none.
        let _ = std::fs::remove_file(&next);
    }
    written
}

/// Takes a file away, and what a writer that was cut off has left beside it.
pub fn remove(path: &Path) {
    // Either may not be there.
    let _ = std::fs::remove_file(next(path));
    let _ = std::fs::remove_file(path);
}

/// Where a file is written before it takes its place.
fn next(path: &Path) -> PathBuf {
    let mut next = path.as_os_str().to_owned();
    next.push(".next");
    PathBuf::from(next)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_replaced_and_taken_away_with_what_a_cut_off_writer_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        std::fs::write(next(&path), b"ne").unwrap();
        remove(&path);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_cannot_take_its_place_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        std::fs::create_dir(&path).unwrap();
        assert!(write(&path, b"new").is_err());
        assert!(!next(&path).exists());
    }
}
