//! How long requests took.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Digits to which a latency is kept.
const DIGITS: u8 = 3;
/// The longest that is told from longer ones.
const LONGEST: Duration = Duration::from_secs(3600);

/// A distribution of latencies, in microseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies(Option<Histogram<u64>>);

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half of the requests took no longer.
    pub p50: f64,
    /// 90 of 100.
    pub p90: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1000.
    #[serde(rename = "p99.9")]
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

impl Latencies {
    pub(crate) fn record(&mut self, latency: Duration) {
        let microseconds = latency.min(LONGEST).as_micros() as u64;
        if self.0.is_none() {
            // The library refuses more digits than five.
            self.0 = Histogram::new(DIGITS).ok();
        }
        if let Some(histogram) = &mut self.0 {
            // It grows as needed, and up to an hour it can.
            let _ = histogram.record(microseconds);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            // The same digits, and it grows as needed.
            (Some(histogram), Some(other)) => drop(histogram.add(other)),
            (None, Some(_)) => self.clone_from(other),
            (_, None) => {}
        }
    }

    /// `None` of no requests.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        let histogram = self.0.as_ref()?;
        let milliseconds = |microseconds: u64| microseconds as f64 / 1000.0;
        let percentile = |p| milliseconds(histogram.value_at_percentile(p));
        Some(Percentiles {
            p50: percentile(50.0),
            p90: percentile(90.0),
            p99: percentile(99.0),
            p999: percentile(99.9),
            max: milliseconds(histogram.max()),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn percentiles_are_right_to_three_digits_and_add_up() {
        assert_eq!(Latencies::default().percentiles(), None);
        let (mut odd, mut even) = (Latencies::default(), Latencies::default());
        for milliseconds in (1..=1000).step_by(2) {
            odd.record(Duration::from_millis(milliseconds));
            even.record(Duration::from_millis(milliseconds + 1));
        }
        let mut all = Latencies::default();
        all.add(&odd);
        all.add(&even);
        all.add(&Latencies::default());
        let found = all.percentiles().unwrap();
        for (found, right) in [
            (found.p50, 500.0),
            (found.p90, 900.0),
            (found.p99, 990.0),
            (found.p999, 999.0),
            (found.max, 1000.0),
        ] {
            assert!((found / right - 1.0).abs() < 0.002, "{found} for {right}");
        }
        all.record(Duration::MAX);
        assert!(all.percentiles().unwrap().max >= 3_600_000.0);
    }
}
