//! The blueprint is edited while the pool runs.

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;
use kit::pool::{Member, Table};
use serde_json::json;

use crate::world::{World, until};

async fn three_nodes() -> (World, Table) {
    let world = World::start().await;
    world.serving(1).await;
    world.post("/api/configure_cache?numNodes=3").await;
    let table = world.serving(3).await;
    (world, table)
}

fn members(table: &Table) -> Vec<Option<Member>> {
    table.nodes.clone()
}

/// Follows the published tables until no node of `before` is in them.
async fn follow(world: &World, before: &Table) -> Vec<Table> {
    let mut tables = vec![before.clone()];
    let mut said = BTreeSet::new();
    until("all nodes replaced", async || {
        assert!(world.cloud.living().len() <= 4, "more than one at a time");
        said.extend(world.status()["replacing"].as_str().map(str::to_owned));
        let last = &tables[tables.len() - 1];
        match world.try_table(0).await {
            Some(table) if table.epoch > last.epoch => tables.push(table),
            _ => {}
        }
        let last = &tables[tables.len() - 1];
        members(before).iter().all(|old| !last.nodes.contains(old))
    })
    .await;
    world.in_effect().await;
    assert!(said.contains("1 of 3: new image and type"), "{said:?}");
    tables
}

#[tokio::test]
async fn another_image_replaces_the_nodes_one_by_one_in_their_places() {
    let (world, before) = three_nodes().await;
    world.edit(|b| {
        b["image"] = "ami-2".into();
        b["type"] = "t3.small".into();
    });
    let tables = follow(&world, &before).await;
    assert_eq!(tables.len(), 4, "a change for each node: {tables:#?}");
    for pair in tables.windows(2) {
        assert_eq!(pair[1].epoch, pair[0].epoch + 1);
        let changed = pair[0].nodes.iter().zip(&pair[1].nodes);
        assert_eq!(changed.filter(|(old, new)| old != new).count(), 1);
        assert!(
            pair[1].nodes.iter().all(Option::is_some),
            "a place is empty"
        );
    }
    world.instances(3).await;
    assert_eq!(world.cloud.launched(), 6);
    assert_eq!(world.status()["replacing"], json!(null));
}

#[tokio::test]
async fn a_manager_killed_in_the_middle_of_replacing_goes_on_after_its_restart() {
    let (mut world, before) = three_nodes().await;
    world.edit(|b| b["image"] = "ami-2".into());
    for (launched, pause) in [(4, 0), (5, 700), (6, 1400)] {
        until("the next launch", async || {
            world.cloud.launched() >= launched
        })
        .await;
        // Somewhere between the launch and the end of the old node.
        tokio::time::sleep(Duration::from_millis(pause)).await;
        world.kill_manager().await;
        world.start_manager();
    }
    world.in_effect().await;
    let after = world.serving(3).await;
    assert!(
        members(&before)
            .iter()
            .all(|old| !after.nodes.contains(old))
    );
    world.instances(3).await;
    assert_eq!(
        world.cloud.launched(),
        6,
        "more were launched than had to be"
    );
}

#[tokio::test]
async fn in_a_full_account_the_old_node_goes_first() {
    let (world, before) = three_nodes().await;
    world.cloud.limit(3);
    world.edit(|b| b["type"] = "t3.small".into());
    let without = world
        .table_when("a place made free", |table| {
            table.nodes.iter().filter(|node| node.is_none()).count() == 1
        })
        .await;
    assert_eq!(without.nodes.len(), 3);
    world.cloud.limit(4);
    world.in_effect().await;
    let after = world.serving(3).await;
    assert!(
        members(&before)
            .iter()
            .all(|old| !after.nodes.contains(old))
    );
    world.instances(3).await;
}

#[tokio::test]
async fn an_edit_taken_back_ends_what_was_begun() {
    let (world, _) = three_nodes().await;
    world.edit(|b| b["image"] = "ami-2".into());
    until("a launch", async || world.cloud.launched() >= 4).await;
    world.edit(|b| b["image"] = "ami-1".into());
    world.in_effect().await;
    world.serving(3).await;
    world.instances(3).await;
}

#[tokio::test]
async fn a_resize_goes_before_a_replacement() {
    let (world, before) = three_nodes().await;
    world.edit(|b| b["image"] = "ami-2".into());
    world.post("/api/configure_cache?numNodes=5").await;
    world.in_effect().await;
    let after = world.serving(5).await;
    assert!(
        members(&before)
            .iter()
            .all(|old| !after.nodes.contains(old))
    );
    world.instances(5).await;
}

#[tokio::test]
async fn what_the_blueprint_says_anew_is_told_to_the_nodes_and_the_rest_stays_as_people_set_it() {
    let world = World::start().await;
    let table = world.serving(1).await;
    world
        .post("/api/configure_cache?cacheSize=7&policy=RR")
        .await;
    world.edit(|b| b["capacity"] = (9 << 20).into());
    world.in_effect().await;
    let address = &table.nodes[0].as_ref().unwrap().address;
    let node = world.statistics(address).await;
    assert_eq!(node.capacity, 9 << 20);
    assert_eq!(node.policy, kit::pool::Policy::Random);
    assert_eq!(world.status()["choices"]["policy"], "random");
    assert_eq!(world.cloud.launched(), 1, "nothing is replaced for it");
}

#[tokio::test]
async fn the_pool_moves_into_new_bounds_and_stays_in_them() {
    let (world, _) = three_nodes().await;
    world.edit(|b| b["size"] = json!({"min": 1, "max": 2, "start": 1}));
    world.serving(2).await;
    let (status, body) = world.post("/api/configure_cache?numNodes=3").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("1 to 2"), "{body}");
    world.edit(|b| b["size"] = json!({"min": 4, "max": 8, "start": 4}));
    world.serving(4).await;
}

#[tokio::test]
async fn a_blueprint_that_cannot_be_read_changes_nothing() {
    let world = World::start().await;
    let before = world.serving(1).await;
    world.edit(|b| b["capacity"] = "much".into());
    world.bucket.fail(true);
    world.post("/api/configure_cache?numNodes=2").await;
    let after = world.serving(2).await;
    assert_eq!(after.nodes[0], before.nodes[0]);
    world.bucket.fail(false);
    world.edit(|b| b["capacity"] = (8 << 20).into());
    world.in_effect().await;
}
