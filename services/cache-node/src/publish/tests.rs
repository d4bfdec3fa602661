#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_credential_types::Credentials;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::config::{BehaviorVersion, Config, Region};
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use kit::body;
use kit::health::Health;
use kit::metrics::Registry;
use kit::pool::{Configuration, Place, Policy};
use kit::reply;
use kit::server::Server;

use super::*;

/// A CloudWatch that keeps what it is sent, and refuses it when told to.
struct CloudWatch {
    client: Client,
    taken: Arc<Mutex<Vec<Bytes>>>,
    refuses: Arc<AtomicBool>,
    shutdown: CancellationToken,
}

impl Drop for CloudWatch {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn cloudwatch() -> CloudWatch {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (taken, refuses) = (
        Arc::new(Mutex::new(Vec::new())),
        Arc::new(AtomicBool::new(false)),
    );
    let (keeps, refusing) = (taken.clone(), refuses.clone());
    let handler = move |request: http::Request<body::Incoming>| {
        let (keeps, refusing) = (keeps.clone(), refusing.clone());
        async move {
            let sent = body::read_limited(request.into_body(), 1024 * 1024)
                .await
                .unwrap();
            keeps.lock().unwrap().push(sent);
            let (status, text): (_, &[u8]) = if refusing.load(Ordering::Relaxed) {
                // {"__type": "AccessDenied"}
                (StatusCode::FORBIDDEN, b"\xa1\x66__type\x6cAccessDenied")
            } else {
                (StatusCode::OK, b"\xa0")
            };
            let mut response =
                reply::with_type(status, "application/cbor", body::full(text.to_vec()));
            let protocol = HeaderValue::from_static("rpc-v2-cbor");
            response.headers_mut().insert("smithy-protocol", protocol);
            response
        }
    };
    let shutdown = CancellationToken::new();
    let server = Server::new(Health::new(), Registry::new());
    tokio::spawn(server.serve(listener, handler, shutdown.clone()));
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::for_tests())
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    CloudWatch {
        client: Client::from_conf(config),
        taken,
        refuses,
        shutdown,
    }
}

fn contains(text: &Bytes, part: &str) -> bool {
    text.windows(part.len())
        .any(|window| window == part.as_bytes())
}

fn node() -> Node {
    let now = Instant::now();
    let configuration = Configuration {
        capacity: 1000,
        policy: Policy::Lru,
    };
    let node = Node::new("i-7".to_owned(), configuration, now);
    node.adopt(
        Place {
            epoch: 1,
            position: 0,
            nodes: 1,
            lease_ms: 60_000,
            ..Place::default()
        },
        now,
    )
    .unwrap();
    node.get("k", 1, now).unwrap();
    node
}

#[tokio::test]
async fn all_figures_go_out_in_one_call() {
    let cloudwatch = cloudwatch().await;
    let mut publisher = Publisher::new(
        cloudwatch.client.clone(),
        "Bivouac/test-00000000".to_owned(),
        "i-7".to_owned(),
    );
    publisher.publish(&node().statistics(Instant::now())).await;
    assert_eq!(publisher.trouble, None);
    let taken = cloudwatch.taken.lock().unwrap();
    assert_eq!(taken.len(), 1);
    for part in [
        "Bivouac/test-00000000",
        "InstanceId",
        "i-7",
        "Lookups",
        "Hits",
        "Misses",
        "Requests",
        "Items",
        "Bytes",
        "DiskUsedPercent",
    ] {
        assert!(contains(&taken[0], part), "{part} is missing");
    }
}

#[tokio::test]
async fn a_refusal_is_remembered_by_its_cause_until_it_goes_well() {
    let cloudwatch = cloudwatch().await;
    let mut publisher = Publisher::new(
        cloudwatch.client.clone(),
        "Bivouac/test-00000000".to_owned(),
        "i-7".to_owned(),
    );
    let statistics = node().statistics(Instant::now());
    cloudwatch.refuses.store(true, Ordering::Relaxed);
    publisher.publish(&statistics).await;
    assert_eq!(publisher.trouble.as_deref(), Some("AccessDenied"));
    cloudwatch.refuses.store(false, Ordering::Relaxed);
    publisher.publish(&statistics).await;
    assert_eq!(publisher.trouble, None);
}

#[tokio::test]
async fn nobody_there_is_no_reason_to_stop() {
    let config = cloudwatch()
        .await
        .client
        .config()
        .to_builder()
        .endpoint_url("http://127.0.0.1:1")
        .build();
    let mut publisher = Publisher::new(
        Client::from_conf(config),
        "Bivouac/test-00000000".to_owned(),
        "i-7".to_owned(),
    );
    publisher.publish(&node().statistics(Instant::now())).await;
    assert_eq!(
        publisher.trouble.as_deref(),
        Some("no connection or no credentials")
    );
}

#[test]
fn counts_are_those_since_the_last_time() {
    let figures = |publisher: &mut Publisher, node: &Node| {
        let statistics = node.statistics(Instant::now());
        let figures = publisher.figures(&statistics);
        publisher.published = statistics.total;
        figures
            .iter()
            .find(|figure| figure.name == "Lookups")
            .map(|figure| figure.value)
    };
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .build();
    let mut publisher = Publisher::new(Client::from_conf(config), String::new(), String::new());
    let node = node();
    assert_eq!(figures(&mut publisher, &node), Some(1.0));
    assert_eq!(figures(&mut publisher, &node), Some(0.0));
}

#[test]
fn each_figure_goes_out_with_and_without_its_instance() {
    let instance = Dimension::builder().name("InstanceId").value("i-1").build();
    let figures = [Figure::new("Hits", StandardUnit::Count, 3.0)];
    let data = data(&figures, &instance, SystemTime::now());
    assert_eq!(data.len(), 2);
    assert_eq!(data[0].dimensions(), [instance]);
    assert!(data[1].dimensions().is_empty());
    assert!(
        data.iter()
            .all(|datum| datum.metric_name() == Some("Hits") && datum.value() == Some(3.0))
    );
}
