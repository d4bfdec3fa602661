//! What requests came to, counted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::checker::Verdict;
use super::latencies::{Latencies, Percentiles};
use super::workload::Kind;

/// How many sorts of failure are told apart.
const SORTS: usize = 40;
/// What the others are counted as.
const OTHERS: &str = "other failures";

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// An upload was acknowledged.
    Stored,
    /// A read was answered, and the checker says this.
    Read(Verdict),
    /// Answered with a refusal: the status and its message.
    Refused(String),
    /// Not answered in the time it had.
    TimedOut,
    /// The connection was refused, or broke; how.
    Disconnected(String),
    /// Never sent: as many as are allowed were waiting for an answer already.
    NotSent,
}

impl End {
    /// What went wrong, of a request that failed.
    fn failure(&self) -> Option<String> {
        match self {
            Self::Stored | Self::Read(_) => None,
            Self::Refused(message) => Some(format!("refused: {message}")),
            Self::TimedOut => Some("timed out".to_owned()),
            Self::Disconnected(how) => Some(format!("connection: {how}")),
            Self::NotSent => Some("not sent: too many were in flight".to_owned()),
        }
    }

    /// Whether the time it took is a latency. That of a request which was given up is at least as
    /// long; one that was refused did not do what others took their time for.
    fn has_latency(&self) -> bool {
        matches!(self, Self::Stored | Self::Read(_) | Self::TimedOut)
    }
}

/// What a number of requests came to.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The reads.
    pub reads: Requests,
    /// The uploads.
    pub uploads: Requests,
    /// Reads of nothing, under keys that nothing was known to be stored under.
    pub absent: u64,
    /// Reads of a version that had been replaced before the read was sent.
    pub stale: u64,
    /// Reads of nothing, where an upload had been acknowledged before.
    pub lost: u64,
    /// Reads of other bytes than anybody sent.
    pub wrong: u64,
    /// Failed requests by what happened.
    pub failures: BTreeMap<String, u64>,
}

/// Requests of one kind.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    /// Answered with what was asked for, or with nothing where nothing was to be expected.
    pub answered: u64,
    /// Refused, timed out, cut off, or not sent.
    pub failed: u64,
    latencies: Latencies,
}

/// A tally in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// All requests that were due.
    pub requests: u64,
    /// The reads among them.
    pub reads: RequestFigures,
    /// The uploads among them.
    pub uploads: RequestFigures,
    /// See [`Tally::absent`].
    pub absent: u64,
    /// See [`Tally::stale`].
    pub stale: u64,
    /// See [`Tally::lost`].
    pub lost: u64,
    /// See [`Tally::wrong`].
    pub wrong: u64,
    /// See [`Tally::failures`].
    pub failures: BTreeMap<String, u64>,
    /// Latencies of all of them, in milliseconds.
    pub milliseconds: Option<Percentiles>,
}

/// Requests of one kind in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct RequestFigures {
    /// See [`Requests::answered`].
    pub answered: u64,
    /// See [`Requests::failed`].
    pub failed: u64,
    /// Latencies in milliseconds.
    pub milliseconds: Option<Percentiles>,
}

impl Tally {
    pub(super) fn record(&mut self, kind: Kind, end: &End, latency: Duration) {
        let requests = match kind {
            Kind::Read => &mut self.reads,
            Kind::Upload => &mut self.uploads,
        };
        if end.has_latency() {
            requests.latencies.record(latency);
        }
        match end.failure() {
            None => requests.answered += 1,
            Some(failure) => {
                requests.failed += 1;
                self.count_failures(failure, 1);
            }
        }
        match end {
            End::Read(Verdict::Absent) => self.absent += 1,
            End::Read(Verdict::Stale { .. }) => self.stale += 1,
            End::Read(Verdict::Lost) => self.lost += 1,
            End::Read(Verdict::Wrong(_)) => self.wrong += 1,
            _ => {}
        }
    }

