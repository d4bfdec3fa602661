//! How this program was started, so that the commands we suggest can be typed as printed.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// What stands before the subcommand: `cargo run --release --`, or the program's name or path.
pub fn invocation() -> String {
    if run_by_cargo() {
        return "cargo run --release --".to_owned();
    }
    let typed = std::env::args_os()
        .next()
        .unwrap_or_else(|| "deploy".into());
    Path::new(&typed).display().to_string()
}

/// Cargo sets these for the programs that it runs, and nobody else sets both.
pub fn run_by_cargo() -> bool {
    std::env::var_os("CARGO").is_some() && std::env::var_os("CARGO_MANIFEST_DIR").is_some()
}

/// The folder that holds the programs: that of this one.
///
/// # Errors
/// The system does not say where it is.
pub fn folder() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().map_err(Failure::here("finding this program"))?;
    Ok(own.parent().map(Path::to_owned).unwrap_or_default())
}
