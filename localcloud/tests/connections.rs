//! Clients of the one endpoint that are many, half gone, or speak no HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use localcloud::{Options, Running};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Less than the minute after which a connection that says nothing is closed in any case.
const PATIENCE: Duration = Duration::from_secs(40);
const HEALTH: &[u8] = b"GET /_localcloud/health HTTP/1.1\r\nhost: x\r\n\r\n";

struct Cloud {
    running: Running,
    _home: tempfile::TempDir,
}

impl Cloud {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let running = localcloud::start(Options::paper(home.path()))
            .await
            .unwrap();
        Self {
            running,
            _home: home,
        }
    }

    async fn connect(&self) -> TcpStream {
        let endpoint = self.running.endpoint();
        let address = endpoint.strip_prefix("http://").unwrap();
        TcpStream::connect(address).await.unwrap()
    }

    /// All that comes for these bytes, once the client has said that there are no more.
    async fn said(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut heard = Vec::new();
        let reading = stream.read_to_end(&mut heard);
        // A reset after the answer is an end too.
        let _ = tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("the connection ends");
        String::from_utf8_lossy(&heard).into_owned()
    }
}

#[tokio::test]
async fn requests_at_once_on_a_half_closed_connection_are_answered_in_turn() {
    let cloud = Cloud::start().await;
    let heard = cloud.said(&HEALTH.repeat(10)).await;
    assert_eq!(heard.matches("HTTP/1.1 200 OK").count(), 10, "{heard}");
    cloud.running.shutdown().await;
}

/// The body that was waited with does not come, and the next request is not taken for it.
#[tokio::test]
async fn who_waits_to_be_asked_for_a_body_and_is_refused_gets_no_second_answer() {
    let cloud = Cloud::start().await;
    let waits =
        b"PUT /b/k HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n";
    let heard = cloud.said(&[&waits[..], HEALTH].concat()).await;
    assert!(heard.contains("connection: close"), "{heard}");
    assert_eq!(heard.matches("HTTP/1.1").count(), 1, "{heard}");
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_hinders_nobody() {
    let cloud = Cloud::start().await;
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(70_000));
    for (sent, status) in [
        ("hello\r\n\r\n", " 400 "),
        ("GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", " 400 "),
        (many.as_str(), " 431 "),
        (&long, " 414 "),
        // No service: S3, which wants a signature.
        ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", " 403 "),
        (
            "PUT /b HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf",
            " 400 ",
        ),
        (
            "PUT /b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            " 400 ",
        ),
    ] {
        let heard = cloud.said(sent.as_bytes()).await;
        let line = heard.lines().next().unwrap_or_default();
        assert!(line.contains(status), "{:?}: {line:?}", &sent[..20]);
    }
    assert!(cloud.said(HEALTH).await.starts_with("HTTP/1.1 200"));
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn idle_connections_hinder_nobody_and_do_not_hold_up_the_end() {
    let cloud = Cloud::start().await;
    let mut idle = Vec::new();
    for n in 0..400 {
        let mut stream = cloud.connect().await;
        if n % 2 == 0 {
            stream.write_all(b"GET / HTTP/1.1\r\nhost").await.unwrap();
        }
        idle.push(stream);
    }
    assert!(cloud.said(HEALTH).await.starts_with("HTTP/1.1 200"));
    tokio::time::timeout(PATIENCE, cloud.running.shutdown())
        .await
        .expect("it ends");
}
