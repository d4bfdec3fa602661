//! What the tests need on the machine. Installed where that needs no question (root on Debian and
//! its relatives), named otherwise.

mod chromium;
mod fuzzing;
mod postgres;
mod python;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Finds what the tests need, or installs it, or says all that is to be installed.
pub(crate) fn ensure(root: &Path) -> Result<(), String> {
    let machine = Machine::this();
    let ensured = [
        postgres::ensure(&machine),
        chromium::ensure(&machine),
        target_folder().and_then(|target| python::ensure(&machine, root, &target)),
    ];
    let problems: Vec<_> = ensured.into_iter().filter_map(Result::err).collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("\n"))
    }
}

/// The same for fuzzing, which needs more than the tests do.
pub(crate) fn ensure_fuzzing(root: &Path) -> Result<(), String> {
    fuzzing::ensure(&Machine::this(), root)
}

/// The folder that cargo builds into: this program is in its `release`.
pub(crate) fn target_folder() -> Result<PathBuf, String> {
    env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.parent()?.to_path_buf()))
        .ok_or_else(|| "cannot tell the target folder".to_owned())
}

/// What a machine calls itself and what it says it is like (os-release(5), ID and ID_LIKE).
struct Machine {
    families: Vec<String>,
    is_root: bool,
}

impl Machine {
    fn this() -> Self {
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        Self {
            is_root: is_root(),
            ..Self::of(&release)
        }
    }

    fn of(release: &str) -> Self {
        let values = release.lines().filter_map(|line| {
            line.strip_prefix("ID=")
                .or_else(|| line.strip_prefix("ID_LIKE="))
        });
        let names = values.flat_map(|value| value.trim_matches('"').split_whitespace());
        Self {
            families: names.map(str::to_owned).collect(),
            is_root: false,
        }
    }

    fn is_like(&self, family: &str) -> bool {
        self.families.iter().any(|name| name == family)
    }

    fn is_fedora(&self) -> bool {
        ["fedora", "rhel", "amzn"]
            .iter()
            .any(|name| self.is_like(name))
    }

    /// Whether packages can be installed without a question.
    fn can_install(&self) -> bool {
        self.is_root && (self.is_like("debian") || self.is_like("ubuntu"))
    }
}

fn apt_install(packages: &[&str]) -> Result<(), String> {
    let install = ["install", "--yes", "--quiet", "--no-install-recommends"];
    apt_get(&["update", "--quiet"])?;
    apt_get(&[&install, packages].concat())
}

fn apt_get(arguments: &[&str]) -> Result<(), String> {
    run(Command::new("apt-get")
        // Whatever else installs at this moment, as a new machine does by itself, is waited for.
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

fn run(command: &mut Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| format!("cannot start `{command:?}`: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{command:?}` failed"))
    }
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_known_by_os_release() {
        let debian = Machine::of("PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n");
        assert!(debian.is_like("debian") && !debian.is_like("ubuntu"));
        let mint = Machine::of("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n");
        assert!(mint.is_like("debian") && mint.is_like("ubuntu"));
        let amazon = Machine::of("ID=\"amzn\"\nID_LIKE=\"fedora\"\n");
        assert!(amazon.is_fedora() && !amazon.is_like("debian"));
        assert!(Machine::of("NAME=debian\n").families.is_empty());
    }

    #[test]
    fn only_root_on_debian_installs_without_a_question() {
        let root = |release| Machine {
            is_root: true,
            ..Machine::of(release)
        };
        assert!(root("ID=debian").can_install());
        assert!(!Machine::of("ID=debian").can_install());
        assert!(!root("ID=arch").can_install());
        assert!(!root("").can_install());
    }
}
