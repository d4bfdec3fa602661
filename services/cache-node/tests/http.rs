//! A node over real connections.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use cache_node::Settings;
use http::{Request, Response, StatusCode};
use kit::body::{self, Body};
use kit::client::Client;
use kit::pool::{EPOCH, LEASE, STORED, Statistics};
use kit::server::Drained;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

struct Node {
    address: SocketAddr,
    client: Client,
    shutdown: CancellationToken,
    running: JoinHandle<Drained>,
}

fn settings(capacity: u64) -> Settings {
    serde_json::from_value(json!({
        "instance": { "id": "i-7", "address": "127.0.0.1", "zone": "us-east-1a", "type": "t3.micro", "region": "us-east-1" },
        "namespace": "Bivouac/test-00000000",
        "cache-node": { "port": 0, "capacity": capacity, "policy": "lru" },
        "secrets": { "internal-token": TOKEN },
    }))
    .unwrap()
}

impl Node {
    /// A node that owns everything under epoch 1.
    async fn start(capacity: u64) -> Self {
        let settings = settings(capacity);
        let listener = cache_node::bind(&settings).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(cache_node::run(settings, listener, None, shutdown.clone()));
        let node = Self {
            address,
            client: Client::new(),
            shutdown,
            running,
        };
        let table = r#"{"epoch":1,"position":0,"nodes":1,"lease-ms":60000}"#;
        assert_eq!(node.call("PUT", "/table", &[], table).await.status(), 204);
        node
    }

    async fn send(&self, request: Request<Body>) -> Response<Bytes> {
        self.client
            .send(request, Duration::from_secs(10))
            .await
            .unwrap()
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        content: impl Into<Bytes>,
    ) -> Response<Bytes> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("x-bivouac-token", TOKEN);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body::full(content)).unwrap()).await
    }

    async fn get(&self, key: &str) -> Response<Bytes> {
        self.call(
            "GET",
            &format!("/entries/{key}"),
            &[("x-bivouac-epoch", "1")],
            "",
        )
        .await
    }

    async fn lease(&self, key: &str) -> String {
        let miss = self.get(key).await;
        assert_eq!(miss.status(), 404);
        miss.headers()[LEASE].to_str().unwrap().to_owned()
    }

    async fn fill(&self, key: &str, lease: &str, content: impl Into<Bytes>) -> Response<Bytes> {
        let headers = [
            ("x-bivouac-epoch", "1"),
            ("x-bivouac-lease", lease),
            ("content-type", "image/png"),
        ];
        self.call("PUT", &format!("/entries/{key}"), &headers, content)
            .await
    }

    async fn invalidate(&self, key: &str) -> StatusCode {
        let path = format!("/entries/{key}");
        let epoch = [("x-bivouac-epoch", "1")];
        self.call("DELETE", &path, &epoch, "").await.status()
    }

    async fn statistics(&self) -> Statistics {
        let answer = self.call("GET", "/statistics", &[], "").await;
        serde_json::from_slice(answer.body()).unwrap()
    }

    async fn stop(self) {
        drop(self.client);
        self.shutdown.cancel();
        assert_eq!(self.running.await.unwrap(), Drained::Clean);
    }
}

