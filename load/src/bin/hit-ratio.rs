//! `hit-ratio`: what each replacement policy finds of the same trace.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use load::hit_ratio::{Experiment, run, table};

/// Compare the cache's replacement policies on one trace
///
/// Sends the same look-ups, drawn by Zipf's law, through the cache that the nodes run, with LRU, RR
/// (random) and SIEVE, and through an optimum that knows the future (Belady). What is missed is filled
/// in. Needs no deployment.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Objects there are
    #[arg(long, default_value_t = 100_000)]
    objects: u32,

    /// Look-ups; the first half fills the cache and is not counted
    #[arg(long, default_value_t = 2_000_000)]
    lookups: usize,

    /// Exponent of Zipf's law
    #[arg(long, default_value_t = 0.9)]
    skew: f64,

    /// Seed of the trace
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Capacities in percent of all bytes
    #[arg(long, value_delimiter = ',', default_values_t = [0.1, 1.0, 10.0])]
    capacity: Vec<f64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let experiment = Experiment {
        objects: arguments.objects,
        lookups: arguments.lookups,
        skew: arguments.skew,
        seed: arguments.seed,
        capacities: arguments
            .capacity
            .iter()
            .map(|percent| percent / 100.0)
            .collect(),
    };
    match run(&experiment) {
        Ok(rows) => {
            println!("{}", table(&experiment, &rows));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}