    /// Takes in what others came to.
    pub fn add(&mut self, other: &Self) {
        for (requests, others) in [
            (&mut self.reads, &other.reads),
            (&mut self.uploads, &other.uploads),
        ] {
            requests.answered += others.answered;
            requests.failed += others.failed;
            requests.latencies.add(&others.latencies);
        }
        self.absent += other.absent;
        self.stale += other.stale;
        self.lost += other.lost;
        self.wrong += other.wrong;
        for (failure, count) in &other.failures {
            self.count_failures(failure.clone(), *count);
        }
    }

    /// Messages may be as many as requests.
    fn count_failures(&mut self, failure: String, count: u64) {
        let is_full = self.failures.len() >= SORTS && !self.failures.contains_key(&failure);
        let sort = if is_full { OTHERS.to_owned() } else { failure };
        *self.failures.entry(sort).or_default() += count;
    }

    /// All requests that were due.
    #[must_use]
    pub fn requests(&self) -> u64 {
        let all = |requests: &Requests| requests.answered + requests.failed;
        all(&self.reads) + all(&self.uploads)
    }

    /// Those that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.reads.failed + self.uploads.failed
    }

    /// Answers that nobody may ever get: stale, lost or wrong ones.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.stale + self.lost + self.wrong
    }

    /// Latencies of reads and uploads together; `None` of no requests.
    #[must_use]
    pub fn percentiles(&self) -> Option<Percentiles> {
        let mut all = self.reads.latencies.clone();
        all.add(&self.uploads.latencies);
        all.percentiles()
    }

    /// In numbers.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let of = |requests: &Requests| RequestFigures {
            answered: requests.answered,
            failed: requests.failed,
            milliseconds: requests.latencies.percentiles(),
        };
        Figures {
            requests: self.requests(),
            reads: of(&self.reads),
            uploads: of(&self.uploads),
            absent: self.absent,
            stale: self.stale,
            lost: self.lost,
            wrong: self.wrong,
            failures: self.failures.clone(),
            milliseconds: self.percentiles(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const TIME: Duration = Duration::from_millis(4);

    #[test]
    fn every_request_counts_once_and_violations_besides() {
        let mut tally = Tally::default();
        let stale = Verdict::Stale {
            returned: 1,
            newest: 2,
        };
        for end in [
            End::Read(Verdict::Fresh),
            End::Read(Verdict::Absent),
            End::Read(stale),
            End::Read(Verdict::Lost),
            End::Read(Verdict::Wrong("cut".to_owned())),
            End::TimedOut,
            End::NotSent,
        ] {
            tally.record(Kind::Read, &end, TIME);
        }
        let refused = End::Refused("503 try again".to_owned());
        for end in [End::Stored, refused.clone(), refused] {
            tally.record(Kind::Upload, &end, TIME);
        }
        assert_eq!(
            (tally.requests(), tally.failed(), tally.violations()),
            (10, 4, 3)
        );
        assert_eq!((tally.reads.answered, tally.uploads.answered), (5, 1));
        assert_eq!(tally.absent, 1);
        assert_eq!(tally.failures["refused: 503 try again"], 2);
        let mut twice = tally.clone();
        twice.add(&tally);
        assert_eq!(
            (twice.requests(), twice.failed(), twice.violations()),
            (20, 8, 6)
        );
        assert_eq!(twice.failures["timed out"], 2);
    }

    #[test]
    fn failures_of_ever_new_words_are_counted_in_little_space() {
        let mut tally = Tally::default();
        for number in 0..1000 {
            let end = End::Refused(format!("500 {number}"));
            tally.record(Kind::Read, &end, TIME);
        }
        assert_eq!(tally.failures.len(), SORTS + 1);
        assert_eq!(tally.failures.values().sum::<u64>(), 1000);
        assert_eq!(tally.percentiles(), None, "a refusal has no latency");
    }
}
