//! `check-endpoints`: puts every endpoint of a running photo cache to the test.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use load::endpoints::{Check, Options, Report, Unusable, check_and_tell};

/// Put every endpoint of a running photo cache to the test
///
/// Prints one line for each check: ok, or what was expected and what came. Goes on after a failure.
/// DELETES EVERY PHOTO of the deployment, as its clients' own tests do.
///
/// The exit code is 0 if every check passed, 1 otherwise.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where the front-end listens, such as http://127.77.0.16:5000
    #[arg(value_name = "URL")]
    base: String,

    /// Also walk the pool from 1 to 8 nodes and back under load
    #[arg(long)]
    with_resize: bool,

    /// Go ahead even if photos are stored there; they will be gone
    #[arg(long)]
    delete_photos: bool,

    /// Largest upload the deployment takes, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = Options::default().upload_limit)]
    upload_limit: usize,

    /// Print one JSON object at the end instead of lines
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(report) if report.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            if let Some(hint) = hint(&problem) {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<Report, Unusable> {
    let options = Options {
        with_resize: arguments.with_resize,
        delete_photos: arguments.delete_photos,
        upload_limit: arguments.upload_limit,
        ..Options::default()
    };
    let mut tell = |check: &Check| {
        if !arguments.json {
            println!("{check}");
        }
    };
    let report = check_and_tell(&arguments.base, options, &mut tell).await?;
    if arguments.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&report).unwrap_or_default()
        );
    } else {
        println!("{} of {} checks passed", report.passed, report.checks.len());
    }
    Ok(report)
}

fn hint(problem: &Unusable) -> Option<&'static str> {
    match problem {
        Unusable::Address(_) => None,
        Unusable::Unreachable { .. } => Some(
            "`cargo run --release -- output elastic-cache` tells the addresses of that deployment",
        ),
        Unusable::Photos { .. } => Some("add --delete-photos if they may go"),
    }
}
