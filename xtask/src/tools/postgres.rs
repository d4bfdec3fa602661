//! The PostgreSQL server programs, which localcloud and tests run as their databases.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Machine, apt_install};

/// Finds the programs, or installs them, or says what to install.
pub(super) fn ensure(machine: &Machine) -> Result<(), String> {
    let folder = match find() {
        Some(folder) => folder,
        None => install(machine)?,
    };
    println!("PostgreSQL server programs: {}", folder.display());
    Ok(())
}

/// The folder with `postgres` and `initdb`: the newest of those that `pg_config` names, that
/// Debian's packages use, and that are on PATH.
fn find() -> Option<PathBuf> {
    let configured = Command::new("pg_config")
        .arg("--bindir")
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let on_path = env::var_os("PATH").unwrap_or_default();
    configured
        .into_iter()
        .chain(versioned_folders(Path::new("/usr/lib/postgresql")))
        .chain(env::split_paths(&on_path))
        .find(|folder| has_server(folder))
}

fn has_server(folder: &Path) -> bool {
    ["postgres", "initdb"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

/// `<base>/<version>/bin`, newest version first.
fn versioned_folders(base: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(base) else {
        return Vec::new();
    };
    let mut versions: Vec<u32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable_by(|left, right| right.cmp(left));
    versions
        .iter()
        .map(|version| base.join(version.to_string()).join("bin"))
        .collect()
}

fn install(machine: &Machine) -> Result<PathBuf, String> {
    if !machine.can_install() {
        return Err(format!(
            "the PostgreSQL server programs (postgres, initdb) are missing; install them: {}",
            advice(machine)
        ));
    }
    println!("PostgreSQL is missing; installing Debian's package");
    let wish = no_cluster_wish()?;
    let installed = apt_install(&["postgresql"]);
    // Whoever installs PostgreSQL for themselves later gets what they would have got without us.
    let removed = fs::remove_file(&wish);
    installed?;
    removed.map_err(|error| format!("cannot remove {}: {error}", wish.display()))?;
    find().ok_or_else(|| "apt-get installed postgresql, yet no server is found".to_owned())
}

/// Debian's package makes a cluster and starts it as a daemon on port 5432 unless told not to.
fn no_cluster_wish() -> Result<PathBuf, String> {
    let folder = Path::new("/etc/postgresql-common/createcluster.d");
    let file = folder.join("bivouac.conf");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, "create_main_cluster = false\n"))
        .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    Ok(file)
}

fn advice(machine: &Machine) -> &'static str {
    if machine.is_like("debian") || machine.is_like("ubuntu") {
        "`sudo apt-get install postgresql`"
    } else if machine.is_fedora() {
        "`sudo dnf install postgresql-server`"
    } else if machine.is_like("arch") {
        "`sudo pacman -S postgresql`"
    } else {
        "with your system's packages, so that `pg_config --bindir` or PATH leads to them"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn the_advice_fits_the_machine() {
        let advice = |release| advice(&Machine::of(release));
        assert!(advice("ID=ubuntu").contains("apt-get"));
        assert!(advice("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"").contains("dnf"));
        assert!(advice("ID=arch").contains("pacman"));
        assert!(advice("").contains("pg_config"));
    }

    #[test]
    fn the_newest_version_comes_first_by_number_not_by_text() {
        let base = env::temp_dir().join(format!("bivouac-xtask-{}", std::process::id()));
        for version in ["9", "15", "17", "common"] {
            fs::create_dir_all(base.join(version).join("bin")).unwrap();
        }
        let folders = versioned_folders(&base);
        fs::remove_dir_all(&base).unwrap();
        let expected: Vec<_> = ["17", "15", "9"]
            .iter()
            .map(|version| base.join(version).join("bin"))
            .collect();
        assert_eq!(folders, expected);
    }

    #[test]
    fn a_folder_without_the_server_does_not_count() {
        assert!(!has_server(Path::new("/nowhere")));
        assert!(versioned_folders(Path::new("/nowhere")).is_empty());
    }
}
