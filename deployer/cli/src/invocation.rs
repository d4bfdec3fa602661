//! How this program was started, so that the commands we suggest can be typed as printed.

use std::path::Path;

/// What stands before the subcommand: `cargo run --release --`, or the program's name or path.
pub(crate) fn invocation() -> String {
    if run_by_cargo() {
        return "cargo run --release --".to_owned();
    }
    let typed = std::env::args_os()
        .next()
        .unwrap_or_else(|| "deploy".into());
    Path::new(&typed).display().to_string()
}

/// Cargo sets these for the programs that it runs, and nobody else sets both.
pub(crate) fn run_by_cargo() -> bool {
    std::env::var_os("CARGO").is_some() && std::env::var_os("CARGO_MANIFEST_DIR").is_some()
}
