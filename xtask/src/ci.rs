//! The steps of `cargo xtask ci`, run in order, each named and timed, with a summary at the end.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::{fuzz, rules, text, tools};

/// One named check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// What the tests need on this machine; installed where that is possible
    Tools,
    /// rustfmt
    Format,
    /// Which crate may depend on which
    Rules,
    /// Line ends of scripts and templates
    Text,
    /// Every program, because end-to-end tests run them
    Build,
    /// clippy, warnings are errors
    Lint,
    /// Unit, integration and end-to-end tests
    Test,
    /// The examples in doc comments
    Doctest,
    /// rustdoc, warnings are errors
    Docs,
    /// Some seconds of made-up inputs for everything that reads the network
    Fuzz,
}

impl Step {
    const ALL: [Self; 10] = [
        Self::Tools,
        Self::Format,
        Self::Rules,
        Self::Text,
        Self::Build,
        Self::Lint,
        Self::Test,
        Self::Doctest,
        Self::Docs,
        Self::Fuzz,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Format => "format",
            Self::Rules => "rules",
            Self::Text => "text",
            Self::Build => "build",
            Self::Lint => "lint",
            Self::Test => "test",
            Self::Doctest => "doctest",
            Self::Docs => "docs",
            Self::Fuzz => "fuzz",
        }
    }

    /// Steps without which this one would say nothing true.
    fn needs(self) -> &'static [Self] {
        match self {
            Self::Test => &[Self::Tools, Self::Build],
            _ => &[],
        }
    }

    fn run(self, root: &Path) -> Result<(), String> {
        match self {
            Self::Tools => tools::ensure(root),
            Self::Format => cargo(root, &["fmt", "--all", "--check"], &[]),
            Self::Rules => rules::check(root),
            Self::Text => text::check(root),
            // The default members, as `cargo run` selects them: nothing is compiled twice.
            Self::Build => cargo(root, &["build", "--release", "--bins"], &[]),
            Self::Lint => cargo(
                root,
                &[
                    "clippy",
                    "--release",
                    "--workspace",
                    "--all-targets",
                    "--",
                    "--deny=warnings",
                ],
                &[],
            ),
            Self::Test => cargo(
                root,
                &[
                    "test",
                    "--release",
                    "--workspace",
                    "--no-fail-fast",
                    "--lib",
                    "--bins",
                    "--tests",
                ],
                // The same cases each time: a verdict is about the change. `cargo test` by hand makes
                // up others.
                &[("PROPTEST_RNG_SEED", "1")],
            ),
            Self::Doctest => cargo(
                root,
                &[
                    "test",
                    "--release",
                    "--workspace",
                    "--no-fail-fast",
                    "--doc",
                ],
                &[],
            ),
            Self::Fuzz => fuzz::check(root),
            Self::Docs => cargo(
                root,
                &["doc", "--release", "--workspace", "--no-deps"],
                &[("RUSTDOCFLAGS", "--deny=warnings")],
            ),
        }
    }
}

enum Outcome {
    Passed(Duration),
    Failed(Duration, String),
    /// Not run, because the step named here did not pass.
    Skipped(Step),
}

/// Runs the steps asked for (all, if none is named) and prints the summary. True if all passed.
pub(crate) fn run(only: &[Step]) -> Result<bool, String> {
    let root = repository_root()?;
    let mut results: Vec<(Step, Outcome)> = Vec::new();
    for step in selected(only) {
        let outcome = match unmet(step, &results) {
            Some(needed) => Outcome::Skipped(needed),
            None => run_timed(step, &root),
        };
        results.push((step, outcome));
    }
    println!("\n{}", summary(&results));
    Ok(results
        .iter()
        .all(|(_, outcome)| matches!(outcome, Outcome::Passed(_))))
}

fn selected(only: &[Step]) -> Vec<Step> {
    let wanted = |step: &Step| {
        only.is_empty()
            || only.contains(step)
            || only.iter().any(|asked| asked.needs().contains(step))
    };
    Step::ALL.into_iter().filter(wanted).collect()
}

