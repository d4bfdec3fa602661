//! What a minute's samples say of the pool.

use crate::charts::Window;
use crate::metrics::{Metric, Points, SAMPLES_PER_MINUTE, Series, Statistic};

/// What is read of the pool. Hits are look-ups that are no misses: they are not paid for twice.
const OF_POOL: [(Metric, Statistic); 6] = [
    (Metric::Lookups, Statistic::Sum),
    (Metric::Misses, Statistic::Sum),
    (Metric::Requests, Statistic::Sum),
    (Metric::Items, Statistic::SampleCount),
    (Metric::Items, Statistic::Average),
    (Metric::Bytes, Statistic::Average),
];

/// The figures of the pool, and of each node if they were asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Of these minutes.
    pub window: Window,
    /// Of all nodes together.
    pub pool: Curves,
    /// Of each instance.
    pub nodes: Vec<(String, Curves)>,
}

/// What was read of the pool or of a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    lookups: Points,
    misses: Points,
    requests: Points,
    samples: Points,
    items: Points,
    bytes: Points,
}

impl Figures {
    /// Whether any node had reported by the end of this minute: before that there was no pool.
    pub(super) fn is_known_at(&self, minute: i64) -> bool {
        let first = self.pool.samples.first_key_value();
        first.is_some_and(|(first, _)| *first <= minute)
    }
}

impl Curves {
    /// The series to be read of the pool, or of a node.
    #[must_use]
    pub fn series(instance: Option<&str>) -> Vec<Series> {
        let series = OF_POOL.into_iter().map(|(metric, statistic)| Series {
            metric,
            statistic,
            instance: instance.map(str::to_owned),
        });
        series.collect()
    }

    /// Takes what was read of [`Curves::series`]; what is missing has no points.
    pub fn take(read: &mut impl Iterator<Item = Points>) -> Self {
        let mut next = || read.next().unwrap_or_default();
        Self {
            lookups: next(),
            misses: next(),
            requests: next(),
            samples: next(),
            items: next(),
            bytes: next(),
        }
    }

    /// How many nodes reported, by the samples of the minute.
    #[must_use]
    pub fn nodes(&self, minute: i64) -> Option<f64> {
        let samples = self.samples.get(&minute)?;
        Some((samples / SAMPLES_PER_MINUTE).round().max(1.0))
    }

    /// Misses of all look-ups; of none there is no rate.
    #[must_use]
    pub fn miss_rate(&self, minute: i64) -> Option<f64> {
        let lookups = self.lookups.get(&minute).filter(|count| **count > 0.0)?;
        let misses = self.misses.get(&minute)?;
        Some((misses / lookups).clamp(0.0, 1.0))
    }

    /// Hits of all look-ups.
    #[must_use]
    pub fn hit_rate(&self, minute: i64) -> Option<f64> {
        Some(1.0 - self.miss_rate(minute)?)
    }

    /// Requests in the minute.
    #[must_use]
    pub fn requests(&self, minute: i64) -> Option<f64> {
        self.requests.get(&minute).copied()
    }

    /// Entries held: every node tells twelve times a minute what it holds, so that their sum would be
    /// twelve times too much.
    #[must_use]
    pub fn items(&self, minute: i64) -> Option<f64> {
        Some(self.items.get(&minute)? * self.nodes(minute)?)
    }

    /// Bytes held, likewise.
    #[must_use]
    pub fn bytes(&self, minute: i64) -> Option<f64> {
        Some(self.bytes.get(&minute)? * self.nodes(minute)?)
    }
}
