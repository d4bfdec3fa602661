//! `cargo xtask`: what the project does to itself. `cargo xtask ci` is every check there is.

mod ci;
mod rules;
mod text;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check: tools, format, rules, text, build, lint, test, doctest, docs
    ///
    /// A failed step does not stop the others, except those that need it. The exit code is 0 only
    /// if every step passed.
    Ci {
        /// Run only this step and what it needs; may be given several times
        #[arg(long, value_name = "STEP", value_enum)]
        only: Vec<ci::Step>,
    },
}

fn main() -> ExitCode {
    let Task::Ci { only } = Arguments::parse().task;
    match ci::run(&only) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}
