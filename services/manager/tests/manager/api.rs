//! The contract's endpoints, to the byte.

use std::time::Duration;

use catalog::{Commit, NewPhoto};
use http::{HeaderMap, Method, Request, StatusCode};

use crate::world::{API_TOKEN, BLUEPRINT, TOKEN, World, until};

async fn upload(world: &World, key: &str, object: &str) {
    world.catalog.begin_upload(object).await.unwrap();
    world.bucket.insert(object);
    let new = NewPhoto {
        key,
        object,
        size: 5,
        content_type: "image/png",
        etag: None,
    };
    let commit = world.catalog.commit_upload(&new).await.unwrap();
    assert!(matches!(commit, Commit::Done { .. }));
}

/// Looks a key up at a node, and fills it.
async fn look_up(world: &World, address: &str, epoch: u64, key: &str) -> StatusCode {
    let url = format!("http://{address}/entries/{key}");
    let request = Request::builder()
        .uri(&url)
        .header("x-bivouac-token", crate::world::TOKEN)
        .header("x-bivouac-epoch", epoch);
    let answer = world.send(request.body(kit::body::empty()).unwrap()).await;
    if let Some(lease) = answer.headers().get("x-bivouac-lease") {
        let fill = Request::put(&url)
            .header("x-bivouac-token", crate::world::TOKEN)
            .header("x-bivouac-epoch", epoch)
            .header("x-bivouac-lease", lease)
            .header("content-type", "image/png")
            .body(kit::body::full("photo"))
            .unwrap();
        assert_eq!(world.send(fill).await.status(), StatusCode::NO_CONTENT);
    }
    answer.status()
}

#[tokio::test]
async fn configuring_answers_the_whole_configuration_and_reaches_the_nodes() {
    let world = World::start().await;
    let table = world.serving(1).await;
    let path = "/api/configure_cache?mode=manual&numNodes=2&cacheSize=3&policy=RR&expRatio=2&shrinkRatio=0.5&maxMiss=0.8&minMiss=0.1";
    let (status, body) = world.post(path).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        body,
        r#"{"success":"true","mode":"manual","numNodes":2,"cacheSize":3,"policy":"RR"}"#
    );
    let address = table.nodes[0].clone().unwrap().address;
    let node = world.statistics(&address).await;
    assert_eq!(node.capacity, 3 << 20);
    assert_eq!(node.policy, kit::pool::Policy::Random);
    let (_, body) = world.post("/api/getNumNodes").await;
    assert_eq!(body, r#"{"success":"true","numNodes":2}"#);
    let table = world.serving(2).await;
    let address = table.nodes[1].clone().unwrap().address;
    assert_eq!(world.statistics(&address).await.capacity, 3 << 20);
}

