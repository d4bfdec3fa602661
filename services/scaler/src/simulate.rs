//! `scaler simulate`: what the scaler would decide on a trace of load.

mod plot;
mod replay;
mod table;
mod trace;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use kit::scaling::Policy;

pub use plot::PlotError;
pub use replay::{Conditions, Tick, replay};
pub use trace::{Missing, Row, Trace, TraceError};

/// The sizes that a pool may have.
const SIZES: std::ops::RangeInclusive<u32> = 1..=8;

const TRACE: &str = "\
The trace is CSV. Its first line names the columns:

  minute    a whole number, or a full minute such as 2026-01-31T10:05:00Z;
            a minute that is left out has no figures, as when CloudWatch is away
  lookups   reads of entries in that minute, over all nodes; nothing: no figures
  misses    how many of them found nothing, whatever the size of the pool
  rate1, rate2, …, rate8
            instead of misses: which part of the lookups finds nothing at 1, 2, …
            nodes, from 0 to 1, so that each decision shows in what follows. Sizes
            that are not given are as the last that is; a line with no rates is as
            the line before
  samples   how many figures arrived, of 12 for each node; nothing, or no such
            column: all

Lines that begin with # are remarks.

  minute,lookups,rate1,rate2,rate3
  0,6000,0.71,0.30,0.08
  1,6000,,,";

/// What is simulated.
#[derive(Debug, Clone, Args)]
#[command(after_help = TRACE)]
pub struct Simulation {
    /// The trace
    #[arg(long, value_name = "FILE")]
    pub trace: PathBuf,
    /// Also draw miss rate, thresholds and size over time, as SVG
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// The pool grows above this miss rate (in a blueprint: grow-above)
    #[arg(long, value_name = "RATE", default_value_t = 0.6)]
    pub max_miss: f64,
    /// The pool shrinks below this miss rate (shrink-below)
    #[arg(long, value_name = "RATE", default_value_t = 0.2)]
    pub min_miss: f64,
    /// The factor by which it grows (expand)
    #[arg(long, value_name = "RATIO", default_value_t = 2.0)]
    pub exp_ratio: f64,
    /// The factor by which it shrinks (shrink)
    #[arg(long, value_name = "RATIO", default_value_t = 0.5)]
    pub shrink_ratio: f64,
    /// The fewest nodes
    #[arg(long, value_name = "NODES", default_value_t = 1)]
    pub min: u32,
    /// The most nodes
    #[arg(long, value_name = "NODES", default_value_t = 8)]
    pub max: u32,
    /// Nodes at the start
    #[arg(long, value_name = "NODES", default_value_t = 1)]
    pub start: u32,
    /// Minutes from a decision until the pool has its new size
    #[arg(long, value_name = "MINUTES", default_value_t = 2)]
    pub resize_minutes: u32,
}

/// Why there is no simulation.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The options do not go together.
    #[error("{0}")]
    Options(&'static str),
    /// The trace.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The picture.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The table cannot be written.
    #[error("writing the table")]
    Write(#[source] io::Error),
}

impl SimulateError {
    /// Whether options or trace are wrong, rather than the machine.
    #[must_use]
    pub const fn is_wrong_use(&self) -> bool {
        matches!(self, Self::Options(_) | Self::Trace(_))
    }
}

/// Replays the trace, writes a line for each tick and a summary to `out`, and draws the picture.
///
/// # Errors
/// When options or trace are wrong, or something cannot be written. Whoever reads may stop reading.
pub fn run(simulation: &Simulation, out: &mut impl Write) -> Result<(), SimulateError> {
    let conditions = simulation.conditions()?;
    let trace = Trace::load(&simulation.trace)?;
    let ticks = replay(&trace, &conditions);
    if let Some(path) = &simulation.plot {
        plot::draw(path, &ticks, &conditions)?;
    }
    match table::write(out, &ticks) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(SimulateError::Write),
    }
}

impl Simulation {
    fn conditions(&self) -> Result<Conditions, SimulateError> {
        let wrong = |what| Err(SimulateError::Options(what));
        if !(0.0 <= self.min_miss && self.min_miss < self.max_miss && self.max_miss <= 1.0) {
            return wrong("--min-miss must be below --max-miss, both from 0 to 1");
        }
        if !(self.exp_ratio > 1.0 && self.exp_ratio.is_finite()) {
            return wrong("--exp-ratio is a number above 1, such as 2");
        }
        if !(0.0 < self.shrink_ratio && self.shrink_ratio < 1.0) {
            return wrong("--shrink-ratio is a number between 0 and 1, such as 0.5");
        }
        let sizes = [self.min, self.start, self.max];
        if !sizes.is_sorted() || !sizes.iter().all(|size| SIZES.contains(size)) {
            return wrong("--min, --start and --max are 1 to 8, --start between the others");
        }
        if !(1..=60).contains(&self.resize_minutes) {
            return wrong("--resize-minutes is 1 to 60");
        }
        Ok(Conditions {
            policy: Policy {
                max_miss: self.max_miss,
                min_miss: self.min_miss,
                exp_ratio: self.exp_ratio,
                shrink_ratio: self.shrink_ratio,
            },
            min: self.min,
            max: self.max,
            start: self.start,
            resize_minutes: self.resize_minutes,
        })
    }
}
