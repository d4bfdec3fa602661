//! The pool grows, shrinks and is told of.

use http::{HeaderMap, Method, StatusCode};
use kit::pool::Table;

use crate::world::{DEADLINE, World, until};

fn instances(table: &Table) -> Vec<String> {
    let members = table.nodes.iter().flatten();
    members.map(|member| member.instance.clone()).collect()
}

#[tokio::test]
async fn a_new_deployment_gets_its_first_node_and_says_so_in_the_bucket() {
    let world = World::start().await;
    let table = world.serving(1).await;
    assert!(table.epoch >= 2);
    until("the status in the bucket", async || {
        world.bucket.json("status/manager.json").is_some()
    })
    .await;
    let status = world.bucket.json("status/manager.json").unwrap();
    assert_eq!(status["ready"], true);
    assert_eq!(status["wanted"], 1);
    assert_eq!(status["nodes"], 1);
    assert_eq!(status["epoch"], table.epoch);
    assert_eq!(status["settings"], "0123");
    assert_eq!(status["instance"], "i-manager");
}

#[tokio::test]
async fn growing_adds_places_at_the_end_and_shrinking_removes_the_last() {
    let world = World::start().await;
    let one = world.serving(1).await;
    world.post("/api/configure_cache?numNodes=3").await;
    let three = world.serving(3).await;
    assert!(three.epoch > one.epoch);
    assert_eq!(instances(&three)[0], instances(&one)[0]);
    for (place, member) in three.nodes.iter().flatten().enumerate() {
        let epoch = world.statistics(&member.address).await.epoch;
        assert_eq!(epoch, three.epoch, "place {place}");
    }
    world.post("/api/configure_cache?numNodes=2").await;
    let two = world.serving(2).await;
    assert!(two.epoch > three.epoch);
    assert_eq!(instances(&two), instances(&three)[..2]);
    world.instances(2).await;
}

#[tokio::test]
async fn a_resize_in_several_wishes_ends_at_the_last_one() {
    let world = World::start().await;
    world.serving(1).await;
    for nodes in [5, 2, 4, 1, 3] {
        let path = format!("/api/configure_cache?numNodes={nodes}");
        assert_eq!(world.post(&path).await.0, StatusCode::OK);
    }
    world.serving(3).await;
    world.instances(3).await;
}

#[tokio::test]
async fn who_waits_for_a_newer_table_gets_it_at_once() {
    let world = World::start().await;
    let one = world.serving(1).await;
    let waiting = async {
        let mut known = one.epoch;
        loop {
            if let Some(table) = world.try_table(known).await {
                known = table.epoch;
                if table.nodes.len() == 2 {
                    return;
                }
            }
        }
    };
    let growing = world.post("/api/configure_cache?numNodes=2");
    let both = async { tokio::join!(waiting, growing) };
    tokio::time::timeout(DEADLINE, both)
        .await
        .expect("the new table never came");
}

#[tokio::test]
async fn the_table_is_told_only_to_who_has_the_token() {
    let world = World::start().await;
    let path = "/internal/table?after=0";
    let answer = world
        .call(Method::GET, path, &world_headers(None), "")
        .await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let headers = world_headers(Some("a-token-that-is-another"));
    let answer = world
        .call(Method::GET, "/internal/table", &headers, "")
        .await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let headers = world_headers(Some(crate::world::TOKEN));
    for (path, status) in [
        ("/internal/table?after=x", StatusCode::BAD_REQUEST),
        ("/internal/nothing", StatusCode::NOT_FOUND),
    ] {
        let answer = world.call(Method::GET, path, &headers, "").await;
        assert_eq!(answer.status(), status, "{path}");
    }
}

fn world_headers(token: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        headers.insert("x-bivouac-token", token.parse().unwrap());
    }
    headers
}

#[tokio::test]
async fn an_instance_that_nobody_remembers_is_put_to_use_or_ended() {
    let world = World::start().await;
    world.serving(1).await;
    let stray = world.cloud.stray();
    world.post("/api/configure_cache?numNodes=2").await;
    world.serving(2).await;
    world.instances(2).await;
    until("the stray to be known", async || {
        let living = world.cloud.living();
        living.len() == 2 && (world.cloud.launched() == 2) == living.contains(&stray)
    })
    .await;
}
