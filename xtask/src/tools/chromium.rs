//! Chromium and its driver, with which the tests of the pages do what people do.

use std::env;

use super::{Machine, apt_install};

/// The browser goes by several names.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const DRIVER: &str = "chromedriver";

/// Finds browser and driver, or installs them, or says what to install.
pub(super) fn ensure(machine: &Machine) -> Result<(), String> {
    if !is_there() {
        install(machine)?;
    }
    println!("Chromium and chromedriver: on PATH");
    Ok(())
}

fn is_there() -> bool {
    on_path(DRIVER) && BROWSERS.into_iter().any(on_path)
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn install(machine: &Machine) -> Result<(), String> {
    // Ubuntu's package of that name is a stub for a snap, which needs a running system.
    if !machine.can_install() || machine.is_like("ubuntu") {
        return Err(format!(
            "Chromium or its driver (chromedriver) is missing; install them: {}",
            advice(machine)
        ));
    }
    println!("Chromium is missing; installing Debian's packages");
    apt_install(&["chromium", "chromium-driver"])?;
    if is_there() {
        Ok(())
    } else {
        Err("apt-get installed chromium and chromium-driver, yet they are not on PATH".to_owned())
    }
}

fn advice(machine: &Machine) -> &'static str {
    if machine.is_like("ubuntu") {
        "`sudo snap install chromium`, which brings both, with /snap/bin on PATH"
    } else if machine.is_like("debian") {
        "`sudo apt-get install chromium chromium-driver`"
    } else if machine.is_fedora() {
        "`sudo dnf install chromium chromedriver`"
    } else if machine.is_like("arch") {
        "`sudo pacman -S chromium`, which brings both"
    } else {
        "with your system's packages, so that both are on PATH"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_fits_the_machine() {
        let advice = |release| advice(&Machine::of(release));
        assert!(advice("ID=debian").contains("apt-get"));
        assert!(advice("ID=ubuntu\nID_LIKE=debian").contains("snap"));
        assert!(advice("ID=fedora").contains("dnf"));
        assert!(advice("ID=arch").contains("pacman"));
        assert!(advice("").contains("PATH"));
    }

    #[test]
    fn a_program_that_is_nowhere_is_not_on_the_path() {
        assert!(!on_path("no-program-has-this-name"));
    }
}
