//! Nodes, the manager, EC2 and the database fail.

use std::time::{Duration, Instant};

use catalog::test_support::{PostgresServer, cut_leaders_off};
use http::StatusCode;
use manager::cloud::CloudError;

use manager::pool::SILENCE;

use crate::world::{World, until};

pub(crate) fn no_room() -> CloudError {
    CloudError::NoRoom {
        code: "InsufficientInstanceCapacity".to_owned(),
        message: "no room in this zone".to_owned(),
    }
}

#[tokio::test]
async fn a_dead_nodes_place_is_empty_until_another_takes_it() {
    let world = World::start().await;
    world.serving(1).await;
    world.post("/api/configure_cache?numNodes=2").await;
    let before = world.serving(2).await;
    let dead = before.nodes[0].clone().unwrap().instance;
    // A launch that is refused at first keeps the place empty long enough to be seen so.
    world.cloud.refuse(vec![no_room()]);
    world.cloud.kill(&dead);
    let without = world
        .table_when("the dead node left out", |table| {
            table.nodes.len() == 2 && table.nodes[0].is_none()
        })
        .await;
    assert!(without.epoch > before.epoch);
    assert_eq!(without.nodes[1], before.nodes[1]);
    let after = world.serving(2).await;
    assert!(after.epoch > without.epoch);
    assert_ne!(after.nodes[0], before.nodes[0]);
    assert_eq!(after.nodes[1], before.nodes[1]);
}

#[tokio::test]
async fn an_instance_that_has_ended_is_neither_waited_for_nor_terminated_again() {
    let world = World::start().await;
    let before = world.serving(1).await;
    world.cloud.kill(&before.nodes[0].clone().unwrap().instance);
    let is_new = |table: &kit::pool::Table| table.nodes != before.nodes && table.nodes != [None];
    world.table_when("a successor", is_new).await;
    assert_eq!(world.cloud.terminations(), 0);
}

#[tokio::test]
async fn a_node_that_restarts_quickly_keeps_its_place_and_gets_its_configuration_back() {
    let world = World::start().await;
    let before = world.serving(1).await;
    world
        .post("/api/configure_cache?cacheSize=7&policy=RR")
        .await;
    let member = before.nodes[0].clone().unwrap();
    world.cloud.restart_node(&member.instance);
    until("the configuration to come back", async || {
        let statistics = world.nodes.statistics(&member.address).await;
        statistics.is_ok_and(|node| node.capacity == 7 << 20 && node.epoch > 0)
    })
    .await;
    assert_eq!(world.cloud.living(), [member.instance]);
}

#[tokio::test]
async fn a_node_that_comes_back_after_it_was_left_out_gets_its_place_again() {
    let world = World::start().await;
    let before = world.serving(1).await;
    let member = before.nodes[0].clone().unwrap();
    world.cloud.stop_node(&member.instance);
    world
        .table_when("the silent node left out", |table| table.nodes == [None])
        .await;
    world.cloud.restart_node(&member.instance);
    let after = world.serving(1).await;
    assert!(after.epoch > before.epoch + 1);
    assert_eq!(after.nodes, before.nodes);
    assert_eq!(world.cloud.launched(), 1);
}

#[tokio::test]
async fn all_nodes_dead_is_a_table_of_empty_places_and_then_a_new_pool() {
    let world = World::start().await;
    world.serving(1).await;
    world.post("/api/configure_cache?numNodes=2").await;
    world.serving(2).await;
    world.cloud.refuse(vec![no_room(), no_room()]);
    for id in world.cloud.living() {
        world.cloud.kill(&id);
    }
    world
        .table_when("all left out", |table| table.nodes == [None, None])
        .await;
    let (status, body) = world.post("/api/getRate?rate=hit").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body, r#"{"success":"true","rate":"hit","value":0.0}"#);
    world.serving(2).await;
    world.instances(2).await;
}

#[tokio::test]
async fn a_manager_killed_in_the_middle_of_a_resize_goes_on_after_its_restart() {
    let mut world = World::start().await;
    let one = world.serving(1).await;
    world.post("/api/configure_cache?numNodes=4").await;
    // At any moment from "stored" to "all launched": where exactly differs from run to run.
    until("a launch", async || world.cloud.launched() >= 2).await;
    world.kill_manager().await;
    world.start_manager();
    let four = world.serving(4).await;
    assert!(four.epoch > one.epoch);
    assert_eq!(four.nodes[0], one.nodes[0]);
    world.instances(4).await;
    assert_eq!(world.cloud.launched(), 4);
    world.post("/api/configure_cache?numNodes=1").await;
    world
        .table_when("shrinking", |table| table.nodes.len() == 1)
        .await;
    world.kill_manager().await;
    world.start_manager();
    world.serving(1).await;
    world.instances(1).await;
}

#[tokio::test]
async fn a_launch_whose_answer_is_lost_launches_no_second_node() {
    let (settings, _) = catalog::test_support::database().await;
    let mut world = World::prepare(&settings);
    world.cloud.lose_answers(2);
    world.start_manager();
    world.serving(1).await;
    assert_eq!(world.cloud.launched(), 1);
}

