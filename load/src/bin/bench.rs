//! `bench`: what one request costs the services, beside the least that could do the same.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use load::bench::{self, Bare, BenchError, Cores, Options, Part};

/// Measure what one request costs the services on one core
///
/// Starts the programs that stand beside this one, each on a core that nobody else uses, and asks from
/// another core: a cache node beside a bare hyper server and memcached, the front-end beside a bare
/// proxy. What counts is the processor time of the server for one request. The columns `/ ours` say
/// how many times ours the other takes: 1.00 is level, more is better. Prints one table a part.
///
/// Needs taskset (util-linux) and PostgreSQL's programs; memcached has a column if it is there.
/// Nothing else should be at work on the machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,

    /// Measure this part only; may be given several times
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,

    /// How often each server takes its turn at each size; the median counts
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Milliseconds of a turn
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    turn: u32,

    /// Connections that ask at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
}

#[derive(Subcommand)]
enum Role {
    /// Be one of the bare servers
    #[command(hide = true)]
    Serve {
        #[arg(value_enum)]
        what: Bare,
        address: SocketAddr,
        behind: String,
        /// NAME=VALUE
        #[arg(value_parser = header)]
        headers: Vec<(String, String)>,
    },
}

fn header(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("a header is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match carry_out(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            if let BenchError::Start { .. } = problem {
                eprintln!("hint: `cargo build --release --workspace --bins` builds all programs");
            }
            ExitCode::FAILURE
        }
    }
}

fn carry_out(arguments: &Arguments) -> Result<(), BenchError> {
    let machine = |operation| move |source| BenchError::Machine { operation, source };
    if let Some(Role::Serve {
        what,
        address,
        behind,
        headers,
    }) = &arguments.role
    {
        let serving = bench::serve(*what, *address, behind, headers);
        return runtime()?.block_on(serving).map_err(machine("serving"));
    }
    let options = Options {
        parts: if arguments.only.is_empty() {
            Part::ALL.to_vec()
        } else {
            arguments.only.clone()
        },
        rounds: usize::from(arguments.rounds),
        turn: Duration::from_millis(arguments.turn.into()),
        connections: usize::from(arguments.connections),
        cores: Cores::divide()?,
    };
    let mut tell = |table: &bench::Table| println!("{table}");
    runtime()?.block_on(bench::run(&options, &mut tell))
}

fn runtime() -> Result<tokio::runtime::Runtime, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|source| BenchError::Machine {
        operation: "starting",
        source,
    })
}
