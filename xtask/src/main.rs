//! `cargo xtask`: what the project does to itself. `cargo xtask ci` is every check there is.

mod bench;
mod ci;
mod fuzz;
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
    /// Run every check: tools, format, rules, text, build, lint, test, doctest, docs, fuzz
    ///
    /// A failed step does not stop the others, except those that need it. The exit code is 0 only
    /// if every step passed.
    Ci {
        /// Run only this step and what it needs; may be given several times
        #[arg(long, value_name = "STEP", value_enum)]
        only: Vec<ci::Step>,
    },

    /// Let libFuzzer make up inputs for everything that reads the network or a blueprint
    ///
    /// What is worth keeping is kept for the next time. The exit code is 0 only if nothing failed.
    Fuzz {
        /// Targets to run, one after the other; all, if none is named
        #[arg(value_name = "TARGET")]
        targets: Vec<String>,
        /// How long each of them runs
        #[arg(long, default_value_t = 600)]
        seconds: u64,
    },

    /// Measure what one request costs the services, beside the least that could do the same
    ///
    /// Builds everything, then runs `bench` of load/. `cargo xtask bench --help` tells its options.
    #[command(disable_help_flag = true)]
    Bench {
        /// What `bench` takes
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "OPTION"
        )]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Ci { only } => ci::run(&only),
        Task::Fuzz { targets, seconds } => fuzz::run(&targets, seconds),
        Task::Bench { arguments } => bench::run(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}
