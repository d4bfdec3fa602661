//! What one request costs on one core: the services beside the least that could do their work, all in
//! one run.
//!
//! The servers run as processes of their own, one at work at a time, on one core; who asks them is on
//! another. What counts is the processor time of the server's process, user and system, divided by
//! the requests it answered: that does not depend on how fast the asking is.

mod asking;
mod backstage;
mod bare;
mod content;
mod cost;
mod database;
mod errors;
mod process;
mod rival;
mod stage;
mod table;

use std::time::Duration;

use futures::FutureExt;
use futures::future::LocalBoxFuture;

pub use bare::{Bare, serve};
pub use errors::BenchError;
pub use process::Cores;
pub use table::Table;

use cost::Cost;
use stage::{Stage, Subject};

/// The sizes of what is asked for, in bytes.
pub const SIZES: [usize; 4] = [1 << 10, 20 << 10, 100 << 10, 1 << 20];

/// A part of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// GET of a cache node, beside a bare hyper server and memcached.
    Node,
    /// `/api/key` of the front-end, beside a bare proxy that encodes base64.
    Key,
    /// `/api/upload` of the front-end, beside a bare proxy that writes to the bucket.
    Upload,
}

impl Part {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Node, Self::Key, Self::Upload];
}

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is measured.
    pub parts: Vec<Part>,
    /// How often each server takes its turn at each size; the median counts.
    pub rounds: usize,
    /// For how long it is asked at each turn.
    pub turn: Duration,
    /// Connections that ask at the same time.
    pub connections: usize,
    /// Who works where.
    pub cores: Cores,
}

/// Measures one part after the other, and tells each table as soon as it is whole.
///
/// # Errors
/// When a program is missing, or a server does not start or answers something else than it should.
pub fn run<'a>(
    options: &'a Options,
    tell: &'a mut dyn FnMut(&Table),
) -> LocalBoxFuture<'a, Result<(), BenchError>> {
    // Boxed, so that it is compiled here and not in every program and test that awaits it.
    async move {
        for part in &options.parts {
            let stage = Stage::set(*part, options.cores).await?;
            tell(&measure(&stage, options).await?);
        }
        Ok(())
    }
    .boxed_local()
}

async fn measure(stage: &Stage, options: &Options) -> Result<Table, BenchError> {
    let mut table = Table::new(stage);
    for (row, size) in SIZES.iter().enumerate() {
        for subject in &stage.subjects {
            subject.questions[row].check(subject.name).await?;
        }
        let mut costs = vec![Vec::new(); stage.subjects.len()];
        for round in 0..options.rounds {
            for place in turns(stage.subjects.len(), round) {
                costs[place].push(turn(&stage.subjects[place], row, options).await?);
            }
        }
        table.add(*size, &costs);
    }
    Ok(table)
}

/// Every other round goes backwards, so that nobody always comes after the same.
fn turns(count: usize, round: usize) -> Vec<usize> {
    let forwards = 0..count;
    if round.is_multiple_of(2) {
        forwards.collect()
    } else {
        forwards.rev().collect()
    }
}

async fn turn(subject: &Subject, row: usize, options: &Options) -> Result<Cost, BenchError> {
    let question = &subject.questions[row];
    // What is slow only once is over before it counts.
    question.ask(options.connections, options.turn / 10).await?;
    let before = subject.process.cpu_time()?;
    let asked = question.ask(options.connections, options.turn).await?;
    let cpu = subject.process.cpu_time()?.saturating_sub(before);
    Ok(Cost::of(cpu, &asked))
}
