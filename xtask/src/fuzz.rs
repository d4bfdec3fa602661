//! `cargo xtask fuzz`: everything that reads the network or a blueprint, with inputs that libFuzzer
//! makes up. The targets are in `fuzz/`, a workspace of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::ci::{cargo_command, repository_root};
use crate::tools;

/// How long each target runs in `cargo xtask ci`.
const SHORT: Duration = Duration::from_secs(5);
/// One input may take so many seconds on a machine that stands still at times; it does take less than a
/// hundredth of one.
const SLOWEST_INPUT: u32 = 60;
/// Memory of a target, in MiB.
const MOST_MEMORY: u32 = 2048;

/// Runs the targets named (all, if none is), each for `seconds`, keeping what was found interesting
/// for the next time. True if nothing was found to be wrong.
pub(crate) fn run(targets: &[String], seconds: u64) -> Result<bool, String> {
    let fuzzing = Fuzzing::build(&repository_root()?)?;
    let all = fuzzing.targets()?;
    if let Some(unknown) = targets.iter().find(|target| !all.contains(target)) {
        return Err(format!(
            "there is no target {unknown}; there are {}",
            all.join(", ")
        ));
    }
    let chosen = if targets.is_empty() {
        &all[..]
    } else {
        targets
    };
    let round = Round {
        time: Duration::from_secs(seconds),
        corpus: fuzzing.target.join("corpus"),
        seed: 0,
    };
    Ok(fuzzing.run_each(chosen, &round)?.is_empty())
}

/// The step of `cargo xtask ci`: each target for some seconds, from the seeds alone and with the same
/// chance each time: what it finds, the change that is checked has brought in.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let formatted = cargo_command(root)
        .args(["fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"])
        .status()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !formatted.success() {
        return Err("fuzz/ is not formatted".to_owned());
    }
    let fuzzing = Fuzzing::build(root)?;
    let fresh = fuzzing.target.join("fresh");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)
            .map_err(|error| format!("cannot remove {}: {error}", fresh.display()))?;
    }
    let round = Round {
        time: SHORT,
        corpus: fresh,
        seed: 1,
    };
    let failed = fuzzing.run_each(&fuzzing.targets()?, &round)?;
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "an input was found on which these fail: {}",
            failed.join(", ")
        ))
    }
}

/// How each target is run.
struct Round {
    time: Duration,
    /// Holds a folder for each target: the inputs that were interesting.
    corpus: PathBuf,
    /// Of libFuzzer's chance; 0 is another one each time.
    seed: u32,
}

/// The targets, built.
struct Fuzzing {
    folder: PathBuf,
    target: PathBuf,
    triple: String,
}

impl Fuzzing {
    /// Builds them with cargo-fuzz. Our code and what it uses is safe Rust, so no sanitizer is
    /// needed, and a stable compiler does.
    fn build(root: &Path) -> Result<Self, String> {
        tools::ensure_fuzzing(root)?;
        let fuzzing = Self {
            folder: root.join("fuzz"),
            target: tools::target_folder()?.join("fuzz"),
            triple: triple(root)?,
        };
        fuzzing.lock(root)?;
        let built = cargo_command(root)
            .args(["fuzz", "build", "--fuzz-dir", "fuzz", "--sanitizer", "none"])
            .args(["--debug-assertions", "--codegen-units", "16"])
            .args(["--target", &fuzzing.triple, "--target-dir"])
            .arg(&fuzzing.target)
            .status()
            .map_err(|error| format!("cannot start cargo: {error}"))?;
        if built.success() {
            Ok(fuzzing)
        } else {
            Err("`cargo fuzz build` failed".to_owned())
        }
    }

    /// The project's versions are the fuzzed ones: its Cargo.lock is taken whenever it is newer.
    fn lock(&self, root: &Path) -> Result<(), String> {
        let (theirs, ours) = (root.join("Cargo.lock"), self.folder.join("Cargo.lock"));
        let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified());
        if matches!((changed(&theirs), changed(&ours)), (Ok(theirs), Ok(ours)) if theirs <= ours) {
            return Ok(());
        }
        fs::copy(&theirs, &ours)
            .map(drop)
            .map_err(|error| format!("cannot write {}: {error}", ours.display()))
    }

    /// The names of the targets: those of the folders of seeds.
    fn targets(&self) -> Result<Vec<String>, String> {
        let seeds = self.folder.join("seeds");
        let entries = fs::read_dir(&seeds)
            .map_err(|error| format!("cannot read {}: {error}", seeds.display()))?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        Ok(names)
    }

    /// Runs each, and names those that failed.
    fn run_each(&self, targets: &[String], round: &Round) -> Result<Vec<String>, String> {
        let mut failed = Vec::new();
        for target in targets {
            let begun = Instant::now();
            if let Some(report) = self.run_one(target, round)? {
                eprintln!("{report}");
                failed.push(target.clone());
            } else {
                println!("  {target:<12} {:>6.1} s", begun.elapsed().as_secs_f64());
            }
        }
        Ok(failed)
    }

    /// Runs one; what it says if it failed. The input is then in `artifacts/`.
    fn run_one(&self, target: &str, round: &Round) -> Result<Option<String>, String> {
        let corpus = round.corpus.join(target);
        let artifacts = self.target.join("artifacts").join(target);
        for folder in [&corpus, &artifacts] {
            fs::create_dir_all(folder)
                .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        }
        let program = self.target.join(&self.triple).join("release").join(target);
        let output = Command::new(&program)
            .arg(format!("-max_total_time={}", round.time.as_secs()))
            .arg(format!("-seed={}", round.seed))
            .arg(format!("-timeout={SLOWEST_INPUT}"))
            .arg(format!("-rss_limit_mb={MOST_MEMORY}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg("-print_final_stats=1")
            .arg(corpus)
            .arg(self.folder.join("seeds").join(target))
            .output()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            for line in said.lines().filter(|line| line.contains("executed_units")) {
                println!("  {target:<12} {line}");
            }
            return Ok(None);
        }
        let lines: Vec<&str> = said.lines().collect();
        let last = lines.len().saturating_sub(60);
        Ok(Some(format!(
            "{}\n{target} failed; the input is in {}",
            lines[last..].join("\n"),
            artifacts.display()
        )))
    }
}

/// What this machine is to rustc, for example `x86_64-unknown-linux-gnu`.
fn triple(root: &Path) -> Result<String, String> {
    let output = Command::new("rustc")
        .current_dir(root)
        .args(["--print", "host-tuple"])
        .output()
        .map_err(|error| format!("cannot start rustc: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
