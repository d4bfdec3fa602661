//! The charts' figures, read back from a CloudWatch into which nodes have published.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};
use aws_smithy_http_client::Builder;
use jiff::Timestamp;
use localcloud::{Options, Running};
use manager::charts::readings::{Reading, Readings, State};
use manager::metrics::CloudWatch;

use crate::world::until;

const NAMESPACE: &str = "Bivouac/elastic-cache-1a2b3c4d";

fn sdk(cloud: &Running, secret: &str) -> SdkConfig {
    let root = cloud.credentials();
    let credentials = Credentials::new(&root.access_key_id, secret, None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(cloud.endpoint())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(Builder::new().build_http())
        .build()
}

/// What a node publishes in one minute, each datum twice.
async fn publish(client: &Client, instance: &str, minute: i64, items: f64, misses: f64) {
    let dimension = Dimension::builder()
        .name("InstanceId")
        .value(instance)
        .build();
    let samples = (0..12).flat_map(|sample| {
        [
            ("Lookups", 10.0),
            ("Misses", misses),
            ("Requests", 15.0),
            ("Items", items),
            ("Bytes", items * 1000.0),
        ]
        .map(|(name, value)| (sample, name, value))
    });
    let data = samples.flat_map(|(sample, name, value)| {
        [None, Some(vec![dimension.clone()])].map(|dimensions| {
            MetricDatum::builder()
                .metric_name(name)
                .set_dimensions(dimensions)
                .timestamp(DateTime::from_secs(minute + sample * 5))
                .value(value)
                .build()
        })
    });
    client
        .put_metric_data()
        .namespace(NAMESPACE)
        .set_metric_data(Some(data.collect()))
        .send()
        .await
        .unwrap();
}

/// Reads again while CloudWatch has not answered yet.
async fn read(readings: &Readings, at: Timestamp, instances: &[String]) -> Reading {
    let mut reading = readings.read(at, instances).await;
    until("an answer of CloudWatch", async || {
        if reading.state == State::Waiting {
            reading = readings.read(at, instances).await;
        }
        reading.state != State::Waiting
    })
    .await;
    reading
}

#[tokio::test]
async fn what_two_nodes_publish_is_read_as_one_pool_and_as_two_nodes() {
    let home = tempfile::tempdir().unwrap();
    let cloud = localcloud::start(Options::paper(home.path()))
        .await
        .unwrap();
    let sdk_config = sdk(&cloud, &cloud.credentials().secret_access_key);
    let client = Client::new(&sdk_config);
    let now = Timestamp::now().as_second();
    let minute = now / 60 * 60 - 600;
    publish(&client, "i-1", minute, 30.0, 1.0).await;
    publish(&client, "i-2", minute, 50.0, 4.0).await;

    let readings = Readings::new(Arc::new(CloudWatch::new(&sdk_config, NAMESPACE)));
    let instances = ["i-1", "i-2"].map(str::to_owned);
    let at = Timestamp::from_second(now).unwrap();
    let reading = read(&readings, at, &instances).await;
    assert_eq!(reading.state, State::Current);
    let pool = &reading.figures.pool;
    assert_eq!(pool.nodes(minute), Some(2.0));
    assert_eq!(pool.miss_rate(minute), Some(0.25));
    assert_eq!(pool.requests(minute), Some(360.0));
    assert_eq!(pool.items(minute), Some(80.0));
    assert_eq!(pool.bytes(minute), Some(80_000.0));
    assert_eq!(pool.items(minute + 60), None);
    let rates = reading.figures.nodes.iter();
    let rates: Vec<_> = rates.map(|(_, curves)| curves.miss_rate(minute)).collect();
    assert_eq!(rates, [Some(0.1), Some(0.4)]);
    let another = Readings::new(Arc::new(CloudWatch::new(&sdk_config, "Bivouac/another")));
    let reading = read(&another, at, &[]).await;
    assert_eq!(reading.figures.pool.nodes(minute), None);
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_refusal_is_told_by_its_code() {
    let home = tempfile::tempdir().unwrap();
    let cloud = localcloud::start(Options::paper(home.path()))
        .await
        .unwrap();
    let wrong = sdk(&cloud, "not the secret");
    let readings = Readings::new(Arc::new(CloudWatch::new(&wrong, NAMESPACE)));
    let now = Timestamp::try_from(SystemTime::now() - Duration::from_secs(1)).unwrap();
    let State::Failed(problem) = read(&readings, now, &[]).await.state else {
        panic!("a wrong signature was taken")
    };
    let expected = "could not read the metrics: SignatureDoesNotMatch: ";
    assert!(problem.starts_with(expected), "{problem}");
    cloud.shutdown().await;
}
