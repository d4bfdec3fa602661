//! The programs that are deployed: built by cargo from the source tree that we were started from,
//! or found beside `deploy`.

mod cargo;
mod static_build;

use std::path::{Path, PathBuf};

use deployer_aws::TargetKind;
use deployer_core::binary;
use deployer_core::blueprint::Blueprint;
use deployer_core::plan::{Program, Programs};
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::invocation::{folder, run_by_cargo};
use crate::report::{Event, Report};
pub(crate) use static_build::StaticBuild;

/// The programs that are deployed.
const DEPLOYED: [&str; 6] = [
    "boot",
    "cache-node",
    "front-end",
    "manager",
    "scaler",
    "teardown",
];

/// What they are deployed to on a laptop.
const LOCALCLOUD: &str = "localcloud";

/// Where the programs for a blueprint are.
pub(crate) struct Source {
    /// Their folder.
    pub(crate) folder: PathBuf,
    /// How they are built where what is built for this machine does not run on the instances.
    pub(crate) static_build: Option<StaticBuild>,
    kind: TargetKind,
}

impl Source {
    /// The programs for this machine.
    pub(crate) fn here() -> Result<Self, Failure> {
        Ok(Self {
            folder: folder()?,
            static_build: None,
            kind: TargetKind::Local,
        })
    }

    /// Those for a blueprint's instances. Where there is no cargo to build others, they are as they
    /// are, and the plan says what does not fit.
    pub(crate) fn of(kind: TargetKind, blueprint: &Blueprint) -> Result<Self, Failure> {
        let here = Self {
            kind,
            ..Self::here()?
        };
        if kind == TargetKind::Local || !run_by_cargo() {
            return Ok(here);
        }
        Ok(match StaticBuild::needed(blueprint)? {
            None => here,
            Some(needed) => Self {
                folder: needed.folder(&here.folder),
                static_build: Some(needed),
                kind,
            },
        })
    }

    /// The programs that are not there.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let local = (self.kind == TargetKind::Local).then_some(LOCALCLOUD);
        DEPLOYED
            .into_iter()
            .chain(local)
            .filter(|name| !self.folder.join(name).is_file())
            .collect()
    }

    /// Builds the programs when cargo has started us, so that what is deployed is what the source
    /// says.
    pub(crate) async fn build(&self, report: &dyn Report) -> Result<(), Failure> {
        if let Some(wanted) = &self.static_build {
            wanted.refuse_without_tools().await?;
            report.event(&Event::Note {
                text: &wanted.to_string(),
            });
        }
        if run_by_cargo() {
            cargo::build(&folder()?, self.static_build.as_ref(), report).await?;
        }
        let missing = self.missing();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Failure::Refused {
            what: format!(
                "programs are missing in {}: {}",
                self.folder.display(),
                missing.join(", ")
            ),
            hint: "start this from the source tree: cargo run --release -- up blueprints/elastic-cache.yaml"
                .to_owned(),
        })
    }

    /// Reads what a plan has to know of the programs. Only where they run on other machines than
    /// this one does it matter what they need of them.
    pub(crate) async fn inspect(&self) -> Result<Programs, Failure> {
        let (folder, kind) = (self.folder.clone(), self.kind);
        tokio::task::spawn_blocking(move || DEPLOYED.map(|name| read(&folder, name, kind)))
            .await
            .map_err(Failure::here("reading the programs"))?
            .into_iter()
            .collect()
    }
}

fn read(folder: &Path, name: &str, kind: TargetKind) -> Result<(String, Program), Failure> {
    let path = folder.join(name);
    let reading = format!("reading {}", path.display());
    let bytes = std::fs::read(&path).map_err(Failure::here(&reading))?;
    let needs = match kind {
        TargetKind::Local => None,
        TargetKind::Aws => Some(binary::inspect(&bytes).map_err(Failure::here(reading))?),
    };
    let program = Program {
        sha256: hex::encode(Sha256::digest(&bytes)),
        size: bytes.len() as u64,
        needs,
    };
    Ok((name.to_owned(), program))
}

/// Whether a program is found by its name.
pub(crate) fn is_on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}

/// Builds likewise, and finds a program that tries a deployment from outside. It stays on this machine.
pub(crate) async fn outside(name: &str, report: &dyn Report) -> Result<PathBuf, Failure> {
    let source = Source::here()?;
    source.build(report).await?;
    let program = source.folder.join(name);
    if program.is_file() {
        return Ok(program);
    }
    Err(Failure::Refused {
        what: format!("there is no {}", program.display()),
        hint: "put it beside deploy, or start this from the source tree".to_owned(),
    })
}
