//! What `deploy doctor` reads of this machine.

use std::path::Path;
use std::process::Stdio;

use deployer_aws::TargetKind;
use deployer_core::binary;
use deployer_core::blueprint::Blueprint;
use deployer_core::doctor::{LaptopFacts, LocalcloudFacts, StaticFacts};
use deployer_core::plan::misfits;
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};
use serde::Deserialize;
use tokio::process::Command;

use crate::failure::Failure;
use crate::home::Home;
use crate::invocation::run_by_cargo;
use crate::programs::{Source, StaticBuild, is_on_path};

pub(super) async fn look(
    home: &Home,
    kind: TargetKind,
    blueprint: &Blueprint,
) -> Result<LaptopFacts, Failure> {
    let source = Source::of(kind, blueprint)?;
    let missing = source.missing();
    let localcloud = match kind {
        TargetKind::Local if source.folder.join("localcloud").is_file() => {
            Some(ask_localcloud(&source.folder, home).await?)
        }
        _ => None,
    };
    let unfit = if missing.is_empty() {
        unfit(&source, blueprint).await?
    } else {
        Vec::new()
    };
    let there = nearest(home.as_ref());
    let free = statvfs(there).ok();
    Ok(LaptopFacts {
        system: std::env::consts::OS.to_owned(),
        programs: source.folder.display().to_string(),
        missing: missing.into_iter().map(str::to_owned).collect(),
        cargo: if run_by_cargo() {
            Some(cargo().await)
        } else {
            None
        },
        unfit,
        static_build: match source.static_build {
            Some(wanted) => Some(static_build(wanted).await),
            None => None,
        },
        home: home.as_ref().display().to_string(),
        home_problem: access(there, AccessFlags::W_OK | AccessFlags::X_OK)
            .err()
            .map(|errno| errno.desc().to_owned()),
        free_bytes: free.map(|disk| disk.blocks_available() * disk.fragment_size()),
        localcloud,
    })
}

/// The folder itself, or the one that it would be made in.
fn nearest(folder: &Path) -> &Path {
    folder
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("/"))
}

async fn static_build(wanted: StaticBuild) -> StaticFacts {
    StaticFacts {
        target: wanted.target().to_owned(),
        lacking: wanted
            .lacking()
            .await
            .map(|lacking| (lacking.what, lacking.remedy)),
    }
}

async fn unfit(source: &Source, blueprint: &Blueprint) -> Result<Vec<binary::Problem>, Failure> {
    let programs = source.inspect().await?;
    let problems = programs
        .iter()
        .flat_map(|(name, program)| misfits(blueprint, name, program));
    Ok(problems.collect())
}

async fn cargo() -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let said = Command::new(cargo).arg("--version").output().await;
    match said {
        Ok(said) if said.status.success() => {
            Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
        }
        Ok(said) => Err(String::from_utf8_lossy(&said.stderr).trim().to_owned()),
        Err(error) => Err(format!("it cannot be started: {error}")),
    }
}

/// What `localcloud look` prints.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Fitness {
    postgresql: Option<String>,
    networks: Vec<(String, Option<String>)>,
    in_the_way: Vec<String>,
}

async fn ask_localcloud(folder: &Path, home: &Home) -> Result<LocalcloudFacts, Failure> {
    let program = folder.join("localcloud");
    let doing = format!("asking {}", program.display());
    let said = Command::new(&program)
        .arg("look")
        .arg("--home")
        .arg(home.localcloud())
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(Failure::here(&doing))?;
    let fitness: Fitness = serde_json::from_slice(&said.stdout).map_err(Failure::here(&doing))?;
    Ok(LocalcloudFacts {
        postgresql: fitness.postgresql,
        npm: is_on_path("npm"),
        networks: fitness.networks,
        in_the_way: fitness.in_the_way,
    })
}
