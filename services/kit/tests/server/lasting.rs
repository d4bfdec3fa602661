//! Answers that last, with long silences in them.

use std::time::Duration;

use futures::{StreamExt, stream};
use http::Request;
use kit::body::Incoming;
use kit::events::Listeners;
use kit::health::Health;
use kit::metrics::Registry;
use kit::server::{Drained, Limits, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(60);

/// A server that tells everybody of the newest value.
struct Telling {
    address: std::net::SocketAddr,
    value: watch::Sender<String>,
    shutdown: CancellationToken,
    server: JoinHandle<Drained>,
}

async fn telling(limits: Limits, most: usize, heartbeat: Duration) -> Telling {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let value = watch::Sender::new("first".to_owned());
    let listeners = Listeners::new(most, shutdown.clone()).heartbeat(heartbeat);
    let told = value.clone();
    let handler = move |_: Request<Incoming>| {
        let answer = listeners.answer(newest(told.subscribe()));
        async move { answer }
    };
    let server = Server::new(Health::new(), Registry::new()).limits(limits);
    let server = tokio::spawn(server.serve(listener, handler, shutdown.clone()));
    Telling {
        address,
        value,
        shutdown,
        server,
    }
}

fn newest(told: watch::Receiver<String>) -> impl futures::Stream<Item = String> + Send {
    stream::unfold((told, true), |(mut told, is_first)| async move {
        if !is_first {
            told.changed().await.ok()?;
        }
        let value = told.borrow_and_update().clone();
        Some((value, (told, false)))
    })
}

impl Telling {
    async fn listen(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        stream
    }

    /// How many listen, once that is so.
    async fn until_listening(&self, count: usize) {
        let all_heard = async {
            while self.value.receiver_count() != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(SOON, all_heard).await;
        assert!(waited.is_ok(), "{} listen", self.value.receiver_count());
    }
}

/// Reads until `text` has come, and perhaps some more.
async fn hears(stream: &mut TcpStream, text: &str) {
    let mut heard = Vec::new();
    let hearing = async {
        let mut space = vec![0; 1 << 16];
        loop {
            let count = stream.read(&mut space).await.unwrap_or_default();
            assert_ne!(count, 0, "the end before {text:?}");
            let seen = heard.len().saturating_sub(text.len());
            heard.extend_from_slice(&space[..count]);
            if String::from_utf8_lossy(&heard[seen..]).contains(text) {
                return;
            }
        }
    };
    let waited = tokio::time::timeout(SOON, hearing).await;
    assert!(waited.is_ok(), "{text:?} did not come");
}

#[tokio::test]
async fn many_hear_of_every_change_at_once() {
    let telling = telling(Limits::default(), 100, SOON).await;
    let mut listening = Vec::new();
    for _ in 0..100 {
        listening.push(telling.listen().await);
    }
    for stream in &mut listening {
        hears(stream, "data: first\n\n").await;
    }
    for value in ["second", "third"] {
        telling.value.send_replace(value.to_owned());
        let all = listening
            .iter_mut()
            .map(async |stream| hears(stream, value).await);
        futures::future::join_all(all).await;
    }
    let mut one_more = telling.listen().await;
    hears(&mut one_more, "503 Service Unavailable").await;
}

#[tokio::test]
async fn silence_is_no_stall_while_heartbeats_are_taken() {
    let limits = Limits {
        head: Duration::from_secs(2),
        stall: Duration::from_secs(10),
        pace: usize::MAX,
        ..Limits::default()
    };
    let telling = telling(limits, 1, Duration::from_millis(100)).await;
    let mut stream = telling.listen().await;
    // Longer than a stall may last, and the head of a request.
    for _ in 0..110 {
        hears(&mut stream, ":\n\n").await;
    }
    // More than the system holds for us: it has to wait, and is waited for.
    let large = "x".repeat(32 << 20);
    telling.value.send_replace(format!("{large} second"));
    hears(&mut stream, " second\n\n").await;
}

#[tokio::test]
async fn a_listener_that_takes_nothing_is_cut_off_and_holds_nobody_up() {
    let limits = Limits {
        stall: Duration::from_secs(10),
        ..Limits::default()
    };
    let telling = telling(limits, 2, Duration::from_millis(20)).await;
    let deaf = telling.listen().await;
    let mut other = telling.listen().await;
    telling.until_listening(2).await;
    let large = "x".repeat(1 << 20);
    let telling_much = async {
        for number in 0.. {
            telling.value.send_replace(format!("{large} {number}"));
            hears(&mut other, &format!(" {number}\n\n")).await;
            if telling.value.receiver_count() < 2 {
                return;
            }
            // It takes a while until it is cut off, and others need the machine meanwhile.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(SOON, telling_much).await;
    assert!(waited.is_ok(), "the deaf one is still told");
    drop(deaf);
}

#[tokio::test]
async fn whoever_leaves_is_noticed_at_once() {
    let telling = telling(Limits::default(), 1, Duration::from_secs(3600)).await;
    for _ in 0..5 {
        let mut stream = telling.listen().await;
        hears(&mut stream, "data: first\n\n").await;
        drop(stream);
        telling.until_listening(0).await;
    }
}

#[tokio::test]
async fn listeners_do_not_delay_the_end() {
    let telling = telling(Limits::default(), 10, Duration::from_secs(3600)).await;
    let mut listening = Vec::new();
    for _ in 0..10 {
        let mut stream = telling.listen().await;
        hears(&mut stream, "data: first\n\n").await;
        listening.push(stream);
    }
    telling.shutdown.cancel();
    assert_eq!(telling.server.await.unwrap(), Drained::Clean);
    let mut rest = String::new();
    listening[0].read_to_string(&mut rest).await.unwrap();
    assert!(
        rest.ends_with("0\r\n\r\n"),
        "the end is a whole one: {rest:?}"
    );
}

#[tokio::test]
async fn listeners_leave_room_for_others() {
    let limits = Limits {
        connections: 8,
        ..Limits::default()
    };
    let telling = telling(limits, 4, Duration::from_secs(3600)).await;
    let mut listening = stream::iter(0..4)
        .then(|_| telling.listen())
        .collect::<Vec<_>>()
        .await;
    telling.until_listening(4).await;
    for _ in 0..20 {
        // Too many to listen: answered, then idle, and their places are taken by the next.
        let mut refused = telling.listen().await;
        hears(&mut refused, "503").await;
    }
    telling.value.send_replace("second".to_owned());
    for stream in &mut listening {
        hears(stream, "second").await;
    }
}
