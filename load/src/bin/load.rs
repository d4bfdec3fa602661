//! `load`: puts load on a running photo cache, and checks every answer.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use load::drive::arguments::LoadArguments;
use load::drive::{Address, Options, Report, View, run, time, write_csv};
use load::interrupt;

/// Put load on a running photo cache, and check every answer
///
/// Each photo says which key and version it is, so that every read is checked against what was
/// acknowledged before it was sent: STALE is an older version, LOST is nothing at all, WRONG is bytes
/// that nobody sent. Latency counts from when a request was due.
///
/// Photos are stored under load-0, load-1 and so on, and stay there.
///
/// The exit code is 0 if no read was stale, lost or wrong, and 1 otherwise.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    /// Where the front-end listens, such as http://127.78.0.16:5000
    #[arg(value_name = "URL")]
    address: Address,

    /// For how long; Ctrl-C ends it sooner
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s")]
    duration: Duration,

    /// Upload a photo under every key first
    #[arg(long)]
    prepare: bool,

    /// Read every key once more at the end
    #[arg(long)]
    verify: bool,

    /// End with exit code 1 too if more requests than this failed
    #[arg(long, value_name = "NUMBER")]
    max_failures: Option<u64>,

    /// Write the run second by second
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Write everything
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    #[command(flatten)]
    load: LoadArguments,
}

const EXAMPLES: &str = "\
Examples:
  load http://127.78.0.16:5000 --prepare --verify
  load http://127.78.0.16:5000 --rate 500 --duration 5m --csv run.csv
  load http://127.78.0.16:5000 --clients 64 --keys 1 --size 2KiB-200KiB";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match drive(&arguments).await {
        Ok(report) if report.is_good(arguments.max_failures) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn drive(arguments: &Arguments) -> Result<Report, Box<dyn Error>> {
    let options = Options {
        address: arguments.load.to(&arguments.address),
        workload: arguments.load.workload()?,
        pace: arguments.load.pace(),
        duration: arguments.duration,
        prepare: arguments.prepare,
        verify: arguments.verify,
    };
    // Before the run, so that nothing is lost by a path that cannot be written.
    let csv = arguments.csv.as_deref().map(create).transpose()?;
    let json = arguments.json.as_deref().map(create).transpose()?;
    let report = run(&options, &mut View::on_stderr(), &interrupt::listen()).await?;
    // Whoever reads no further, such as `head`, ends nothing.
    let _ = write!(std::io::stdout(), "{report}");
    if let Some(file) = csv {
        write_csv(&report.seconds, &mut BufWriter::new(file))?;
    }
    if let Some(mut file) = json {
        file.write_all(report.json()?.as_bytes())?;
    }
    Ok(report)
}

fn create(path: &Path) -> Result<File, String> {
    File::create(path).map_err(|error| format!("creating {}: {error}", path.display()))
}
