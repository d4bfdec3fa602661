//! `cargo xtask bench`: builds every program, so that none of an earlier state is measured, and starts
//! the bench of `load/`.

use crate::ci::{cargo_command, repository_root};

/// Hands `arguments` on. True if the bench came to its end.
pub(crate) fn run(arguments: &[String]) -> Result<bool, String> {
    let root = repository_root()?;
    let built = cargo_command(&root)
        .args(["build", "--release", "--workspace", "--bins"])
        .status()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !built.success() {
        return Ok(false);
    }
    let this = std::env::current_exe().map_err(|error| format!("finding this program: {error}"))?;
    let bench = this.with_file_name("bench");
    let ended = std::process::Command::new(&bench)
        .args(arguments)
        .status()
        .map_err(|error| format!("cannot start {}: {error}", bench.display()))?;
    Ok(ended.success())
}
