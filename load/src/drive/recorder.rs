//! Where requests report to: counts for the phase that runs, for the second that runs, and the first
//! violations in full.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::checker::Verdict;
use super::tally::{End, Tally};
use super::workload::Kind;

/// How many violations are kept in full.
const KEPT: usize = 20;

/// A read that returned what nobody may ever be given.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Violation {
    /// Seconds since the run began.
    pub second: f64,
    /// The key.
    pub key: String,
    /// What came, and what should have.
    pub what: String,
}

impl Violation {
    pub(super) fn of(begun: Instant, key: String, verdict: &Verdict) -> Option<Self> {
        let what = match verdict {
            Verdict::Fresh | Verdict::Absent => return None,
            Verdict::Stale { returned, newest } => {
                format!("stale: version {returned} came, and version {newest} was there before")
            }
            Verdict::Lost => "lost: nothing came, and its upload was acknowledged".to_owned(),
            Verdict::Wrong(how) => format!("wrong: {how}"),
        };
        Some(Self {
            second: begun.elapsed().as_secs_f64(),
            key,
            what,
        })
    }
}

#[derive(Debug)]
pub(super) struct Recorder(Mutex<Records>);

#[derive(Debug)]
struct Records {
    phase: Tally,
    since: Instant,
    second: Tally,
    violations: Vec<Violation>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self(Mutex::new(Records {
            phase: Tally::default(),
            since: Instant::now(),
            second: Tally::default(),
            violations: Vec::new(),
        }))
    }
}

/// What requests that ended in some time came to.
#[derive(Debug, Clone, Default)]
pub struct Phase {
    /// How long it took.
    pub time: Duration,
    /// The requests that ended in it.
    pub tally: Tally,
}

impl Recorder {
    pub(super) fn record(&self, kind: Kind, end: &End, latency: Duration) {
        let mut records = self.records();
        records.phase.record(kind, end, latency);
        records.second.record(kind, end, latency);
    }

    pub(super) fn keep(&self, violation: Violation) {
        let mut records = self.records();
        if records.violations.len() < KEPT {
            records.violations.push(violation);
        }
    }

    /// Ends a phase, and begins the next.
    pub(super) fn cut_phase(&self) -> Phase {
        let mut records = self.records();
        let now = Instant::now();
        Phase {
            time: now - std::mem::replace(&mut records.since, now),
            tally: std::mem::take(&mut records.phase),
        }
    }

    /// The same for seconds.
    pub(super) fn cut_second(&self) -> Tally {
        std::mem::take(&mut self.records().second)
    }

    pub(super) fn violations(&self) -> Vec<Violation> {
        self.records().violations.clone()
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
