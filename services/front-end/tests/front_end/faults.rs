//! What is down is told, what can be served is served, and nothing is lost.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use catalog::DatabaseSettings;
use catalog::test_support;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::pool::TestNode;
use crate::stage::{GIF, Options, Stage, stopped};

#[tokio::test]
async fn without_a_manager_photos_are_read_through() {
    let stage = Stage::with(Options {
        manager_is_up: false,
        ..Options::default()
    })
    .await;
    let object = "photos/given";
    stage.catalog.begin_upload(object).await.unwrap();
    let new = catalog::NewPhoto {
        key: "k",
        object,
        size: 3,
        content_type: "image/png",
        etag: None,
    };
    stage.catalog.commit_upload(&new).await.unwrap();
    assert!(
        stage
            .read("k")
            .await
            .failure(404)
            .contains("no longer in the bucket")
    );
    assert_eq!(
        stage.post("/api/list_keys").await.text(),
        r#"{"success":"true","keys":["k"]}"#
    );
    let message = stage.post("/api/getNumNodes").await.failure(503);
    assert!(
        message.starts_with("the manager of the pool does not answer"),
        "{message}"
    );
}

#[tokio::test]
async fn dead_nodes_fail_no_reader_and_an_upload_waits_until_they_are_left_out() {
    let stage = Stage::new().await;
    for key in ["k1", "k2"] {
        stage.stored(key, b"old").await;
        stage.read(key).await.content();
    }
    for node in &stage.nodes {
        node.kill().await;
    }
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(stage.read("k1").await.content(), b"old");
        assert_eq!(stage.read("k2").await.content(), b"old");
    }
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    let left_out = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stage.manager.commit(vec![None, None]).await;
    };
    let (answer, ()) = tokio::join!(stage.upload("k1", b"new"), left_out);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(stage.read("k1").await.content(), b"new");
    stage.stored("k2", b"new").await;
    let fresh = TestNode::start("i-fresh").await;
    stage.manager.commit(vec![Some(fresh.clone())]).await;
    stage
        .until("the new node is filled", async |stage| {
            assert_eq!(stage.read("k2").await.content(), b"new");
            fresh.statistics().await.items == 1
        })
        .await;
}

#[tokio::test]
async fn an_upload_that_cannot_reach_the_owner_is_stored_but_not_acknowledged() {
    let stage = Stage::with(Options {
        nodes: 1,
        ..Options::default()
    })
    .await;
    stage.stored("k", b"old").await;
    stage.nodes[0].kill().await;
    let message = stage.upload("k", b"new").await.failure(503);
    assert!(
        message.starts_with("the photo is stored, but a cache node"),
        "{message}"
    );
    assert_eq!(stage.read("k").await.content(), b"new");
}

#[tokio::test]
async fn without_a_manager_what_is_cached_is_still_invalidated_or_refused() {
    let stage = Stage::new().await;
    stage.stored("k", b"old").await;
    stage.read("k").await.content();
    stage.manager_stop.cancel();
    stage.stored("k", b"new").await;
    assert_eq!(stage.read("k").await.content(), b"new");
    stage.post("/api/getRate?rate=hit").await.failure(503);
}

