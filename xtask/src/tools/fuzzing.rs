//! cargo-fuzz, and the C++ compiler with which libFuzzer is built.

use std::path::Path;

use super::{Machine, apt_install, run};
use crate::ci::cargo_command;

/// The release of cargo-fuzz that is known to work here.
const CARGO_FUZZ: &str = "0.13.2";

/// Finds both, or installs them, or says what to install.
pub(super) fn ensure(machine: &Machine, root: &Path) -> Result<(), String> {
    if !answers(std::process::Command::new("c++").arg("--version")) {
        if !machine.can_install() {
            return Err(
                "a C++ compiler (c++) is missing; install one (Debian: g++; Fedora: gcc-c++)"
                    .to_owned(),
            );
        }
        apt_install(&["g++"])?;
    }
    if !answers(cargo_command(root).args(["fuzz", "--version"])) {
        println!("cargo-fuzz is missing; installing it");
        run(cargo_command(root)
            .args(["install", "cargo-fuzz", "--locked", "--version"])
            .arg(CARGO_FUZZ))?;
    }
    Ok(())
}

fn answers(command: &mut std::process::Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