#[tokio::test]
async fn a_launch_that_was_not_answered_before_the_manager_died_is_found_again() {
    let (settings, _) = catalog::test_support::database().await;
    let mut world = World::prepare(&settings);
    world.cloud.lose_answers(1);
    world.start_manager();
    until("the launch", async || world.cloud.launched() == 1).await;
    world.kill_manager().await;
    world.start_manager();
    world.serving(1).await;
    assert_eq!(world.cloud.launched(), 1);
}

#[tokio::test]
async fn without_room_in_one_subnet_the_next_is_tried() {
    let (settings, _) = catalog::test_support::database().await;
    let mut world = World::prepare(&settings);
    world.cloud.refuse(vec![no_room()]);
    world.start_manager();
    world.serving(1).await;
    assert_eq!(world.cloud.subnets(), ["subnet-a", "subnet-b"]);
}

#[tokio::test]
async fn a_profile_that_ec2_does_not_know_yet_is_waited_for() {
    let (settings, _) = catalog::test_support::database().await;
    let mut world = World::prepare(&settings);
    world.cloud.refuse(vec![CloudError::ProfileNotYet]);
    world.start_manager();
    world.serving(1).await;
}

#[tokio::test]
async fn with_the_database_down_nodes_serve_on_and_wishes_are_refused_in_the_contracts_shape() {
    let mut server = PostgresServer::start();
    let world = World::start_on(&server.create_database().await).await;
    let before = world.serving(1).await;
    let address = before.nodes[0].clone().unwrap().address;
    server.stop();
    for path in ["/api/configure_cache?numNodes=2", "/api/delete_all"] {
        let (status, body) = world.post(path).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {body}");
        assert!(
            body.starts_with(r#"{"success":"false","error":{"code":503,"message":""#),
            "{body}"
        );
    }
    // A lease lasts two seconds: three later the node serves only if the heart still beats.
    tokio::time::sleep(Duration::from_secs(3)).await;
    until("the node serving on", async || {
        let request = http::Request::builder()
            .uri(format!("http://{address}/entries/k"))
            .header("x-bivouac-token", crate::world::TOKEN)
            .header("x-bivouac-epoch", before.epoch)
            .body(kit::body::empty())
            .unwrap();
        world.send(request).await.status() == StatusCode::NOT_FOUND
    })
    .await;
    server.resume();
    until("the wish to be granted", async || {
        world.post("/api/configure_cache?numNodes=2").await.0 == StatusCode::OK
    })
    .await;
    let after = world.serving(2).await;
    assert_eq!(after.nodes[0], before.nodes[0]);
}

#[tokio::test]
async fn a_manager_that_starts_before_its_database_waits_for_it() {
    let mut server = PostgresServer::start();
    let settings = server.create_database().await;
    server.stop();
    let world = World::start_on(&settings).await;
    let (status, body) = world.post("/api/getNumNodes").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    server.resume();
    world.serving(1).await;
}

#[tokio::test]
async fn of_two_managers_one_leads_and_the_other_takes_over_when_it_ends() {
    let mut first = World::start().await;
    first.serving(1).await;
    let second = first.beside();
    first.post("/api/configure_cache?numNodes=2").await;
    let before = first.serving(2).await;
    // For so long that each node is silent to the one that waits.
    tokio::time::sleep(SILENCE).await;
    for path in ["/api/configure_cache?numNodes=1", "/api/delete_all"] {
        let (status, body) = second.post(path).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {body}");
    }
    first.kill_manager().await;
    let after = second.serving(2).await;
    assert_eq!(after.nodes, before.nodes);
    assert_eq!(after.epoch, before.epoch, "no table lay in between");
    second.post("/api/configure_cache?numNodes=3").await;
    second.serving(3).await;
    assert_eq!(second.cloud.launched(), 3);
}

#[tokio::test]
async fn a_manager_that_lost_the_lead_unseen_stops_acting() {
    let first = World::start().await;
    first.serving(1).await;
    let second = first.beside();
    until("the other one waiting", async || !leads(&second).await).await;
    until("the other one leading", async || {
        // The first may be quicker to lead again.
        cut_leaders_off(&first.catalog).await;
        leads_soon(&second).await
    })
    .await;
    until("the first one knowing it", async || !leads(&first).await).await;
    second.post("/api/configure_cache?numNodes=2").await;
    second.serving(2).await;
}

/// Waits for longer than it takes to notice that nobody leads.
async fn leads_soon(world: &World) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !leads(world).await {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

async fn leads(world: &World) -> bool {
    world.post("/api/getNumNodes").await.0 == StatusCode::OK
}

#[tokio::test]
async fn a_node_at_the_address_of_a_dead_one_is_not_taken_for_it() {
    let world = World::start().await;
    world.serving(1).await;
    world.post("/api/configure_cache?numNodes=2").await;
    let before = world.serving(2).await;
    let dead = before.nodes[1].clone().unwrap();
    world.cloud.kill_and_pass_its_address_on(&dead.instance);
    let after = world
        .table_when("a successor", |table| {
            let successor = table.nodes.get(1).and_then(Option::as_ref);
            successor.is_some_and(|node| node.instance != dead.instance)
        })
        .await;
    let successor = after.nodes[1].clone().unwrap();
    assert_eq!(successor.address, dead.address);
    assert_eq!(after.nodes[0], before.nodes[0]);
    let node = world.statistics(&successor.address).await;
    assert_eq!(
        (node.instance, node.epoch),
        (successor.instance, after.epoch)
    );
    world.instances(2).await;
}
