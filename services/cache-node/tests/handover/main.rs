//! The law of handing over: whatever is delayed, overtaken, lost or restarted, no node serves a photo
//! older than the newest that was acknowledged, once the table says that it may answer.
//!
//! Nodes are real, the network is a bag from which messages are drawn in any order, and the manager is
//! the few rules that it keeps (docs/ARCHITECTURE.md, "The pool").

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod manager;
mod world;

use cache_node::cache::Lookup;
use proptest::prelude::*;

use world::{KEYS, World, event};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_node_serves_what_is_older_than_what_was_acknowledged(
        events in prop::collection::vec(event(), 1..200)
    ) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
        world.come_to_rest();
    }
}

#[test]
fn what_is_handed_over_is_there_in_the_next_table() {
    let mut world = World::new();
    for key in 0..KEYS.len() {
        world.upload(key);
        world.deliver(0);
        world.read(key);
        world.deliver(0);
    }
    world.hand_over = 1;
    world.revision += 1;
    world.coming = Some(vec![0, 1, 2]);
    world.come_to_rest();
    assert_eq!(world.table, [0, 1, 2]);
    for (key, name) in KEYS.into_iter().enumerate() {
        let owner = World::owner(&world.table, key);
        let found = world.nodes[owner].get(name, world.epoch, world.now);
        assert!(matches!(found, Ok(Lookup::Hit(_))), "{}: {found:?}", name);
    }
    let items: u64 = world
        .nodes
        .iter()
        .map(|node| node.statistics(world.now).items)
        .sum();
    assert_eq!(items, KEYS.len() as u64, "old owners drop what moved");
}
