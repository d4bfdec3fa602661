//! `walk`: resizes a photo cache step by step under constant load, and checks every answer.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use load::drive::arguments::LoadArguments;
use load::drive::{Address, View, time};
use load::interrupt;
use load::walk::{Options, Report, walk};

/// Resize a photo cache step by step under constant load, and check every answer
///
/// Stores and reads every photo once, then asks for one size after the other, waits until as many
/// nodes serve, and holds each for a while. Prints for each step what requests came to, while the
/// pool was resized and while it was steady. The pool stays at the last size.
///
/// The exit code is 0 if no request failed and no read was stale, lost or wrong, and 1 otherwise.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// Where the front-end listens, such as http://127.78.0.16:5000
    #[arg(value_name = "URL")]
    front_end: Address,

    /// The sizes of the pool, one after the other
    #[arg(long, value_delimiter = ',', value_name = "SIZES", value_parser = clap::value_parser!(u32).range(1..=8), default_value = "1,2,4,8,5,3,1")]
    steps: Vec<u32>,

    /// For how long each is held
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "20s")]
    hold: Duration,

    /// How long a resize may take
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10m")]
    patience: Duration,

    /// Afterwards put the same load on the first size for as long, with no resize, to compare hits
    #[arg(long)]
    baseline: bool,

    /// Write the table
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Write everything
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    #[command(flatten)]
    load: LoadArguments,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(report) if report.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<Report, Box<dyn Error>> {
    let options = Options {
        front_end: arguments.load.to(&arguments.front_end),
        workload: arguments.load.workload()?,
        pace: arguments.load.pace(),
        steps: arguments.steps.clone(),
        hold: arguments.hold,
        patience: arguments.patience,
        baseline: arguments.baseline,
    };
    // Before the walk, so that nothing is lost by a path that cannot be written.
    let csv = arguments.csv.as_deref().map(create).transpose()?;
    let json = arguments.json.as_deref().map(create).transpose()?;
    eprintln!(
        "{} sizes for {} s each{}; Ctrl-C ends it where it is",
        options.steps.len(),
        options.hold.as_secs_f64(),
        if options.baseline {
            ", then as long with no resize"
        } else {
            ""
        }
    );
    let report = walk(&options, &View::on_stderr(), &interrupt::listen()).await?;
    // Whoever reads no further, such as `head`, ends nothing.
    let _ = write!(std::io::stdout(), "{report}");
    if let Some(file) = csv {
        report.write_csv(&mut BufWriter::new(file))?;
    }
    if let Some(mut file) = json {
        writeln!(file, "{:#}", report.json())?;
    }
    Ok(report)
}

fn create(path: &Path) -> Result<File, String> {
    File::create(path).map_err(|error| format!("creating {}: {error}", path.display()))
}
