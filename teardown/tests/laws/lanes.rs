//! Runs a law many times, on every core.

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use crate::paper::Paper;

/// What came of one run.
pub(crate) enum Run {
    /// The law held, wherever it was cut.
    Clean {
        /// In so many places.
        points: usize,
    },
    /// There was no such run: the one before was the last.
    Past,
}

/// What came of many runs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    clean: u64,
    broken: Vec<String>,
}

/// Failures that are told in full.
const TOLD: usize = 5;
/// What is not optimised holds whole futures on the stack.
const STACK: usize = 32 << 20;
/// No blueprint needs so many calls.
const MOST: u64 = 20_000;

/// Runs a law for each number from 1 to the last that there is, or to `last`, in so many lanes. Each
/// lane has an account of its own, which is empty again after a run that was clean.
pub(crate) fn run_each<L>(lanes: usize, last: u64, law: &L) -> Tally
where
    L: AsyncFn(&Paper, u64) -> Result<Run, String> + Sync,
{
    let next = AtomicU64::new(1);
    let last = AtomicU64::new(last);
    let tally = Mutex::new(Tally::default());
    let lane = async || {
        let mut paper = Paper::new().await;
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number > last.load(Ordering::SeqCst) {
                break;
            }
            assert!(number < MOST, "there is no end of calls");
            match law(&paper, number).await {
                Ok(Run::Clean { points }) => tally.lock().unwrap().clean += points as u64,
                Ok(Run::Past) => drop(last.fetch_min(number - 1, Ordering::SeqCst)),
                Err(why) => {
                    tally.lock().unwrap().broken.push(why);
                    paper = Paper::new().await;
                }
            }
        }
        paper.cloud.shutdown().await;
    };
    thread::scope(|scope| {
        for _ in 0..lanes {
            let work = || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                runtime.unwrap().block_on(lane());
            };
            let thread = thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, work).unwrap();
        }
    });
    tally.into_inner().unwrap()
}

/// How many lanes keep every core at work, when a run does not wait.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.clean += other.clean;
        self.broken.extend(other.broken);
    }

    /// Says how many of how many were clean, past the harness, which would keep it to itself; all
    /// have to be.
    pub(crate) fn all_clean(self, law: &str, what: &str, begun: Instant) {
        let Tally { clean, broken } = self;
        let all = clean + broken.len() as u64;
        let seconds = begun.elapsed().as_secs_f64();
        let line = format!("{law}: {clean} of {all} {what} clean, {seconds:.1} s\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        let told: Vec<&str> = broken.iter().take(TOLD).map(String::as_str).collect();
        assert!(broken.is_empty(), "{line}{}", told.join("\n"));
        assert!(all > 0, "nothing was run");
    }
}
