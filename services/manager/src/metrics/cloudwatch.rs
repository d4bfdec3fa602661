//! GetMetricData (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>).

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataError;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric as Named, MetricDataQuery, MetricStat, ScanBy, StatusCode,
};
use futures::future::BoxFuture;

use super::{Metrics, MetricsError, Points, Series};
use crate::charts::Window;
use crate::reconcile::chain;

/// The most series that one call takes.
const BATCH: usize = 500;
/// Seconds of a point.
const PERIOD: i32 = 60;

/// The deployment's namespace in CloudWatch.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    client: Client,
    namespace: String,
}

impl CloudWatch {
    /// Of `namespace`.
    #[must_use]
    pub fn new(sdk: &aws_config::SdkConfig, namespace: &str) -> Self {
        Self {
            client: Client::new(sdk),
            namespace: namespace.to_owned(),
        }
    }

    async fn call(&self, series: &[Series], window: Window) -> Result<Vec<Points>, MetricsError> {
        let queries = series.iter().enumerate();
        let queries = queries.map(|(place, series)| self.query(place, series));
        let mut pages = self
            .client
            .get_metric_data()
            .start_time(DateTime::from_secs(window.start()))
            .end_time(DateTime::from_secs(window.end()))
            .scan_by(ScanBy::TimestampAscending)
            .set_metric_data_queries(Some(queries.collect()))
            .into_paginator()
            .send();
        let mut points = vec![Points::new(); series.len()];
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| MetricsError(refusal(&error)))?;
            for result in page.metric_data_results() {
                if let Some(StatusCode::Forbidden | StatusCode::InternalError) =
                    result.status_code()
                {
                    return Err(MetricsError(format!("{:?}", result.messages())));
                }
                let Some(own) = place(result.id()).and_then(|place| points.get_mut(place)) else {
                    continue;
                };
                let times = result.timestamps().iter().map(DateTime::secs);
                own.extend(times.zip(result.values().iter().copied()));
            }
        }
        Ok(points)
    }

    fn query(&self, place: usize, series: &Series) -> MetricDataQuery {
        let of_node = series.instance.as_ref();
        let dimension = of_node.map(|id| Dimension::builder().name("InstanceId").value(id).build());
        let metric = Named::builder()
            .namespace(&self.namespace)
            .metric_name(series.metric.name())
            .set_dimensions(dimension.map(|dimension| vec![dimension]))
            .build();
        let statistic = MetricStat::builder()
            .metric(metric)
            .period(PERIOD)
            .stat(series.statistic.name())
            .build();
        MetricDataQuery::builder()
            .id(format!("s{place}"))
            .metric_stat(statistic)
            .build()
    }
}

/// AWS's own words, or what kept it from saying any.
fn refusal(error: &SdkError<GetMetricDataError>) -> String {
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => chain(error),
    }
}

/// The place of a series in the question, from the id that it was given there.
fn place(id: Option<&str>) -> Option<usize> {
    id?.strip_prefix('s')?.parse().ok()
}

impl Metrics for CloudWatch {
    fn read<'a>(
        &'a self,
        series: &'a [Series],
        window: Window,
    ) -> BoxFuture<'a, Result<Vec<Points>, MetricsError>> {
        Box::pin(async move {
            let mut points = Vec::with_capacity(series.len());
            for batch in series.chunks(BATCH) {
                points.extend(self.call(batch, window).await?);
            }
            Ok(points)
        })
    }
}