fn unmet(step: Step, results: &[(Step, Outcome)]) -> Option<Step> {
    results
        .iter()
        .find(|(done, outcome)| {
            step.needs().contains(done) && !matches!(outcome, Outcome::Passed(_))
        })
        .map(|(done, _)| *done)
}

fn run_timed(step: Step, root: &Path) -> Outcome {
    println!("\n── {} ──", step.name());
    let start = Instant::now();
    match step.run(root) {
        Ok(()) => Outcome::Passed(start.elapsed()),
        Err(problem) => {
            eprintln!("{problem}");
            Outcome::Failed(start.elapsed(), problem)
        }
    }
}

fn summary(results: &[(Step, Outcome)]) -> String {
    let mut lines = Vec::new();
    for (step, outcome) in results {
        let name = step.name();
        lines.push(match outcome {
            Outcome::Passed(time) => format!("  {name:<8}  passed   {:>7}", seconds(*time)),
            Outcome::Failed(time, problem) => {
                let first = problem.lines().next().unwrap_or_default();
                format!("  {name:<8}  FAILED   {:>7}  {first}", seconds(*time))
            }
            Outcome::Skipped(needed) => {
                format!("  {name:<8}  not run  {:>7}  needs {}", "", needed.name())
            }
        });
    }
    lines.join("\n")
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

pub(crate) fn repository_root() -> Result<PathBuf, String> {
    // Cargo sets it for `cargo run`, which is how this program is started.
    let own = env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .ok_or("start this program as `cargo xtask`")?;
    own.parent()
        .map(Path::to_path_buf)
        .ok_or_else(|| format!("{} has no parent folder", own.display()))
}

fn cargo(root: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Result<(), String> {
    println!("cargo {}", arguments.join(" "));
    let status = cargo_command(root)
        .args(arguments)
        .envs(variables.iter().copied())
        .status()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`cargo {}` failed", arguments.join(" ")))
    }
}

/// Cargo as the user would start it. The variables that `cargo run` sets for this program are taken
/// away: build scripts that watch them (ring's does) would otherwise be run again, and with them
/// everything above rebuilt, each time cargo is started by hand and by this program in turn.
pub(crate) fn cargo_command(root: &Path) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root);
    for (name, _) in env::vars_os() {
        let set_by_cargo_run = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if set_by_cargo_run {
            command.env_remove(name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_choice_every_step_runs_once_and_in_order() {
        assert_eq!(selected(&[]), Step::ALL);
    }

    #[test]
    fn a_chosen_step_brings_what_it_needs() {
        assert_eq!(
            selected(&[Step::Test]),
            [Step::Tools, Step::Build, Step::Test]
        );
        assert_eq!(
            selected(&[Step::Docs, Step::Format]),
            [Step::Format, Step::Docs]
        );
    }

    #[test]
    fn a_step_is_not_run_after_what_it_needs_has_failed() {
        let failed = Outcome::Failed(Duration::ZERO, "no compiler".to_owned());
        let results = [
            (Step::Tools, Outcome::Passed(Duration::ZERO)),
            (Step::Build, failed),
        ];
        assert_eq!(unmet(Step::Test, &results), Some(Step::Build));
        assert_eq!(unmet(Step::Docs, &results), None);
    }

    #[test]
    fn needs_come_before_the_step_that_needs_them() {
        let place = |step| Step::ALL.iter().position(|other| *other == step);
        for step in Step::ALL {
            for needed in step.needs() {
                assert!(
                    place(*needed) < place(step),
                    "{needed:?} must run before {step:?}"
                );
            }
        }
    }

    #[test]
    fn the_summary_names_each_step_with_its_result() {
        let results = [
            (Step::Format, Outcome::Passed(Duration::from_millis(1234))),
            (
                Step::Build,
                Outcome::Failed(Duration::from_secs(2), "broken\nmore".to_owned()),
            ),
            (Step::Test, Outcome::Skipped(Step::Build)),
        ];
        assert_eq!(
            summary(&results),
            "  format    passed     1.2 s\n  build     FAILED     2.0 s  broken\n  \
             test      not run           needs build"
        );
    }
}
