//! The program `localcloud`.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use localcloud::guard::GuardArguments;
use localcloud::init::InitArguments;
use localcloud::{MachineKind, Options};

/// A small AWS for the laptop: instances are processes, databases PostgreSQL servers, buckets files.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until stopped (Ctrl-C, SIGTERM, or POST /_localcloud/shutdown)
    Serve(Serve),
    /// First process of an instance; localcloud runs it
    #[command(hide = true)]
    Init(InitArguments),
    /// Runs a program that ends with localcloud; localcloud runs it
    #[command(hide = true)]
    Guard(GuardArguments),
}

#[derive(Args)]
struct Serve {
    /// Folder that holds all of it; made if it is not there
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// Number N of the first network 127.77.N.0/24 to try, when this home has none yet
    #[arg(long, value_name = "N", default_value_t = 0)]
    first_network: u8,
    /// Only let states change; run nothing
    #[arg(long)]
    paper: bool,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(arguments) => serve(arguments),
        Command::Init(arguments) => init_or_guard(localcloud::init::run(arguments)),
        Command::Guard(arguments) => init_or_guard(localcloud::guard::run(&arguments)),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            // Not `eprintln!`, which panics where the log is on a full disk.
            let _ = writeln!(
                std::io::stderr(),
                "localcloud: {}",
                with_causes(error.as_ref())
            );
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

/// There is one of these for each instance and database: one thread each is plenty.
fn init_or_guard(run: impl Future<Output = std::io::Result<ExitCode>>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(run)?)
}

#[tokio::main]
async fn serve(arguments: Serve) -> Outcome {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "info,s3s=off".into()),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // What cannot be logged, because the disk is full, would be told on the same stream and panic.
        .log_internal_errors(false)
        .init();
    // Instances and clients together may have more connections open than the usual 1024.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it was");
    }
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let running = localcloud::start(Options {
        home: arguments.home,
        machines: if arguments.paper {
            MachineKind::Paper
        } else {
            MachineKind::Real
        },
        init_program: None,
        first_network: arguments.first_network,
    })
    .await?;
    let _ = writeln!(
        std::io::stdout(),
        "localcloud serves {} from {}",
        running.endpoint(),
        running.home().display()
    );
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = running.stopping() => {}
    }
    running.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
