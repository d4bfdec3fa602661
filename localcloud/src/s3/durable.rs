//! The names in a folder, made to last or to go.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Makes the names in a folder durable.
///
/// # Errors
/// What opening or flushing the folder answers.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes a file; that it is already gone is no error.
///
/// # Errors
/// What unlinking answers otherwise.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(failure) if failure.kind() != io::ErrorKind::NotFound => Err(failure),
        _ => Ok(()),
    }
}
