//! `/pool/events`: what pages are told of the pool while somebody looks at them.

use std::time::Duration;

use kit::server::Drained;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::stage::{Options, Stage, listen_again};

const SOON: Duration = Duration::from_secs(20);

/// One who listens, and what was heard and not yet asked for.
struct Listener {
    stream: TcpStream,
    heard: String,
}

impl Listener {
    async fn at(stage: &Stage) -> Self {
        let mut stream = TcpStream::connect(&stage.host).await.unwrap();
        let request = b"GET /pool/events HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let heard = String::new();
        Self { stream, heard }
    }

    /// Listens until `text` has come, and forgets all up to it.
    async fn hears(&mut self, text: &str) {
        let hearing = async {
            let mut space = [0; 4096];
            loop {
                if let Some(at) = self.heard.find(text) {
                    self.heard.drain(..at + text.len());
                    return;
                }
                let count = self.stream.read(&mut space).await.unwrap();
                assert_ne!(count, 0, "the end before {text:?}: {:?}", self.heard);
                self.heard
                    .push_str(&String::from_utf8_lossy(&space[..count]));
            }
        };
        let waited = tokio::time::timeout(SOON, hearing).await;
        assert!(waited.is_ok(), "not {text:?} but {:?}", self.heard);
    }

    async fn is_told(&mut self, tone: &str, text: &str) {
        let event = format!("data: {{\"tone\":\"{tone}\",\"text\":\"Pool: {text}\"}}\n\n");
        self.hears(&event).await;
    }
}

#[tokio::test]
async fn pages_are_told_of_every_change_of_the_pool() {
    let stage = Stage::new().await;
    let mut all = Vec::new();
    for _ in 0..20 {
        let mut listener = Listener::at(&stage).await;
        listener.hears("content-type: text/event-stream").await;
        listener.is_told("good", "2 nodes").await;
        all.push(listener);
    }
    let [first, second] = [&stage.nodes[0], &stage.nodes[1]].map(|node| Some(node.clone()));
    let changes = [
        (
            vec![first.clone(), None],
            "warn",
            "2 nodes, one is being replaced",
        ),
        (vec![first], "good", "1 node"),
        (
            vec![None],
            "warn",
            "no node now, photos come from the bucket",
        ),
        (vec![second], "good", "1 node"),
    ];
    for (nodes, tone, text) in changes {
        stage.manager.commit(nodes).await;
        for listener in &mut all {
            listener.is_told(tone, text).await;
        }
        let page = stage.get("/").await;
        let line =
            format!("<p class=\"standing {tone}\" role=\"status\" data-standing>Pool: {text}</p>");
        assert!(page.text().contains(&line), "{text}: {}", page.text());
    }
}

#[tokio::test]
async fn a_manager_that_is_away_for_a_lease_is_told_and_its_return_too() {
    let stage = Stage::new().await;
    let mut listener = Listener::at(&stage).await;
    listener.is_told("good", "2 nodes").await;
    stage.manager_stop.cancel();
    let away = "not reachable, photos come from the bucket";
    listener.is_told("bad", away).await;
    assert!(stage.get("/").await.text().contains(away));
    let back = listen_again(stage.manager_address).await;
    stage.manager.serve(back, CancellationToken::new());
    listener.is_told("good", "2 nodes").await;
}

#[tokio::test]
async fn before_a_first_table_the_pool_is_not_reachable() {
    let options = Options {
        manager_is_up: false,
        ..Options::default()
    };
    let stage = Stage::with(options).await;
    let mut listener = Listener::at(&stage).await;
    listener
        .is_told("bad", "not reachable, photos come from the bucket")
        .await;
}

#[tokio::test]
async fn whoever_listens_does_not_delay_the_end() {
    let mut stage = Stage::new().await;
    let mut listener = Listener::at(&stage).await;
    listener.is_told("good", "2 nodes").await;
    stage.stop.cancel();
    let ended = stage.ended.take().unwrap();
    assert_eq!(ended.await.unwrap(), Drained::Clean);
    listener.hears("0\r\n\r\n").await;
}

#[tokio::test]
async fn more_than_there_is_room_for_are_told_to_come_back() {
    let stage = Stage::new().await;
    let mut all = Vec::new();
    for _ in 0..256 {
        all.push(Listener::at(&stage).await);
    }
    for listener in &mut all {
        listener.is_told("good", "2 nodes").await;
    }
    let refused = stage.get("/pool/events").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), "60");
    assert_eq!(stage.get("/").await.status, 200);
    all.pop();
    stage
        .until("there is room again", async |stage| {
            let mut listener = Listener::at(stage).await;
            let mut head = [0; 12];
            listener.stream.read_exact(&mut head).await.unwrap();
            &head == b"HTTP/1.1 200"
        })
        .await;
}

#[tokio::test]
async fn events_are_for_looking_only() {
    let stage = Stage::new().await;
    assert_eq!(stage.post("/pool/events").await.status, 405);
    let head = stage
        .send(http::Method::HEAD, "/pool/events", &[], b"")
        .await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}
