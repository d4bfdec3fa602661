//! The program `localcloud`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
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
}

#[derive(Args)]
struct Serve {
    /// Folder that holds all of it; made if it is not there
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// Only let states change; run nothing
    #[arg(long)]
    paper: bool,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(arguments) => serve(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("localcloud: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn serve(arguments: Serve) -> Outcome {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .with_writer(std::io::stderr)
        .init();
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
    })
    .await?;
    println!(
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
    Ok(())
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
