//! The metrics in memory: series, and in each its minutes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How long minutes are kept: "Data points with a period of 60 seconds are available for 15 days."
const KEPT_MINUTES: u32 = 15 * 24 * 60;

/// What makes a metric: two with one dimension more or less are two metrics.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Series {
    pub(super) region: String,
    pub(super) namespace: String,
    pub(super) name: String,
    /// By name.
    pub(super) dimensions: BTreeMap<String, String>,
}

impl Series {
    /// All of it in one text.
    pub(super) fn key(&self) -> String {
        let dimensions = &self.dimensions;
        let text = |(name, value): (&String, &String)| format!(" {name}={value}");
        let dimensions: String = dimensions.iter().map(text).collect();
        format!(
            "{} {} {}{dimensions}",
            self.region, self.namespace, self.name
        )
    }
}

/// Whole minutes since 1970.
pub(super) type Minute = u32;

/// The minute that a time is in.
pub(super) fn minute_of(time: Timestamp) -> Minute {
    Minute::try_from(time.as_second().div_euclid(60)).unwrap_or(0)
}

/// A unit as its place in [`UNITS`].
pub(super) type Unit = u8;

/// `None` first: what a datum without a unit has.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>
pub(super) const UNITS: [&str; 27] = [
    "None",
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
];

/// The unit of that name.
pub(super) fn unit(name: &str) -> Option<Unit> {
    UNITS
        .iter()
        .position(|unit| *unit == name)
        .and_then(|place| Unit::try_from(place).ok())
}

/// The name of a unit.
pub(super) fn unit_name(unit: Unit) -> &'static str {
    UNITS.get(usize::from(unit)).copied().unwrap_or(UNITS[0])
}

/// Values added up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Statistics {
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) minimum: f64,
    pub(super) maximum: f64,
}

impl Statistics {
    /// `count` times the same value.
    pub(super) fn of(value: f64, count: f64) -> Self {
        Self {
            count,
            sum: value * count,
            minimum: value,
            maximum: value,
        }
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            minimum: self.minimum.min(other.minimum),
            maximum: self.maximum.max(other.maximum),
        }
    }
}

/// A datum that has been checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Datum {
    pub(super) series: Series,
    pub(super) minute: Minute,
    pub(super) unit: Unit,
    pub(super) statistics: Statistics,
}

/// The minutes of one series.
pub(super) type Minutes = BTreeMap<(Minute, Unit), Statistics>;

/// All series.
#[derive(Debug, Default)]
pub(super) struct Store {
    series: BTreeMap<Series, Minutes>,
}

impl Store {
    /// Adds a datum.
    pub(super) fn add(
        &mut self,
        series: &Series,
        minute: Minute,
        unit: Unit,
        statistics: Statistics,
    ) {
        let minutes = match self.series.get_mut(series) {
            Some(minutes) => minutes,
            None => self.series.entry(series.clone()).or_default(),
        };
        minutes
            .entry((minute, unit))
            .and_modify(|all| *all = all.and(statistics))
            .or_insert(statistics);
    }

    /// Forgets what is older than AWS would keep it.
    pub(super) fn prune(&mut self, now: Timestamp) {
        let oldest = minute_of(now).saturating_sub(KEPT_MINUTES);
        self.series.retain(|_, minutes| {
            *minutes = minutes.split_off(&(oldest, 0));
            !minutes.is_empty()
        });
    }

    /// The minutes of a series, none if it is not known.
    pub(super) fn minutes(&self, series: &Series) -> Option<&Minutes> {
        self.series.get(series)
    }

    /// All series in order, each with its minutes.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Series, &Minutes)> {
        self.series.iter()
    }

    /// How many minutes are kept in all.
    pub(super) fn len(&self) -> usize {
        self.series.values().map(BTreeMap::len).sum()
    }
}
