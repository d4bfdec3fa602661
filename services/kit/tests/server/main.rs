//! The accept loop over real connections.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod hostile;
mod lasting;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use kit::body::{self, Body, Incoming};
use kit::client::{Client, ClientError};
use kit::health::{Check, Health};
use kit::metrics::Registry;
use kit::reply;
use kit::server::{Drained, Limits, Peer, Server};
use kit::token::Token;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Running {
    address: SocketAddr,
    ready: Check,
    release: Arc<Notify>,
    entered: Arc<Notify>,
    shutdown: CancellationToken,
    server: JoinHandle<Drained>,
}

async fn start(limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let health = Health::new();
    let ready = health.check("database");
    let shutdown = CancellationToken::new();
    let (release, entered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (waits, enters) = (release.clone(), entered.clone());
    let handler = move |request| handle(request, waits.clone(), enters.clone());
    let server = Server::new(health, Registry::new())
        .limits(limits)
        .tell_peers();
    let server = tokio::spawn(server.serve(listener, handler, shutdown.clone()));
    Running {
        address,
        ready,
        release,
        entered,
        shutdown,
        server,
    }
}

async fn handle(
    request: Request<Incoming>,
    release: Arc<Notify>,
    entered: Arc<Notify>,
) -> Response<Body> {
    match request.uri().path() {
        "/api/panic" | "/panic" => panic!("on purpose"),
        "/wait" => {
            entered.notify_one();
            release.notified().await;
            reply::json(StatusCode::OK, &"done")
        }
        "/small" => match body::read_limited(request.into_body(), 1000).await {
            Ok(bytes) => reply::json(StatusCode::OK, &bytes.len()),
            Err(error) => error.reply("/api/small"),
        },
        "/stream" => {
            let pieces = ["a", "b", "c"].map(|piece| Ok::<_, std::io::Error>(piece.into()));
            Response::new(body::stream(futures::stream::iter(pieces)))
        }
        "/nothing" => reply::empty(StatusCode::NOT_FOUND),
        "/large" => Response::new(body::full(vec![7; 32 * 1024 * 1024])),
        "/id" => {
            let id = kit::request_id::current().unwrap();
            reply::json(StatusCode::OK, id.as_str())
        }
        "/peer" => {
            let Peer(address) = request.extensions().get().copied().unwrap();
            reply::json(StatusCode::OK, &address)
        }
        path => reply::failure_at(path, StatusCode::NOT_FOUND, "no such path"),
    }
}

impl Running {
    async fn get(&self, path: &str) -> Response<bytes::Bytes> {
        let request = Request::get(format!("http://{}{path}", self.address));
        self.send(request.body(body::empty()).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> Response<bytes::Bytes> {
        Client::new()
            .send(request, Duration::from_secs(10))
            .await
            .unwrap()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Reads one answer with a content-length: its head and its body.
async fn read_answer(stream: &mut TcpStream) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head
        .split("content-length: ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    let mut content = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut content).await.unwrap();
    (head, String::from_utf8(content).unwrap())
}

#[tokio::test]
async fn a_panic_is_answered_in_the_shape_of_its_path() {
    let running = start(Limits::default()).await;
    let answer = running.get("/api/panic").await;
    assert_eq!(answer.status(), 500);
    let text = std::str::from_utf8(answer.body()).unwrap();
    assert!(
        text.starts_with(r#"{"success":"false","error":{"code":500,"#),
        "{text}"
    );
    let answer = running.get("/panic").await;
    assert!(answer.body().starts_with(br#"{"error":""#));
    let figures = running.get("/metrics").await;
    let text = std::str::from_utf8(figures.body()).unwrap();
    assert!(text.contains("http_panics_total 2\n"), "{text}");
    assert!(
        text.contains("http_requests_total{code=\"5xx\"} 2\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_request_keeps_its_id_through_services() {
    let running = start(Limits::default()).await;
    let request = Request::get(format!("http://{}/id", running.address));
    let answer = running
        .send(
            request
                .header("x-request-id", "from-outside.1")
                .body(body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(answer.body().as_ref(), br#""from-outside.1""#);
    assert_eq!(answer.headers()["x-request-id"], "from-outside.1");
    let made = running.get("/id").await;
    assert_eq!(made.headers()["x-request-id"].len(), 16);
}

#[tokio::test]
async fn readiness_follows_the_checks_and_probes_take_get_only() {
    let running = start(Limits::default()).await;
    assert_eq!(running.get("/healthz").await.status(), 200);
    assert_eq!(running.get("/readyz").await.status(), 503);
    running.ready.pass();
    assert_eq!(running.get("/readyz").await.status(), 200);
    let post = Request::post(format!("http://{}/healthz", running.address));
    assert_eq!(
        running
            .send(post.body(body::empty()).unwrap())
            .await
            .status(),
        405
    );
}

#[tokio::test]
async fn a_handler_is_told_who_asks() {
    let running = start(Limits::default()).await;
    assert_eq!(
        running.get("/peer").await.body().as_ref(),
        br#""127.0.0.1""#
    );
}

#[tokio::test]
async fn figures_can_be_for_those_with_the_token_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let token = Token::new("0123456789abcdef").unwrap();
    let server = Server::new(Health::new(), Registry::new()).metrics_for(token.clone());
    let handler = |_| async { reply::empty(StatusCode::NOT_FOUND) };
    tokio::spawn(server.serve(listener, handler, CancellationToken::new()));
    let status = async |path: &str, token: Option<&Token>| {
        let mut request = Request::get(format!("http://{address}{path}"));
        if let Some(token) = token {
            request = request.header(kit::token::HEADER, token.header_value());
        }
        let request = request.body(body::empty()).unwrap();
        let answer = Client::new().send(request, Duration::from_secs(10)).await;
        answer.unwrap().status()
    };
    assert_eq!(status("/metrics", None).await, 401);
    assert_eq!(status("/healthz", None).await, 200);
    assert_eq!(status("/metrics", Some(&token)).await, 200);
}

#[tokio::test]
async fn a_stream_comes_whole() {
    let running = start(Limits::default()).await;
    assert_eq!(running.get("/stream").await.body().as_ref(), b"abc");
}

#[tokio::test]
async fn an_announced_body_that_is_too_long_gets_413_and_the_connection_goes_on() {
    let running = start(Limits::default()).await;
    let mut stream = running.connect().await;
    let length = 100 * 1024 * 1024;
    let head = format!("POST /small HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // As Python's requests does: all of the body first, then a look at the answer.
    let piece = vec![0; 1024 * 1024];
    for _ in 0..100 {
        stream.write_all(&piece).await.unwrap();
    }
    let (head, text) = read_answer(&mut stream).await;
    assert!(head.starts_with("http/1.1 413"), "{head}");
    assert!(
        text.starts_with(r#"{"success":"false","error":{"code":413,"#),
        "{text}"
    );
    stream
        .write_all(b"GET /id HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(read_answer(&mut stream).await.0.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn a_chunked_body_that_grows_too_long_gets_413_and_the_connection_goes_on() {
    let running = start(Limits::default()).await;
    let mut stream = running.connect().await;
    let head = b"POST /small HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await.unwrap();
    for _ in 0..50 {
        stream
            .write_all(format!("400\r\n{}\r\n", "x".repeat(1024)).as_bytes())
            .await
            .unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert!(read_answer(&mut stream).await.0.starts_with("http/1.1 413"));
    stream
        .write_all(b"GET /id HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(read_answer(&mut stream).await.0.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn a_client_that_asks_before_sending_is_told_no_and_sends_nothing() {
    let running = start(Limits::default()).await;
    let mut stream = running.connect().await;
    let head =
        "POST /small HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read_answer(&mut stream).await.0.starts_with("http/1.1 413"));
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_read() {
    let running = start(Limits::default()).await;
    for (length, status) in [(0, 200), (1000, 200), (1001, 413)] {
        let request = Request::post(format!("http://{}/small", running.address));
        let answer = running
            .send(request.body(body::full(vec![1; length])).unwrap())
            .await;
        assert_eq!(answer.status(), status, "{length} bytes");
    }
}

#[tokio::test]
async fn slow_heads_and_stalled_bodies_are_cut_off() {
    let limits = Limits {
        head: Duration::from_millis(50),
        stall: Duration::from_millis(200),
        ..Limits::default()
    };
    let running = start(limits).await;
    for sent in [
        "",
        "GET / HTTP/1.1\r\n",
        "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\n",
        "POST /small HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf",
    ] {
        let mut stream = running.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest));
        assert!(ended.await.is_ok(), "still open after {sent:?}");
    }
}

#[tokio::test]
async fn while_all_connections_are_busy_one_more_waits_its_turn() {
    let running = start(Limits {
        connections: 1,
        ..Limits::default()
    })
    .await;
    let mut first = running.connect().await;
    first
        .write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    running.entered.notified().await;
    let mut second = running.connect().await;
    second
        .write_all(b"GET /id HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let early = tokio::time::timeout(Duration::from_millis(50), second.read_u8()).await;
    assert!(early.is_err(), "the second is answered beside the first");
    running.release.notify_one();
    read_answer(&mut first).await;
    drop(first);
    assert!(read_answer(&mut second).await.0.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_end() {
    let running = start(Limits::default()).await;
    let request = Request::get(format!("http://{}/wait", running.address));
    let answer = tokio::spawn(async move {
        Client::new()
            .send(
                request.body(body::empty()).unwrap(),
                Duration::from_secs(10),
            )
            .await
    });
    running.entered.notified().await;
    let _idle = running.connect().await;
    running.shutdown.cancel();
    let closed = async {
        while TcpStream::connect(running.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), closed)
        .await
        .expect("the door is closed first");
    running.release.notify_one();
    assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    assert_eq!(running.server.await.unwrap(), Drained::Clean);
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_off_and_counted() {
    let running = start(Limits {
        drain: Duration::from_millis(20),
        ..Limits::default()
    })
    .await;
    let request = Request::get(format!("http://{}/wait", running.address));
    let answer = tokio::spawn(async move {
        Client::new()
            .send(
                request.body(body::empty()).unwrap(),
                Duration::from_secs(10),
            )
            .await
    });
    running.entered.notified().await;
    running.shutdown.cancel();
    assert_eq!(running.server.await.unwrap(), Drained::Deadline { cut: 1 });
    assert!(matches!(
        answer.await.unwrap(),
        Err(ClientError::Exchange { .. })
    ));
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_and_a_closed_port_is_told_apart() {
    let running = start(Limits::default()).await;
    let request = Request::get(format!("http://{}/wait", running.address));
    let error = Client::new()
        .send(
            request.body(body::empty()).unwrap(),
            Duration::from_millis(20),
        )
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Deadline { .. }), "{error}");
    // Held, and not listened on: a port that is given up may be another test's by now.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let request = Request::get(format!("http://{}/", closed.local_addr().unwrap()))
        .body(body::empty())
        .unwrap();
    let error = Client::new()
        .send(request, Duration::from_secs(1))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Connect { .. }), "{error}");
}
