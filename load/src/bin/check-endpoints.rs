//! `check-endpoints`: puts every endpoint of a running photo cache to the test.

#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use load::Token;
use load::endpoints::{Check, Options, Report, Table, Unusable, check_and_tell, summary};

/// Put every endpoint of a running photo cache to the test
///
/// Prints a table: what was tried at which endpoint, what came, and what was expected where that was
/// something else. Goes on after a failure.
/// DELETES EVERY PHOTO of the deployment, as its clients' own tests do.
///
/// The exit code is 0 if every check passed, 1 otherwise.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where the front-end listens, such as http://127.78.0.16:5000
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

    /// Where the API is closed: the token that `deploy output NAME --show-token` prints. Give it in
    /// the environment, where other users do not see it
    #[arg(long, env = "BIVOUAC_TOKEN", hide_env_values = true)]
    token: Option<Token>,

    /// Print one JSON object at the end instead of a table
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
        token: arguments.token.clone(),
        ..Options::default()
    };
    let mut table = Table::default();
    let mut tell = |check: &Check| {
        if !arguments.json {
            say(&table.row(check));
        }
    };
    let report = check_and_tell(&arguments.base, options, &mut tell).await?;
    if arguments.json {
        say(&serde_json::to_string_pretty(&report).unwrap_or_default());
        say("\n");
    } else {
        say(&summary(&report).to_string());
        say(&format!(
            "\n{} of {} checks passed\n",
            report.passed,
            report.checks.len()
        ));
    }
    Ok(report)
}

/// Prints. Whoever reads no further, such as `head`, ends nothing.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn hint(problem: &Unusable) -> Option<&'static str> {
    match problem {
        Unusable::Address(_) => None,
        Unusable::Unreachable { .. } => Some(
            "`cargo run --release -- output elastic-cache` tells the addresses of that deployment",
        ),
        Unusable::Closed { .. } => {
            Some("set BIVOUAC_TOKEN to what `deploy output NAME --show-token` prints")
        }
        Unusable::Photos { .. } => Some("add --delete-photos if they may go"),
        Unusable::Uncounted { .. } => Some(
            "name the front-end, not the manager; where listing is what fails, add --delete-photos if \
             all that is stored there may go",
        ),
    }
}
