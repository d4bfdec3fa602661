//! The pool's figures in CloudWatch, read with one call.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataError;
use aws_sdk_cloudwatch::types::{Metric, MetricDataQuery, MetricDataResult, MetricStat};
use aws_smithy_types::DateTime;
use aws_smithy_types::timeout::TimeoutConfig;
use jiff::Timestamp;

use crate::window::{MINUTE, Minute, Window, candidates};

/// A call that takes longer, its repetitions included, is given up: the next tick reads anew.
const CALL_TIME: Duration = Duration::from_secs(20);
/// What is asked for: an id for the answer, the metric, and what CloudWatch makes of its samples.
const ASKED: [(&str, &str, &str); 3] = [
    ("lookups", "Lookups", "Sum"),
    ("misses", "Misses", "Sum"),
    ("samples", "Lookups", "SampleCount"),
];

/// The way to the figures.
pub struct Figures {
    client: Client,
    namespace: String,
}

impl Figures {
    /// The figures that the nodes publish in `namespace`, without a dimension: those of the pool.
    #[must_use]
    pub fn new(client: Client, namespace: String) -> Self {
        Self { client, namespace }
    }

    /// Reads the minutes that may be judged at `now`.
    pub async fn read(&self, now: Timestamp) -> Window {
        let [newest, before] = candidates(now);
        let times = TimeoutConfig::builder()
            .operation_timeout(CALL_TIME)
            .build();
        let answer = self
            .client
            .get_metric_data()
            .start_time(DateTime::from_secs(before.as_second()))
            .end_time(DateTime::from_secs((newest + MINUTE).as_second()))
            .set_metric_data_queries(Some(ASKED.map(|asked| self.query(asked)).to_vec()))
            .customize()
            .config_override(aws_sdk_cloudwatch::config::Builder::new().timeout_config(times))
            .send()
            .await;
        match answer {
            Ok(answer) => Window::Read(minutes(answer.metric_data_results())),
            Err(error) => {
                let cause = cause(&error);
                let error = aws_sdk_cloudwatch::error::DisplayErrorContext(error);
                tracing::debug!(%error, "reading CloudWatch");
                Window::Unread(cause)
            }
        }
    }

    fn query(&self, (id, name, statistic): (&str, &str, &str)) -> MetricDataQuery {
        let metric = Metric::builder()
            .namespace(&self.namespace)
            .metric_name(name)
            .build();
        let period = i32::try_from(MINUTE.as_secs()).unwrap_or(i32::MAX);
        let figures = MetricStat::builder()
            .metric(metric)
            .period(period)
            .stat(statistic)
            .build();
        MetricDataQuery::builder()
            .id(id)
            .metric_stat(figures)
            .build()
    }
}

/// AWS's error code, or the kind of failure if AWS did not answer.
fn cause(error: &SdkError<GetMetricDataError>) -> String {
    let kind = match error {
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(_) => "no connection or no credentials",
        SdkError::ServiceError(refused) => refused.err().code().unwrap_or("refused without a code"),
        _ => "an answer that cannot be read",
    };
    kind.to_owned()
}

/// The minutes of which all three figures are known.
fn minutes(results: &[MetricDataResult]) -> Vec<Minute> {
    let mut by_start: BTreeMap<i64, BTreeMap<&str, u64>> = BTreeMap::new();
    for result in results {
        let points = result.timestamps().iter().zip(result.values());
        for (time, value) in points {
            if let (Some(id), Some(count)) = (result.id(), count(*value)) {
                by_start.entry(time.secs()).or_default().insert(id, count);
            }
        }
    }
    let minute = |(start, counts): (i64, BTreeMap<&str, u64>)| {
        Some(Minute {
            start: Timestamp::from_second(start).ok()?,
            lookups: *counts.get("lookups")?,
            misses: *counts.get("misses")?,
            samples: *counts.get("samples")?,
        })
    };
    by_start.into_iter().filter_map(minute).collect()
}

/// Counts come as floating point.
fn count(value: f64) -> Option<u64> {
    let is_count = value.is_finite() && value >= 0.0;
    is_count.then_some(value.round() as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn result(id: &str, points: &[(i64, f64)]) -> MetricDataResult {
        MetricDataResult::builder()
            .id(id)
            .set_timestamps(Some(
                points
                    .iter()
                    .map(|(at, _)| DateTime::from_secs(*at))
                    .collect(),
            ))
            .set_values(Some(points.iter().map(|(_, value)| *value).collect()))
            .build()
    }

    #[test]
    fn a_minute_counts_when_all_its_figures_are_there() {
        let results = [
            result("lookups", &[(120, 10.0), (60, 20.0), (0, 30.0)]),
            result("misses", &[(60, 4.0), (120, 3.0)]),
            result("samples", &[(120, 12.0), (60, 11.0), (0, 12.0)]),
        ];
        let starts: Vec<_> = minutes(&results)
            .iter()
            .map(|minute| (minute.start.as_second(), minute.lookups, minute.misses))
            .collect();
        assert_eq!(starts, [(60, 20, 4), (120, 10, 3)]);
    }

    #[test]
    fn what_is_no_count_is_left_out() {
        for wrong in [f64::NAN, f64::INFINITY, -1.0] {
            let results = [
                result("lookups", &[(60, wrong)]),
                result("misses", &[(60, 1.0)]),
                result("samples", &[(60, 12.0)]),
            ];
            assert_eq!(minutes(&results), []);
        }
        assert_eq!(minutes(&[]), []);
    }
}