#[tokio::test]
async fn a_resize_under_load_fails_no_request() {
    let stage = Stage::new().await;
    let keys: Vec<String> = (0..8).map(|number| format!("key-{number}")).collect();
    for key in &keys {
        stage.stored(key, key.as_bytes()).await;
    }
    let resizes = async {
        let extra = TestNode::start("i-extra").await;
        let (first, second) = (stage.nodes[0].clone(), stage.nodes[1].clone());
        for nodes in [
            vec![Some(first.clone()), Some(second.clone()), Some(extra)],
            vec![Some(first.clone())],
            vec![None],
            vec![Some(second), Some(first)],
        ] {
            stage.manager.commit(nodes).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::pin!(resizes);
    let mut round = 0;
    loop {
        for key in &keys {
            let content = format!("{key} of {round}");
            let step = async {
                stage.stored(key, content.as_bytes()).await;
                assert_eq!(stage.read(key).await.content(), content.as_bytes());
                assert_eq!(stage.read(key).await.content(), content.as_bytes());
            };
            tokio::pin!(step);
            tokio::select! {
                () = &mut step => {}
                () = &mut resizes => {
                    step.await;
                    return;
                }
            }
        }
        round += 1;
    }
}

#[tokio::test]
async fn a_stopped_database_is_told_and_cached_photos_are_served() {
    let (server, stage) = Stage::with_own_server().await;
    stage.stored("cached", GIF).await;
    stage.stored("other", GIF).await;
    let cached = async || {
        stage
            .served("hit", async |stage| stage.read("cached").await)
            .await
    };
    cached().await;
    let _server = stopped(server).await;
    assert_eq!(cached().await.content(), GIF);
    for answer in [
        stage.upload("k", GIF).await,
        stage.post("/api/list_keys").await,
        stage.read("other").await,
    ] {
        assert_eq!(
            answer.failure(503),
            "the database does not answer; try again in a moment"
        );
    }
    assert_eq!(stage.get("/readyz").await.status, 503);
    let page = stage.get("/").await;
    assert_eq!(page.status, 503);
    assert!(
        page.text().contains("The database does not answer"),
        "{}",
        page.text()
    );
}

#[tokio::test]
async fn a_database_that_comes_back_is_used_again_without_a_restart() {
    let (settings, _) = test_support::database().await;
    let door = Door::open(&settings).await;
    let database = Some(DatabaseSettings {
        port: door.port,
        ..settings
    });
    let stage = Stage::with(Options {
        database,
        ..Options::default()
    })
    .await;
    stage.stored("k1", GIF).await;
    door.shut(true);
    assert!(
        stage
            .upload("k2", GIF)
            .await
            .failure(503)
            .contains("database")
    );
    door.shut(false);
    stage
        .until("the database is back", async |stage| {
            stage.upload("k2", GIF).await.status == 200
        })
        .await;
    let keys = stage.post("/api/list_keys").await;
    assert_eq!(keys.text(), r#"{"success":"true","keys":["k1","k2"]}"#);
}

/// The way to a server, at its own address, which can be shut: whoever is inside is thrown out, and
/// nobody gets in.
struct Door {
    port: u16,
    shut: watch::Sender<bool>,
}

impl Door {
    async fn open(to: &DatabaseSettings) -> Self {
        let host: Ipv4Addr = to.host.parse().unwrap();
        let to = (host, to.port);
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shut = watch::Sender::new(false);
        let watched = shut.subscribe();
        tokio::spawn(async move {
            while let Ok((mut inside, _)) = listener.accept().await {
                let mut watched = watched.clone();
                tokio::spawn(async move {
                    let mut outside = TcpStream::connect(to).await.unwrap();
                    tokio::select! {
                        _ = watched.wait_for(|shut| *shut) => {}
                        _ = tokio::io::copy_bidirectional(&mut inside, &mut outside) => {}
                    }
                });
            }
        });
        Self { port, shut }
    }

    fn shut(&self, shut: bool) {
        self.shut.send_replace(shut);
    }
}

#[tokio::test]
async fn a_bucket_that_is_gone_or_broken_is_told() {
    let stage = Stage::new().await;
    stage.stored("k", GIF).await;
    stage.bucket.set_gone(true);
    assert!(
        stage
            .read("k")
            .await
            .failure(503)
            .contains("bucket with the photos does not exist")
    );
    assert!(
        stage
            .upload("k2", GIF)
            .await
            .failure(503)
            .contains("does not exist")
    );
    let ready = stage.get("/readyz").await;
    assert!(
        ready.status == 503 && ready.text().contains("the bucket photos does not exist"),
        "{}",
        ready.text()
    );
    stage.bucket.set_gone(false);
    stage.bucket.set_broken(true);
    assert!(
        stage
            .read("k")
            .await
            .failure(503)
            .contains("does not answer")
    );
    stage.upload("k2", &vec![1; 2_000_000]).await.failure(503);
    stage.bucket.set_broken(false);
    assert_eq!(stage.read("k").await.content(), GIF);
    assert_eq!(stage.get("/readyz").await.status, 200);
    stage.bucket.forget_objects();
    stage.stored("k2", GIF).await;
    assert_eq!(
        stage.post("/api/list_keys").await.text(),
        r#"{"success":"true","keys":["k","k2"]}"#
    );
}

#[tokio::test]
async fn a_replaced_object_is_left_to_the_sweeper() {
    let stage = Stage::new().await;
    stage.stored("k", b"old").await;
    stage.stored("k", b"new").await;
    assert_eq!(stage.bucket.objects().len(), 2);
    let orphans = stage
        .catalog
        .take_orphans(Duration::ZERO, 10)
        .await
        .unwrap();
    assert_eq!(orphans.len(), 1);
    let current = stage.catalog.photo("k").await.unwrap().unwrap().object;
    assert!(!orphans.contains(&current));
}
