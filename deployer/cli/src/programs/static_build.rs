//! Programs that need nothing of a system but its kernel, for instances on which what is built for
//! this machine does not run: their C library is older, or their processor is another.

use std::fmt;
use std::path::{Path, PathBuf};

use deployer_core::binary::{self, Architecture};
use deployer_core::blueprint::Blueprint;
use deployer_core::plan;
use tokio::process::Command;

use super::is_on_path;
use crate::failure::Failure;

/// How the programs are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StaticBuild(Architecture);

/// What of it this machine lacks, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// What is not there.
    pub(crate) what: String,
    /// How to get it.
    pub(crate) remedy: String,
}

impl StaticBuild {
    /// What is built for this machine needs what this program needs.
    pub(super) fn needed(blueprint: &Blueprint) -> Result<Option<Self>, Failure> {
        let reading = "reading this program";
        let own = std::env::current_exe().map_err(Failure::here(reading))?;
        let own = std::fs::read(own).map_err(Failure::here(reading))?;
        let own = binary::inspect(&own).ok();
        Ok(plan::static_build(blueprint, own.as_ref()).map(Self))
    }

    /// Rust's target.
    pub(crate) fn target(self) -> &'static str {
        self.0.static_target()
    }

    /// Where cargo puts them, beside the programs for this machine.
    pub(super) fn folder(self, here: &Path) -> PathBuf {
        let profile = here.file_name().unwrap_or_default();
        let all = here.parent().unwrap_or(here);
        all.join(self.target()).join(profile)
    }

    /// What this machine lacks to build them.
    pub(crate) async fn lacking(self) -> Option<Lacking> {
        let target = self.target();
        if !has_library(target).await {
            return Some(Lacking {
                what: format!("Rust's library for {target} is not installed"),
                remedy: format!("rustup target add {target}"),
            });
        }
        let compiler = self.compiler();
        if self.is_chosen() || is_on_path(compiler) {
            return None;
        }
        let package = if compiler == "cc" { "gcc" } else { compiler };
        Some(Lacking {
            what: format!("there is no C compiler for {target} ({compiler})"),
            remedy: format!("sudo apt install {package} (Debian, Ubuntu)"),
        })
    }

    /// What cargo has to be told beside the target, unless somebody has chosen a compiler. One part of
    /// the programs, ring, is in C.
    pub(super) fn variables(self) -> Vec<(String, &'static str)> {
        if self.is_chosen() {
            return Vec::new();
        }
        let target = self.target().replace('-', "_");
        let mut variables = vec![(format!("CC_{target}"), self.compiler())];
        if !self.is_for_this_processor() {
            // No C library's headers are there for it. ring does without by itself, but for x86_64.
            let flags = "-ffreestanding -nostdlibinc -DRING_CORE_NOSTDLIBINC=1";
            variables.push((format!("CFLAGS_{target}"), flags));
            let linker = format!("CARGO_TARGET_{}_LINKER", target.to_uppercase());
            variables.push((linker, "rust-lld"));
        }
        variables
    }

    /// The same as somebody would type it.
    pub(super) fn by_hand(self) -> String {
        let mut words: Vec<_> = self
            .variables()
            .into_iter()
            .map(|(name, value)| format!("{name}='{value}'"))
            .collect();
        words.push(format!(
            "cargo build --release --bins --target {}",
            self.target()
        ));
        words.join(" ")
    }

    fn is_chosen(self) -> bool {
        std::env::var_os(format!("CC_{}", self.target().replace('-', "_"))).is_some()
    }

    /// The system's own compiler does for its own processor; clang can compile for others.
    fn compiler(self) -> &'static str {
        if self.is_for_this_processor() {
            "cc"
        } else {
            "clang"
        }
    }

    fn is_for_this_processor(self) -> bool {
        cfg!(target_os = "linux") && self.0.as_str() == std::env::consts::ARCH
    }

    pub(super) async fn refuse_without_tools(self) -> Result<(), Failure> {
        match self.lacking().await {
            None => Ok(()),
            Some(lacking) => Err(Failure::Refused {
                what: format!("{self}, but {}", lacking.what),
                hint: lacking.remedy,
            }),
        }
    }
}

impl fmt::Display for StaticBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "what is built for this machine does not run on the instances; the programs are built for {}",
            self.target()
        )
    }
}

/// Asks rustc where the library would be. If it does not say, cargo will.
async fn has_library(target: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .await;
    match asked {
        Ok(said) if said.status.success() => {
            Path::new(String::from_utf8_lossy(&said.stdout).trim()).is_dir()
        }
        _ => true,
    }
}
