//! What the nodes publish, as it is read back: CloudWatch for the charts.

mod cloudwatch;

use std::collections::BTreeMap;

use futures::future::BoxFuture;

pub use cloudwatch::CloudWatch;

use crate::charts::Window;

/// Samples that each node publishes in a minute.
pub const SAMPLES_PER_MINUTE: f64 = 12.0;

/// A metric, by its name in CloudWatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Reads of entries; counted over the five seconds before the sample.
    Lookups,
    /// Reads that did not find theirs; counted likewise.
    Misses,
    /// Reads, fills and invalidations; counted likewise.
    Requests,
    /// Entries held at the moment.
    Items,
    /// Bytes of their keys and values.
    Bytes,
}

/// What is made of the samples of a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statistic {
    /// All of them together.
    Sum,
    /// Their mean.
    Average,
    /// How many there were.
    SampleCount,
}

/// One line of points: a metric of the pool, or of one of its nodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// Of what.
    pub metric: Metric,
    /// How a minute is told.
    pub statistic: Statistic,
    /// The node's instance; `None` is all nodes together.
    pub instance: Option<String>,
}

/// Values by the second (since 1970) at which their minute begins; a minute without samples has none.
pub type Points = BTreeMap<i64, f64>;

/// The metrics could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not read the metrics: {0}")]
pub struct MetricsError(pub String);

/// Metrics by the minute. Each series that is asked for costs money. Tests bring their own.
pub trait Metrics: Send + Sync + 'static {
    /// The points of each series, in the order of the question.
    fn read<'a>(
        &'a self,
        series: &'a [Series],
        window: Window,
    ) -> BoxFuture<'a, Result<Vec<Points>, MetricsError>>;
}

impl Metric {
    /// Its name in CloudWatch.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lookups => "Lookups",
            Self::Misses => "Misses",
            Self::Requests => "Requests",
            Self::Items => "Items",
            Self::Bytes => "Bytes",
        }
    }
}

impl Statistic {
    /// As CloudWatch calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "Sum",
            Self::Average => "Average",
            Self::SampleCount => "SampleCount",
        }
    }
}
