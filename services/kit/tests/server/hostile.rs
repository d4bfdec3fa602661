//! Clients that are slow, many, half gone, or speak no HTTP.

use std::time::Duration;

use kit::server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Running, read_answer, start};

const SOON: Duration = Duration::from_secs(10);
const GET: &[u8] = b"GET /id HTTP/1.1\r\nhost: x\r\n\r\n";

/// All that comes until the server closes.
async fn heard(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    // A reset after the answer is an end too.
    let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut heard))
        .await
        .expect("the connection ends");
    String::from_utf8_lossy(&heard).into_owned()
}

async fn said_to(running: &Running, bytes: &[u8]) -> String {
    let mut stream = running.connect().await;
    stream.write_all(bytes).await.unwrap();
    heard(&mut stream).await
}

/// The contract's failure with that status, and nothing after it.
fn is_failure(answer: &str, status: u16) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let shape = format!(r#"{{"success":"false","error":{{"code":{status},"message":""#);
    let length = format!("content-length: {}\r\n", body.len());
    head.starts_with(&format!("HTTP/1.1 {status} "))
        && head.contains("content-type: application/json\r\n")
        && format!("{head}\r\n").contains(&length)
        && body.starts_with(&shape)
        && body.ends_with("}}")
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_the_contracts_shape() {
    let running = start(Limits::default()).await;
    let long = format!("POST /api/key/{} HTTP/1.1\r\n\r\n", "x".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
    let huge = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(1024 * 1024));
    for (sent, status) in [
        (long.as_str(), 414),
        (&many, 431),
        (&huge, 431),
        ("hello\r\n\r\n", 400),
        ("\0\u{1}\u{2}\r\n\r\n", 400),
        ("GET /api/é HTTP/1.1\r\nhost x\r\n\r\n", 400),
        ("GET / HTTP/7.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\na\u{1}b: c\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\ncontent-length: 1x\r\n\r\n", 400),
        (
            "GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            400,
        ),
        ("GET / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", 400),
    ] {
        let answer = said_to(&running, sent.as_bytes()).await;
        let sent: String = sent.chars().take(40).collect();
        assert!(is_failure(&answer, status), "{sent:?}: {answer:?}");
    }
    assert_eq!(running.get("/id").await.status(), 200);
}

#[tokio::test]
async fn a_failure_of_ours_is_sent_as_it_is() {
    let running = start(Limits::default()).await;
    for _ in 0..2 {
        let answer = running.get("/nothing").await;
        assert_eq!((answer.status().as_u16(), answer.body().len()), (404, 0));
        assert!(answer.headers().contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn a_refusal_after_an_answer_leaves_the_answer_as_it_was() {
    let running = start(Limits::default()).await;
    let mut stream = running.connect().await;
    stream.write_all(GET).await.unwrap();
    let (head, _) = read_answer(&mut stream).await;
    assert!(head.starts_with("http/1.1 200"));
    stream.write_all(b"what?\r\n\r\n").await.unwrap();
    assert!(is_failure(&heard(&mut stream).await, 400));
    // Both at once: the answer stays whole, whatever becomes of the refusal.
    let both = [GET, b"what?\r\n\r\n"].concat();
    let answer = said_to(&running, &both).await;
    let (first, second) = answer.split_at(answer.find("HTTP/1.1 400").unwrap());
    assert!(
        first.starts_with("HTTP/1.1 200") && first.ends_with('"'),
        "{first:?}"
    );
    assert!(second.starts_with("HTTP/1.1 400"), "{second:?}");
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_turn() {
    let running = start(Limits::default()).await;
    let mut stream = running.connect().await;
    let requests: String = (0..20)
        .map(|n| format!("GET /id HTTP/1.1\r\nhost: x\r\nx-request-id: r{n}\r\n\r\n"))
        .collect();
    stream.write_all(requests.as_bytes()).await.unwrap();
    for n in 0..20 {
        assert_eq!(read_answer(&mut stream).await.1, format!("\"r{n}\""));
    }
}

#[tokio::test]
async fn a_client_that_has_said_its_all_is_answered() {
    let running = start(Limits::default()).await;
    for request in [
        GET.to_vec(),
        b"POST /small HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody".to_vec(),
    ] {
        let mut stream = running.connect().await;
        stream.write_all(&request).await.unwrap();
        stream.shutdown().await.unwrap();
        assert!(heard(&mut stream).await.starts_with("HTTP/1.1 200"));
    }
    // One that stops half way is not waited for.
    let mut stream = running.connect().await;
    let half = b"POST /small HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf";
    stream.write_all(half).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = heard(&mut stream).await;
    assert!(answer.is_empty() || is_failure(&answer, 400), "{answer:?}");
}

#[tokio::test]
async fn old_and_odd_forms_of_a_request_are_served() {
    let running = start(Limits::default()).await;
    let odd: [&[u8]; 6] = [
        b"GET /id HTTP/1.0\r\n\r\n",
        b"GET /id HTTP/1.1\r\nconnection: close\r\n\r\n",
        b"GET http://elsewhere:80/id HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"\r\n\r\nGET /id HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET /id HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: h2c, websocket\r\nhttp2-settings: x\r\n\r\n",
        b"GET /id?a#b HTTP/1.1\nhost: x\nconnection: close\n\n",
    ];
    for request in odd {
        let answer = said_to(&running, request).await;
        let request = String::from_utf8_lossy(request);
        assert!(answer.contains(" 200 OK\r\n"), "{request:?}: {answer:?}");
    }
    for (request, status) in [
        (
            "CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            " 404 ",
        ),
        (
            "OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            " 404 ",
        ),
    ] {
        let answer = said_to(&running, request.as_bytes()).await;
        assert!(answer.contains(status), "{request:?}: {answer:?}");
    }
    let preface = said_to(&running, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(
        preface.is_empty() || is_failure(&preface, 400),
        "{preface:?}"
    );
}

#[tokio::test]
async fn bodies_in_broken_chunks_are_refused() {
    let running = start(Limits::default()).await;
    let head = "POST /small HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    for chunks in [
        "zz\r\nx\r\n0\r\n\r\n",
        "-1\r\nx\r\n",
        "5\r\nabcdefgh\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nx",
        "4\r\nabcdXX0\r\n\r\n",
    ] {
        let answer = said_to(&running, format!("{head}{chunks}").as_bytes()).await;
        assert!(is_failure_among(&answer, 400), "{chunks:?}: {answer:?}");
    }
}

fn is_failure_among(answer: &str, status: u16) -> bool {
    answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains("\"success\":\"false\"")
}

#[tokio::test]
async fn a_body_without_end_is_not_read_without_end() {
    let running = start(Limits::default()).await;
    let mut stream = running.connect().await;
    let head = b"POST /small HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut chunk = b"100000\r\n".to_vec();
    chunk.resize(8 + 1024 * 1024, b'x');
    chunk.extend_from_slice(b"\r\n");
    let mut sent = 0;
    while sent < 2048 && stream.write_all(&chunk).await.is_ok() {
        sent += 1;
    }
    assert!(
        sent < 2048,
        "2 GiB were read of a body that may have 1000 bytes"
    );
    assert_eq!(running.get("/id").await.status(), 200);
}

#[tokio::test]
async fn a_slow_head_a_dripping_body_and_a_slow_reader_are_cut_off() {
    let running = start(Limits {
        head: Duration::from_millis(100),
        stall: Duration::from_millis(300),
        ..Limits::default()
    })
    .await;
    let drip = async |head: &str| {
        let mut stream = running.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let dripping = async {
            while stream.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(SOON, dripping)
            .await
            .unwrap_or_else(|_| panic!("still taken: {head:?}"));
    };
    let body = "POST /small HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n";
    tokio::join!(drip("GET / HTTP/1.1\r\na: "), drip(body));

    let mut stream = running.connect().await;
    stream
        .write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut read = 0;
    let reading = async {
        let mut space = [0; 100];
        while let Ok(count @ 1..) = stream.read(&mut space).await {
            read += count;
            tokio::time::sleep(Duration::from_millis(20)).await;
            if read > 2_000 {
                break; // The rest of what the system holds for us.
            }
        }
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        read + rest.len()
    };
    let read = tokio::time::timeout(SOON, reading).await.unwrap();
    assert!(read < 32 * 1024 * 1024, "all of it was waited for");
}

#[tokio::test]
async fn a_thousand_idle_connections_hinder_nobody() {
    kit::open_files::raise();
    let running = start(Limits::default()).await;
    let mut idle = Vec::new();
    for n in 0..1000 {
        let mut stream = running.connect().await;
        // Some have said nothing, some half a head, some had an answer.
        match n % 3 {
            0 => {}
            1 => stream.write_all(b"GET / HTTP/1.1\r\na").await.unwrap(),
            _ => {
                stream.write_all(GET).await.unwrap();
                read_answer(&mut stream).await;
            }
        }
        idle.push(stream);
    }
    for _ in 0..10 {
        assert_eq!(running.get("/id").await.status(), 200);
    }
}

#[tokio::test]
async fn idle_connections_make_room_when_there_are_too_many() {
    let running = start(Limits {
        connections: 8,
        ..Limits::default()
    })
    .await;
    let mut busy = running.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    running.entered.notified().await;
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(running.connect().await);
        let mut stream = running.connect().await;
        stream.write_all(GET).await.unwrap();
        assert!(read_answer(&mut stream).await.0.starts_with("http/1.1 200"));
        idle.push(stream);
    }
    running.release.notify_one();
    assert!(read_answer(&mut busy).await.0.starts_with("http/1.1 200"));
}
