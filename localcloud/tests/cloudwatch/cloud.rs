//! A localcloud, a client of its CloudWatch, and what is put there and asked for.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::{BehaviorVersion, Region};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDatum, MetricStat};
use aws_smithy_http_client::tls;
use localcloud::{Options, Running};

pub(crate) fn client(running: &Running, region: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https();
    let root = running.credentials();
    let config = aws_sdk_cloudwatch::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(running.endpoint())
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new(
            &root.access_key_id,
            &root.secret_access_key,
            None,
            None,
            "test",
        ))
        .http_client(http)
        .retry_config(aws_sdk_cloudwatch::config::retry::RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

pub(crate) async fn cloud(home: &std::path::Path) -> (Running, Client) {
    let running = localcloud::start(Options::paper(home)).await.unwrap();
    let client = client(&running, "us-east-1");
    (running, client)
}

/// Tells the beginning of the minute so many minutes before this one, in seconds since 1970. "This
/// one" stays what it is, also when another has begun in the middle of a test.
pub(crate) fn minutes() -> impl Fn(i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let this = i64::try_from(now.as_secs()).unwrap() / 60;
    move |ago| (this - ago) * 60
}

pub(crate) fn dimension(name: &str, value: &str) -> Dimension {
    Dimension::builder().name(name).value(value).build()
}

pub(crate) fn datum(
    name: &str,
    at: i64,
) -> aws_sdk_cloudwatch::types::builders::MetricDatumBuilder {
    MetricDatum::builder()
        .metric_name(name)
        .timestamp(DateTime::from_secs(at))
}

pub(crate) async fn put(client: &Client, data: Vec<MetricDatum>) {
    client
        .put_metric_data()
        .namespace("Bivouac/x")
        .set_metric_data(Some(data))
        .send()
        .await
        .unwrap();
}

pub(crate) fn ask(
    id: &str,
    name: &str,
    stat: &str,
    period: i32,
    dimensions: Vec<Dimension>,
) -> MetricDataQuery {
    let metric = Metric::builder()
        .namespace("Bivouac/x")
        .metric_name(name)
        .set_dimensions(Some(dimensions))
        .build();
    let stat = MetricStat::builder()
        .metric(metric)
        .period(period)
        .stat(stat)
        .build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}