#[tokio::test]
async fn a_part_of_the_configuration_leaves_the_rest() {
    let world = World::start().await;
    world.serving(1).await;
    let (_, body) = world.post("/api/configure_cache?mode=auto").await;
    assert_eq!(
        body,
        r#"{"success":"true","mode":"auto","numNodes":1,"cacheSize":64,"policy":"LRU"}"#
    );
    let (_, body) = world.post("/api/configure_cache?policy=SIEVE").await;
    assert!(body.ends_with(r#""policy":"SIEVE"}"#), "{body}");
    let (_, body) = world.post("/api/configure_cache/?policy=lru").await;
    assert_eq!(
        body,
        r#"{"success":"true","mode":"auto","numNodes":1,"cacheSize":64,"policy":"LRU"}"#
    );
}

#[tokio::test]
async fn a_wrong_parameter_is_refused_and_nothing_changes() {
    let world = World::start().await;
    world.serving(1).await;
    for query in [
        "numNodes=9",
        "numNodes=0",
        "numNodes=3&policy=FIFO",
        "numNodes=3&numNodes=3",
        "nodes=3",
        "numNodes=3&minMiss=0.9",
        "mode=%00",
    ] {
        let (status, body) = world.post(&format!("/api/configure_cache?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        let prefix = r#"{"success":"false","error":{"code":400,"message":""#;
        assert!(body.starts_with(prefix), "{body}");
    }
    let (_, body) = world.post("/api/getNumNodes").await;
    assert_eq!(body, r#"{"success":"true","numNodes":1}"#);
}

#[tokio::test]
async fn parameters_in_the_body_are_refused() {
    let world = World::start().await;
    world.serving(1).await;
    let path = "/api/configure_cache";
    let answer = world
        .call(Method::POST, path, &HeaderMap::new(), "numNodes=3")
        .await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn failures_have_the_contracts_shape() {
    let world = World::start().await;
    world.serving(1).await;
    for (method, path, code) in [
        (Method::POST, "/api/nothing", 404),
        (Method::GET, "/api/nothing", 404),
        (Method::POST, "/api", 404),
        (Method::GET, "/api/getNumNodes", 405),
        (Method::DELETE, "/api/delete_all", 405),
        (Method::POST, "/api/getRate", 400),
        (Method::POST, "/api/getRate?rate=both", 400),
        (Method::POST, "/api/getRate?rate=hit&rate=miss", 400),
        (Method::POST, "/api/getRate?rate=hit&x=1", 400),
    ] {
        let answer = world.call(method, path, &HeaderMap::new(), "").await;
        assert_eq!(answer.status().as_u16(), code, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/json");
        let body = String::from_utf8(answer.body().to_vec()).unwrap();
        let prefix = format!(r#"{{"success":"false","error":{{"code":{code},"message":""#);
        assert!(body.starts_with(&prefix), "{path}: {body}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_cannot_use_a_browser() {
    let world = World::start().await;
    world.serving(1).await;
    let mut headers = HeaderMap::new();
    headers.insert("origin", "http://evil.example".parse().unwrap());
    let answer = world
        .call(Method::POST, "/api/delete_all", &headers, "")
        .await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn rates_are_those_of_the_whole_pool() {
    let world = World::start().await;
    world.serving(1).await;
    world.post("/api/configure_cache?numNodes=2").await;
    let table = world.serving(2).await;
    let (_, body) = world.post("/api/getRate?rate=miss").await;
    assert_eq!(body, r#"{"success":"true","rate":"miss","value":0.0}"#);
    // 1 look-up that misses at one node, 3 of which 2 hit at the other: 2 misses of 4.
    for (key, times) in [("k1", 1), ("k2", 3)] {
        let address = &table.owner(key).unwrap().address;
        for _ in 0..times {
            look_up(&world, address, table.epoch, key).await;
        }
    }
    assert_ne!(table.owner("k1"), table.owner("k2"));
    // A node that does not answer in time is left out.
    for (path, told) in [
        (
            "/api/getRate?rate=miss",
            r#"{"success":"true","rate":"miss","value":0.5}"#,
        ),
        (
            "/api/getRate/?rate=hit",
            r#"{"success":"true","rate":"hit","value":0.5}"#,
        ),
    ] {
        until(told, async || world.post(path).await.1 == told).await;
    }
}

#[tokio::test]
async fn deleting_everything_leaves_no_row_no_object_and_no_entry_but_uploads_in_flight() {
    let world = World::start().await;
    let table = world.serving(1).await;
    let address = table.nodes[0].clone().unwrap().address;
    upload(&world, "a", "photos/1").await;
    upload(&world, "a", "photos/2").await;
    world.bucket.insert("photos/stray");
    world.bucket.insert("settings/instance/manager.json");
    world.catalog.begin_upload("photos/3").await.unwrap();
    world.bucket.insert("photos/3");
    look_up(&world, &address, table.epoch, "a").await;
    assert_eq!(world.statistics(&address).await.items, 1);
    let (status, body) = world.post("/api/delete_all").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body, r#"{"success":"true"}"#);
    assert!(world.catalog.keys().await.unwrap().is_empty());
    assert_eq!(world.statistics(&address).await.items, 0);
    let mut keys = world.bucket.keys();
    keys.retain(|key| ![BLUEPRINT, "status/manager.json"].contains(&key.as_str()));
    assert_eq!(keys, ["photos/3", "settings/instance/manager.json"]);
    let orphans = world.catalog.take_orphans(Duration::ZERO, 10).await;
    assert_eq!(orphans.unwrap(), ["photos/3"]);
    assert_eq!(world.post("/api/delete_all").await.0, StatusCode::OK);
}

#[tokio::test]
async fn with_the_bucket_gone_photos_are_forgotten_and_their_objects_go_later() {
    let world = World::start().await;
    world.serving(1).await;
    upload(&world, "a", "photos/1").await;
    world.bucket.fail(true);
    let (status, body) = world.post("/api/delete_all").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("not all removed yet"), "{body}");
    assert!(world.catalog.keys().await.unwrap().is_empty());
    world.bucket.fail(false);
    assert_eq!(world.post("/api/delete_all").await.0, StatusCode::OK);
    assert!(!world.bucket.keys().contains(&"photos/1".to_owned()));
}

#[tokio::test]
async fn deleting_while_a_node_is_dead_waits_until_the_table_has_left_it_out() {
    let world = World::start().await;
    let table = world.serving(1).await;
    world.cloud.kill(&table.nodes[0].clone().unwrap().instance);
    until("everything deleted", async || {
        world.post("/api/delete_all").await.0 == StatusCode::OK
    })
    .await;
    let now = world.table_when("any table", |_| true).await;
    assert_ne!(now.nodes, table.nodes);
}

#[tokio::test]
async fn a_closed_api_answers_whoever_shows_the_token_and_nobody_else() {
    let world = World::start_closed().await;
    world.serving(1).await;
    let ask = async |path: &str, authorization: Option<&str>| {
        let mut headers = HeaderMap::new();
        if let Some(authorization) = authorization {
            headers.insert("authorization", authorization.parse().unwrap());
        }
        world.call(Method::POST, path, &headers, "").await
    };
    let right = format!("Bearer {API_TOKEN}");
    let answer = ask("/api/getNumNodes", Some(&right)).await;
    assert_eq!(
        answer.body().as_ref(),
        br#"{"success":"true","numNodes":1}"#
    );
    let internal = format!("Bearer {TOKEN}");
    for path in [
        "/api/delete_all",
        "/api/configure_cache?numNodes=2",
        "/api/x",
    ] {
        for wrong in [None, Some("Bearer x"), Some(API_TOKEN), Some(&*internal)] {
            let answer = ask(path, wrong).await;
            assert_eq!(
                answer.status(),
                StatusCode::UNAUTHORIZED,
                "{path} {wrong:?}"
            );
            let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("Bearer "), "{challenge}");
            let prefix = br#"{"success":"false","error":{"code":401,"message":""#;
            assert!(answer.body().starts_with(prefix), "{path}");
        }
    }
    let answer = ask("/api/getNumNodes", Some(&right)).await;
    assert_eq!(
        answer.body().as_ref(),
        br#"{"success":"true","numNodes":1}"#
    );
}
