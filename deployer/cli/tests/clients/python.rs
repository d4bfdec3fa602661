//! The virtual environments in which other people's programs are: boto3 of two times, and moto.

use std::path::{Path, PathBuf};

/// The environment of that name, if it is as the repository wants it.
pub(crate) fn installed(name: &str) -> PathBuf {
    let wanted = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients/requirements")
        .join(name)
        .with_extension("txt");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let environment = target.join("clients").join(name);
    let made = std::fs::read(environment.join("requirements.txt")).unwrap_or_default();
    assert!(
        made == std::fs::read(wanted).unwrap(),
        "{} is not there or old; make it: cargo xtask ci --only tools",
        environment.display()
    );
    environment
}
