//! Metrics as a test would have them.

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use manager::charts::Window;
use manager::metrics::{Metric, Metrics, MetricsError, Points, Series, Statistic};

/// Metrics that a test makes up.
#[derive(Clone, Default)]
pub(crate) struct FakeMetrics(Arc<Mutex<Published>>);

#[derive(Default)]
struct Published {
    /// A value for each series and each minute, counted back from the newest.
    value: Option<fn(&Series, i64) -> Option<f64>>,
    is_down: bool,
    reads: usize,
}

impl FakeMetrics {
    pub(crate) fn publish(&self, value: fn(&Series, i64) -> Option<f64>) {
        self.0.lock().unwrap().value = Some(value);
    }

    pub(crate) fn fail(&self, is_down: bool) {
        self.0.lock().unwrap().is_down = is_down;
    }

    /// How often they were read.
    pub(crate) fn reads(&self) -> usize {
        self.0.lock().unwrap().reads
    }
}

impl Metrics for FakeMetrics {
    fn read<'a>(
        &'a self,
        series: &'a [Series],
        window: Window,
    ) -> BoxFuture<'a, Result<Vec<Points>, MetricsError>> {
        let mut published = self.0.lock().unwrap();
        published.reads += 1;
        if published.is_down {
            let error = MetricsError("AccessDenied".to_owned());
            return Box::pin(async { Err(error) });
        }
        let value = published.value;
        let points = series.iter().map(|series| {
            let minutes = window.minutes().zip((0..Window::MINUTES).rev());
            let points = minutes.filter_map(|(minute, ago)| Some((minute, value?(series, ago)?)));
            points.collect()
        });
        let points = points.collect();
        Box::pin(async { Ok(points) })
    }
}

/// A pool that was seen by the minute: one node, then two, then four; a quarter of an hour ago nothing
/// was told for three minutes; the miss rate climbs and falls.
pub(crate) fn half_an_hour(series: &Series, ago: i64) -> Option<f64> {
    if (13..16).contains(&ago) {
        return None;
    }
    let nodes = match (ago, &series.instance) {
        (_, Some(_)) => 1.0,
        (21.., None) => 1.0,
        (9..21, None) => 2.0,
        (..9, None) => 4.0,
    };
    // No node is quite like another.
    let number = series
        .instance
        .as_ref()
        .and_then(|id| id.chars().last()?.to_digit(10));
    let shift = f64::from(number.unwrap_or_default()) / 6.0;
    let wave = (ago as f64 / 4.0 + shift).sin();
    let lookups = 1200.0 * nodes + 200.0 * wave;
    Some(match (series.metric, series.statistic) {
        (Metric::Lookups, _) => lookups,
        (Metric::Misses, _) => lookups * (0.35 + 0.3 * wave),
        (Metric::Requests, _) => lookups * 1.4,
        (_, Statistic::SampleCount) => 12.0 * nodes,
        (Metric::Items, _) => 180.0 + 20.0 * wave,
        (Metric::Bytes, _) => 24.0e6 + 4.0e6 * wave,
    })
}
