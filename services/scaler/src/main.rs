//! The program `scaler`: started by `boot` on the manager's instance; `scaler simulate` replays a
//! trace instead.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use scaler::Error;
use scaler::settings::Settings;
use scaler::simulate::{self, Simulation};

/// Decides how many nodes the pool has. Without a command: once a minute, as the settings say.
#[derive(Parser)]
#[command(name = "scaler", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Replays a trace of load through the scaler and shows its decisions
    Simulate(Simulation),
}

/// As `deploy` ends when the command line, or what it names, is wrong.
const WRONG_USE: u8 = 64;

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => match arguments.command {
            Some(Command::Simulate(simulation)) => simulate(&simulation),
            None => serve(),
        },
        Err(error) => {
            // A closed pipe is no reason to fail.
            let _ = error.print();
            let is_help = !error.use_stderr();
            if is_help {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(WRONG_USE)
            }
        }
    }
}

fn simulate(simulation: &Simulation) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match simulate::run(simulation, &mut out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", kit::logging::chain(&error));
            if error.is_wrong_use() {
                ExitCode::from(WRONG_USE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn serve() -> ExitCode {
    kit::logging::init("scaler");
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("cannot run: {}", kit::logging::chain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<(), Error> {
    let settings: Settings = kit::settings::load()?;
    let shutdown = kit::shutdown::signal().map_err(Error::Signals)?;
    let sdk = kit::aws::sdk_config(&settings.instance.region).await;
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&sdk);
    tracing::info!(tick_ms = settings.scaler.tick_ms, "deciding");
    scaler::run(settings, cloudwatch, shutdown).await;
    Ok(())
}