fn error(answer: &Response<Bytes>) -> String {
    let told: Value = serde_json::from_slice(answer.body()).unwrap();
    told["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_photo_is_filled_in_found_and_invalidated() {
    let node = Node::start(1_000_000).await;
    let key = "a%2Fb%20%F0%9F%93%B7";
    let lease = node.lease(key).await;
    assert_eq!(node.fill(key, &lease, "photo").await.status(), 204);
    let hit = node.get(key).await;
    assert_eq!(
        (hit.status(), hit.body().as_ref()),
        (StatusCode::OK, b"photo".as_slice())
    );
    assert_eq!(hit.headers()["content-type"], "image/png");
    assert_eq!(hit.headers()["content-length"], "5");

    let statistics = node.statistics().await;
    assert_eq!(
        (statistics.items, statistics.bytes),
        (1, 5 + "a/b 📷".len() as u64)
    );
    assert_eq!(
        (statistics.last_minute.hits, statistics.last_minute.misses),
        (1, 1)
    );

    assert_eq!(node.invalidate(key).await, 204);
    assert_eq!(node.get(key).await.status(), 404);
    node.stop().await;
}

#[tokio::test]
async fn a_fill_that_comes_after_an_invalidation_is_refused() {
    let node = Node::start(1_000_000).await;
    let lease = node.lease("k").await;
    node.invalidate("k").await;
    let late = node.fill("k", &lease, "old").await;
    assert_eq!(
        (late.status(), error(&late).as_str()),
        (StatusCode::CONFLICT, "lease-void")
    );
    let lease = node.lease("k").await;
    assert_eq!(node.call("POST", "/clear", &[], "").await.status(), 204);
    assert_eq!(node.fill("k", &lease, "old").await.status(), 409);
    node.stop().await;
}

#[tokio::test]
async fn another_epoch_is_answered_with_the_nodes_own() {
    let node = Node::start(1_000_000).await;
    let answer = node
        .call("GET", "/entries/k", &[("x-bivouac-epoch", "9")], "")
        .await;
    assert_eq!(
        (answer.status(), error(&answer).as_str()),
        (StatusCode::CONFLICT, "epoch")
    );
    assert_eq!(answer.headers()[EPOCH], "1");
    let old = r#"{"epoch":0,"position":0,"nodes":1,"lease-ms":60000}"#;
    let answer = node.call("PUT", "/table", &[], old).await;
    assert_eq!(
        (answer.status(), error(&answer).as_str()),
        (StatusCode::CONFLICT, "epoch")
    );
    node.stop().await;
}

#[tokio::test]
async fn without_a_lease_from_the_manager_nothing_is_served() {
    let node = Node::start(1_000_000).await;
    let over = r#"{"epoch":1,"position":0,"nodes":1,"lease-ms":0}"#;
    assert_eq!(node.call("PUT", "/table", &[], over).await.status(), 204);
    let answer = node.get("k").await;
    assert_eq!(
        (answer.status(), error(&answer).as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "lease")
    );
    node.stop().await;
}

#[tokio::test]
async fn a_key_of_another_node_is_told_so() {
    let node = Node::start(1_000_000).await;
    let half = r#"{"epoch":1,"position":0,"nodes":2,"lease-ms":60000}"#;
    node.call("PUT", "/table", &[], half).await;
    assert_eq!(node.get("k1").await.status(), 421);
    assert_eq!(node.get("k2").await.status(), 404);
    node.stop().await;
}

#[tokio::test]
async fn strangers_see_health_and_nothing_else() {
    let node = Node::start(1_000_000).await;
    for path in ["/entries/k", "/statistics", "/log", "/nothing"] {
        for token in ["", "0123456789abcdef0123456789abcdeg"] {
            let request = Request::get(format!("http://{}{path}", node.address))
                .header("x-bivouac-token", token)
                .header("x-bivouac-epoch", "1")
                .body(body::empty())
                .unwrap();
            let answer = node.send(request).await;
            assert_eq!(answer.status(), 401, "{path}");
            assert_eq!(answer.headers()["content-type"], "application/json");
        }
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        let request = Request::get(format!("http://{}{path}", node.address));
        assert_eq!(
            node.send(request.body(body::empty()).unwrap())
                .await
                .status(),
            200,
            "{path}"
        );
    }
    node.stop().await;
}

#[tokio::test]
async fn the_newest_lines_of_the_log_are_told() {
    let node = Node::start(1_000_000).await;
    kit::logging::tail().push(r#"{"level":"info","message":"told by a test"}"#);
    let answer = node.call("GET", "/log", &[], "").await;
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = String::from_utf8(answer.body().to_vec()).unwrap();
    assert!(text.lines().any(|line| line.contains("told by a test")));
    assert_eq!(node.call("POST", "/log", &[], "").await.status(), 405);
    node.stop().await;
}

#[tokio::test]
async fn configuration_counts_at_once() {
    let node = Node::start(1_000_000).await;
    for key in ["k1", "k2"] {
        let lease = node.lease(key).await;
        node.fill(key, &lease, vec![1; 1000]).await;
    }
    let smaller = r#"{"capacity":1500,"policy":"random"}"#;
    assert_eq!(
        node.call("PUT", "/configuration", &[], smaller)
            .await
            .status(),
        204
    );
    let statistics = node.statistics().await;
    assert_eq!(
        (statistics.items, statistics.bytes, statistics.capacity),
        (1, 1002, 1500)
    );
    for bad in [
        "",
        "{",
        r#"{"capacity":-1,"policy":"lru"}"#,
        r#"{"capacity":1,"policy":"fifo"}"#,
    ] {
        assert_eq!(
            node.call("PUT", "/configuration", &[], bad).await.status(),
            400,
            "{bad}"
        );
    }
    assert_eq!(node.statistics().await.capacity, 1500);
    node.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_is_not_stored_and_what_is_absurd_is_refused() {
    let node = Node::start(1000).await;
    let lease = node.lease("k").await;
    let answer = node.fill("k", &lease, vec![1; 1000]).await;
    assert_eq!(
        (answer.status(), answer.headers()[STORED].to_str().unwrap()),
        (StatusCode::NO_CONTENT, "no")
    );
    let lease = node.lease("k").await;
    let answer = node.fill("k", &lease, vec![1; 2000]).await;
    assert_eq!(
        (answer.status(), answer.headers()[STORED].to_str().unwrap()),
        (StatusCode::NO_CONTENT, "no")
    );
    let answer = node.fill("k", &lease, vec![1; 64 * 1024 * 1024 + 1]).await;
    assert_eq!(answer.status(), 413);
    assert_eq!(node.statistics().await.bytes, 0);
    node.stop().await;
}

#[tokio::test]
async fn bad_keys_headers_and_methods_are_refused_with_a_reason() {
    let node = Node::start(1000).await;
    let long = "x".repeat(256);
    for key in [
        "",
        "%FF",
        "%00",
        "%4",
        long.as_str(),
        "x".repeat(10_000).as_str(),
    ] {
        let answer = node.get(key).await;
        assert_eq!(answer.status(), 400, "{key}");
        assert!(error(&answer).contains("255 bytes"));
    }
    for epoch in ["", "-1", "one", "99999999999999999999"] {
        let answer = node
            .call("GET", "/entries/k", &[("x-bivouac-epoch", epoch)], "")
            .await;
        assert_eq!(answer.status(), 400, "{epoch}");
        assert!(error(&answer).contains("x-bivouac-epoch"));
    }
    assert_eq!(node.call("POST", "/entries/k", &[], "").await.status(), 405);
    assert_eq!(
        node.call("GET", "/clear", &[], "").await.headers()["allow"],
        "POST"
    );
    assert_eq!(node.call("GET", "/nothing", &[], "").await.status(), 404);
    let wrong = r#"{"epoch":2,"position":3,"nodes":2,"lease-ms":1}"#;
    assert_eq!(node.call("PUT", "/table", &[], wrong).await.status(), 400);
    node.stop().await;
}

#[tokio::test]
async fn a_fill_that_breaks_off_stores_nothing() {
    use tokio::io::AsyncWriteExt;
    let node = Node::start(1_000_000).await;
    let lease = node.lease("k").await;
    let mut stream = tokio::net::TcpStream::connect(node.address).await.unwrap();
    let head = format!(
        "PUT /entries/k HTTP/1.1\r\nhost: n\r\nx-bivouac-token: {TOKEN}\r\nx-bivouac-epoch: 1\r\n\
         x-bivouac-lease: {lease}\r\ncontent-length: 100\r\n\r\nhalf"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    assert_eq!(
        node.fill("k", &lease, "whole").await.status(),
        204,
        "the lease is still good"
    );
    assert_eq!(node.get("k").await.body().as_ref(), b"whole");
    node.stop().await;
}

/// Asks again and again until it is so.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "it never is so");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Hands everything of one node over to another.
fn order(number: u64, to: SocketAddr) -> String {
    format!(
        r#"{{"epoch":1,"revision":{number},"position":0,"nodes":1,"lease-ms":60000,
            "hand-over":{{"number":{number},"nodes":[
                {{"instance":"i-heir","address":"{to}"}}]}}}}"#
    )
}

async fn progress(node: &Node, order: &str) -> kit::pool::Progress {
    let answer = node.call("PUT", "/table", &[], order.to_owned()).await;
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(answer.body()).unwrap()
}

#[tokio::test]
async fn entries_pass_from_node_to_node_and_invalidations_with_them() {
    let (node, heir) = (Node::start(100_000).await, Node::start(100_000).await);
    for key in ["a", "b", "k%20%F0%9F%93%B7"] {
        let lease = node.lease(key).await;
        node.fill(key, &lease, format!("of {key}")).await;
    }
    let order = order(1, heir.address);
    until(async || progress(&node, &order).await.left == 0).await;
    assert_eq!(progress(&node, &order).await.moved, 3);
    // As a front-end does while the heir is not told in time.
    until(async || node.invalidate("b").await == 204).await;
    let next = r#"{"epoch":2,"position":0,"nodes":1,"lease-ms":60000,"taken":1}"#;
    assert_eq!(heir.call("PUT", "/table", &[], next).await.status(), 204);
    let epoch = [("x-bivouac-epoch", "2")];
    for (key, status) in [("a", 200), ("k%20%F0%9F%93%B7", 200), ("b", 404)] {
        let found = heir
            .call("GET", &format!("/entries/{key}"), &epoch, "")
            .await;
        assert_eq!(found.status(), status, "{key}");
        if status == 200 {
            assert_eq!(found.body(), &format!("of {key}"));
            assert_eq!(found.headers()["content-type"], "image/png");
        }
    }
    node.stop().await;
    heir.stop().await;
}

#[tokio::test]
async fn an_invalidation_is_not_acknowledged_while_the_heir_cannot_be_told() {
    let node = Node::start(100_000).await;
    let lease = node.lease("a").await;
    node.fill("a", &lease, "old").await;
    // Its port is held, and not listened on: one that is given up may be another test's node by now.
    let heir = tokio::net::TcpSocket::new_v4().unwrap();
    heir.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    progress(&node, &order(1, heir.local_addr().unwrap())).await;
    assert_eq!(node.invalidate("a").await, 503);
    assert_eq!(
        node.get("a").await.status(),
        404,
        "it is dropped all the same"
    );
    let over = r#"{"epoch":1,"revision":2,"position":0,"nodes":1,"lease-ms":60000}"#;
    assert_eq!(node.call("PUT", "/table", &[], over).await.status(), 204);
    let gone = node.invalidate("a").await;
    assert_eq!(gone, 204, "the hand-over was given up");
    node.stop().await;
}

#[tokio::test]
async fn what_is_no_entry_of_a_hand_over_is_refused() {
    let node = Node::start(1000).await;
    let marks = [("x-bivouac-life", "1"), ("x-bivouac-sequence", "1")];
    let unknown = node.call("PUT", "/handover/1/a", &marks, "x").await;
    assert_eq!(unknown.status(), 412);
    let own = unknown.headers()["x-bivouac-heir-life"].to_str().unwrap();
    let marks = [marks[0], marks[1], ("x-bivouac-heir-life", own)];
    for (method, path, headers, status) in [
        ("PUT", "/handover/1", &marks[..], 404),
        ("PUT", "/handover/x/a", &marks, 404),
        ("PUT", "/handover/-1/a", &marks, 404),
        ("PUT", "/handover/99999999999999999999/a", &marks, 404),
        ("PUT", "/handover/1/", &marks, 400),
        ("PUT", "/handover/1/%zz", &marks, 400),
        ("PUT", "/handover/1/a", &marks[..1], 400),
        ("DELETE", "/handover/1/a", &marks[1..], 400),
        (
            "PUT",
            "/handover/1/a",
            &[("x-bivouac-life", "one"), marks[1]],
            400,
        ),
        ("GET", "/handover/1/a", &marks, 405),
        ("DELETE", "/handover/1/a", &marks, 204),
        ("PUT", "/handover/1/a", &marks, 409),
        ("PUT", "/handover/1/b", &marks, 204),
        ("PUT", "/handover/0/c", &marks, 409),
    ] {
        let answer = node.call(method, path, headers, "x").await;
        assert_eq!(answer.status(), status, "{method} {path} {headers:?}");
    }
    let large = node
        .call("PUT", "/handover/1/d", &marks, vec![0; 2000])
        .await;
    assert_eq!(large.status(), 507);
    for clear in ["{", "[]", r#"{"void-through":-1}"#, r#"{"other":1}"#] {
        let answer = node.call("POST", "/clear", &[], clear).await;
        assert_eq!(answer.status(), 400, "{clear}");
    }
    let cleared = node
        .call("POST", "/clear", &[], r#"{"void-through":7}"#)
        .await;
    assert_eq!(cleared.status(), 204);
    let late = node.call("PUT", "/handover/7/a", &marks, "x").await;
    assert_eq!(late.status(), 409);
    assert_eq!(node.statistics().await.hand_over, 7);
    node.stop().await;
}
