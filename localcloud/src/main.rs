//! The program `localcloud`.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use localcloud::faults::Plan;
use localcloud::guard::GuardArguments;
use localcloud::init::InitArguments;
use localcloud::rehearsal::{SessionAction, ask_session};
use localcloud::{AccountKind, MachineKind, Options, Rehearsal};

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
    /// End or start the session of a rehearsed Learner Lab that is being served
    Session(Session),
    /// Print whether this machine has what localcloud needs, as JSON; makes nothing
    Look(Look),
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
    /// Let calls of the account's own key go wrong, for example 17:after:drop,seed:42:20
    ///
    /// CALL:MOMENT:FAULT is the call with that number, attempts counted from 1; before or after it
    /// takes effect; drop (the connection is closed), silence (no answer comes), 500, throttle, or
    /// stop (no answer comes, and /_localcloud/faults tells that the caller is to be killed now).
    /// seed:SEED:OF_1000 lets so many of 1000 calls go wrong, the same ones with one seed.
    #[arg(long, value_name = "SPEC")]
    fault: Option<Plan>,
    /// Append every request with its answer, passwords too, to this file: a JSON object a line
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten)]
    rehearsal: Rehearsing,
}

/// How AWS is rehearsed.
#[derive(Args)]
struct Rehearsing {
    /// Take as long as AWS does, on a faster clock, be as late and as scarce, and refuse what it refuses
    #[arg(long)]
    rehearse: bool,
    /// Kind of account
    #[arg(long, requires = "rehearse", value_enum, default_value_t = AccountKind::Paid)]
    account: AccountKind,
    /// The same seed draws the same delays
    #[arg(long, requires = "rehearse", value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Seconds of AWS in one second here
    #[arg(long, requires = "rehearse", value_name = "X", default_value_t = 60.0, value_parser = speed)]
    speed: f64,
    /// Letter of a zone that has no room for instances; may be given again
    #[arg(long, requires = "rehearse", value_name = "LETTER")]
    full_zone: Vec<char>,
    /// AWS still verifies the account: nothing is launched
    #[arg(long, requires = "rehearse")]
    pending_verification: bool,
}

impl Rehearsing {
    fn settings(self) -> Option<Rehearsal> {
        self.rehearse.then(|| Rehearsal {
            account: self.account,
            seed: self.seed,
            speed: self.speed,
            full_zones: self.full_zone.into_iter().collect(),
            is_being_verified: self.pending_verification,
        })
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    number
        .filter(|speed| (0.1..=100_000.0).contains(speed))
        .ok_or_else(|| "use a number from 0.1 to 100000".to_owned())
}

#[derive(Args)]
struct Session {
    /// What to do with it
    #[arg(value_enum)]
    action: SessionAction,
    /// The folder that the localcloud was started with
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
}

#[derive(Args)]
struct Look {
    /// The folder that would hold all of it
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(arguments) => serve(arguments),
        Command::Session(Session { action, home }) => ask_session(&home, action)
            .map(|()| ExitCode::SUCCESS)
            .map_err(Into::into),
        Command::Look(arguments) => look(&arguments),
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
async fn look(arguments: &Look) -> Outcome {
    let fitness = localcloud::fitness::look(&arguments.home).await;
    println!("{}", serde_json::to_string(&fitness)?);
    Ok(ExitCode::SUCCESS)
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
        faults: arguments.fault,
        rehearsal: arguments.rehearsal.settings(),
        record: arguments.record,
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
