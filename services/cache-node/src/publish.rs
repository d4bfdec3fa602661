//! A node's figures in CloudWatch, every five seconds.
//!
//! Each datum goes out twice, with the dimension `InstanceId` and without, because CloudWatch does
//! not add up a custom metric over a dimension.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataError;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use aws_smithy_types::DateTime;
use aws_smithy_types::timeout::TimeoutConfig;
use kit::pool::{Counts, Statistics};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::machine::Machine;
use crate::node::Node;
use crate::window::STEP;

/// A call that takes longer than this is given up: the next figures are due.
const CALL_TIME: Duration = Duration::from_secs(4);

/// Publishes the figures of one node.
pub struct Publisher {
    client: Client,
    namespace: String,
    instance: Dimension,
    machine: Machine,
    published: Counts,
    trouble: Option<String>,
}

impl Publisher {
    /// Publishes in `namespace` as `instance`.
    #[must_use]
    pub fn new(client: Client, namespace: String, instance: String) -> Self {
        let instance = Dimension::builder()
            .name("InstanceId")
            .value(instance)
            .build();
        Self {
            client,
            namespace,
            instance,
            machine: Machine::new(),
            published: Counts::default(),
            trouble: None,
        }
    }

    /// Publishes every five seconds until `shutdown`. Figures that CloudWatch did not take are lost:
    /// told later, they would look like five busy seconds.
    pub async fn run(mut self, node: Arc<Node>, shutdown: CancellationToken) {
        let first = tokio::time::Instant::now() + STEP;
        let mut steps = tokio::time::interval_at(first, STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = steps.tick() => self.publish(&node.statistics(Instant::now())).await,
            }
        }
    }

    async fn publish(&mut self, statistics: &Statistics) {
        let figures = self.figures(statistics);
        self.published = statistics.total;
        let times = TimeoutConfig::builder()
            .operation_timeout(CALL_TIME)
            .build();
        let told = self
            .client
            .put_metric_data()
            .namespace(&self.namespace)
            .set_metric_data(Some(data(&figures, &self.instance, SystemTime::now())))
            .customize()
            .config_override(aws_sdk_cloudwatch::config::Builder::new().timeout_config(times))
            .send()
            .await;
        match told {
            Ok(_) => self.went_well(),
            Err(error) => self.went_wrong(&error),
        }
    }

    fn figures(&mut self, statistics: &Statistics) -> Vec<Figure> {
        let (now, before) = (statistics.total, self.published);
        let count =
            |name, now, before| Figure::new(name, StandardUnit::Count, (now - before) as f64);
        let mut figures = vec![
            count("Lookups", now.lookups, before.lookups),
            count("Hits", now.hits, before.hits),
            count("Misses", now.misses, before.misses),
            count("Requests", now.requests, before.requests),
            count("Items", statistics.items, 0),
            Figure::new("Bytes", StandardUnit::Bytes, statistics.bytes as f64),
        ];
        let percents = [
            ("Cpu", self.machine.cpu_percent()),
            ("DiskUsedPercent", self.machine.disk_percent()),
        ];
        figures.extend(
            percents
                .into_iter()
                .filter_map(|(name, value)| Some(Figure::new(name, StandardUnit::Percent, value?))),
        );
        figures
    }

    fn went_well(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!("CloudWatch takes the figures again");
        }
    }

    /// Says each cause once, until it goes well again or the cause is another.
    fn went_wrong(&mut self, error: &SdkError<PutMetricDataError>) {
        let cause = cause(error);
        if self.trouble.as_ref() != Some(&cause) {
            tracing::warn!(cause, error = %DisplayErrorContext(error), "publishing figures to CloudWatch");
            self.trouble = Some(cause);
        }
    }
}

/// AWS's error code, or the kind of failure if AWS did not answer.
fn cause(error: &SdkError<PutMetricDataError>) -> String {
    let kind = match error {
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(_) => "no connection or no credentials",
        SdkError::ServiceError(refused) => refused.err().code().unwrap_or("refused without a code"),
        _ => "an answer that cannot be read",
    };
    kind.to_owned()
}

struct Figure {
    name: &'static str,
    unit: StandardUnit,
    value: f64,
}

impl Figure {
    fn new(name: &'static str, unit: StandardUnit, value: f64) -> Self {
        Self { name, unit, value }
    }
}

fn data(figures: &[Figure], instance: &Dimension, now: SystemTime) -> Vec<MetricDatum> {
    let at = DateTime::from(now);
    figures
        .iter()
        .flat_map(|figure| [Some(instance.clone()), None].map(|dimension| (figure, dimension)))
        .map(|(figure, dimension)| {
            MetricDatum::builder()
                .metric_name(figure.name)
                .set_dimensions(dimension.map(|dimension| vec![dimension]))
                .timestamp(at)
                .unit(figure.unit.clone())
                .value(figure.value)
                .build()
        })
        .collect()
}

#[cfg(test)]
mod tests;
