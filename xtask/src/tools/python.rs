//! boto3 and the AWS command line, with which tests call localcloud, and the server of moto, which they
//! hold it against: exact versions, each set in a virtual environment of its own in the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Machine, apt_install, run};

/// What is installed, with hashes: a file and an environment for each.
const REQUIREMENTS: &str = "deployer/cli/tests/clients/requirements";
const SETS: [&str; 3] = ["today", "2023", "moto"];

/// Ends with 0 in a Python that can make environments and is new enough for the packages.
const FITS: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";

/// Makes the environments that are not there or not as the repository wants them.
pub(super) fn ensure(machine: &Machine, root: &Path, target: &Path) -> Result<(), String> {
    for set in SETS {
        let wanted = root.join(REQUIREMENTS).join(set).with_extension("txt");
        let environment = target.join("clients").join(set);
        if !is_current(&environment, &wanted)? {
            println!("installing {}", wanted.display());
            make(&find_or_install(machine)?, &environment, &wanted)?;
        }
        println!("Python packages of {set}.txt: {}", environment.display());
    }
    Ok(())
}

/// The copy of its requirements that an environment has once it is complete. Tests look at it, too.
fn mark(environment: &Path) -> PathBuf {
    environment.join("requirements.txt")
}

fn is_current(environment: &Path, wanted: &Path) -> Result<bool, String> {
    let wanted =
        fs::read(wanted).map_err(|error| format!("cannot read {}: {error}", wanted.display()))?;
    let made = fs::read(mark(environment)).is_ok_and(|made| made == wanted);
    // Its Python may have been taken away since, or the target folder moved.
    Ok(made && fits(&environment.join("bin/python")) && is_in_its_place(environment))
}

/// Whether an environment is where it was made: its programs name their Python by the whole path.
fn is_in_its_place(environment: &Path) -> bool {
    let place = environment.display().to_string();
    fs::read_to_string(environment.join("bin/pip")).is_ok_and(|program| program.contains(&place))
}

fn make(python: &Path, environment: &Path, wanted: &Path) -> Result<(), String> {
    run(Command::new(python)
        .args(["-m", "venv", "--clear"])
        .arg(environment))?;
    run(Command::new(environment.join("bin/python"))
        .args(["-m", "pip", "--quiet", "--disable-pip-version-check"])
        .args(["install", "--no-input", "--require-hashes"])
        .args(["--only-binary", ":all:", "--requirement"])
        .arg(wanted))?;
    fs::copy(wanted, mark(environment))
        .map(drop)
        .map_err(|error| format!("cannot write {}: {error}", mark(environment).display()))
}

fn find_or_install(machine: &Machine) -> Result<PathBuf, String> {
    if let Some(python) = find() {
        return Ok(python);
    }
    if !machine.can_install() {
        return Err(format!(
            "Python 3.10 or newer with venv is missing; install it: {}",
            advice(machine)
        ));
    }
    println!("Python is missing; installing Debian's package");
    apt_install(&["python3-venv"])?;
    find().ok_or_else(|| {
        "apt-get installed python3-venv, yet no Python 3.10 or newer is found".to_owned()
    })
}

fn advice(machine: &Machine) -> &'static str {
    if machine.is_like("debian") || machine.is_like("ubuntu") {
        "`sudo apt-get install python3-venv`"
    } else if machine.is_fedora() {
        "`sudo dnf install python3.11`"
    } else if machine.is_like("arch") {
        "`sudo pacman -S python`"
    } else {
        "with your system's packages, as `python3` on PATH"
    }
}

/// The first on PATH, or the system's where that one is of no use.
fn find() -> Option<PathBuf> {
    ["python3", "/usr/bin/python3"]
        .map(PathBuf::from)
        .into_iter()
        .find(|python| fits(python))
}

fn fits(python: &Path) -> bool {
    Command::new(python)
        .args(["-c", FITS])
        .output()
        .is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_environment_of_other_requirements_is_not_current() {
        let folder = std::env::temp_dir().join(format!("bivouac-python-{}", std::process::id()));
        let wanted = folder.join("wanted.txt");
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::write(&wanted, "boto3==2").unwrap();
        fs::write(mark(&folder), "boto3==1").unwrap();
        let other = is_current(&folder, &wanted).unwrap();
        fs::copy(&wanted, mark(&folder)).unwrap();
        let without_python = is_current(&folder, &wanted).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert!(!other && !without_python);
        assert!(is_current(&folder, &wanted).is_err());
    }

    #[test]
    fn an_environment_that_was_moved_is_not_current() {
        let folder = std::env::temp_dir().join(format!("bivouac-moved-{}", std::process::id()));
        let program = |place: &Path| format!("#!{}/bin/python\nimport pip\n", place.display());
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::write(folder.join("bin/pip"), program(&folder)).unwrap();
        let made_here = is_in_its_place(&folder);
        fs::write(folder.join("bin/pip"), program(Path::new("/elsewhere"))).unwrap();
        let moved = is_in_its_place(&folder);
        fs::remove_dir_all(&folder).unwrap();
        assert!(made_here && !moved);
    }

    #[test]
    fn every_package_is_of_one_version_and_has_a_hash() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(REQUIREMENTS);
        for set in SETS {
            let text = fs::read_to_string(folder.join(set).with_extension("txt")).unwrap();
            let whole = text.replace("\\\n", "");
            for line in whole.lines().filter(|line| !line.starts_with('#')) {
                assert!(
                    line.contains("==") && line.contains("--hash=sha256:"),
                    "{line}"
                );
            }
        }
    }
}
