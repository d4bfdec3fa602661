//! Laws of the pure core, over random histories of a simulated pool.

mod simulation;

use manager::pool::{self, HAND_OVER_LIMIT, replacing, table};
use proptest::prelude::*;

use simulation::{Event, Simulation, event};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_table_is_published_while_an_older_one_is_served(
        events in prop::collection::vec(event(), 1..120)
    ) {
        let mut simulation = Simulation::new();
        for event in &events {
            simulation.happen(event);
        }
        simulation.settle();
    }
}

#[test]
fn a_steady_pool_is_left_alone() {
    let mut simulation = Simulation::new();
    simulation.state.pool.wanted = 3;
    simulation.settle();
    let before = simulation.state.clone();
    simulation.happen(&Event::List);
    assert_eq!(simulation.state, before);
    assert_eq!(pool::serving(&before), 3);
    assert!(pool::empty_places(&before).is_empty());
}

#[test]
fn nodes_that_start_together_join_in_one_epoch() {
    let mut simulation = Simulation::new();
    simulation.settle();
    let epoch = simulation.state.pool.epoch;
    simulation.state.pool.wanted = 8;
    simulation.settle();
    assert_eq!(simulation.state.pool.epoch, epoch + 1);
}

#[test]
fn the_table_changes_only_after_everything_was_handed_over() {
    let mut simulation = Simulation::new();
    simulation.state.pool.wanted = 2;
    simulation.settle();
    let before = table(&simulation.state);
    simulation.state.pool.wanted = 3;
    let mut beats = |fate: u8, count: usize| {
        for _ in 0..count {
            for event in [
                Event::Launch,
                Event::List,
                Event::Beat(vec![fate]),
                Event::Wait(500),
            ] {
                simulation.happen(&event);
            }
        }
        simulation.state.clone()
    };
    let waiting = beats(3 + 16, 20);
    assert!(waiting.pool.coming.is_some());
    assert_eq!(table(&waiting), before);
    let done = beats(7, 4);
    assert_eq!(done.pool.coming, None);
    assert_eq!(table(&done).nodes.len(), 3);
    assert_eq!(done.pool.epoch, waiting.pool.epoch + 1);
}

#[test]
fn a_newer_wish_ends_a_hand_over_and_one_further_on_does_not() {
    for (wish, goes_on) in [(2, false), (1, false), (8, true), (3, true)] {
        let mut simulation = Simulation::new();
        simulation.state.pool.wanted = 2;
        simulation.settle();
        simulation.state.pool.wanted = 3;
        for _ in 0..20 {
            for event in [
                Event::Launch,
                Event::List,
                Event::Beat(vec![3 + 16]),
                Event::Wait(500),
            ] {
                simulation.happen(&event);
            }
        }
        let coming = simulation.state.pool.coming.clone().unwrap();
        simulation.happen(&Event::Wish(wish));
        let kept = simulation.state.pool.coming == Some(coming);
        assert_eq!(kept, goes_on, "{wish}");
        simulation.settle();
        assert_eq!(table(&simulation.state).nodes.len(), wish as usize);
    }
}

#[test]
fn a_node_that_never_ends_its_hand_over_does_not_keep_the_pool_from_its_size() {
    let mut simulation = Simulation::new();
    simulation.state.pool.wanted = 2;
    simulation.settle();
    simulation.state.pool.wanted = 1;
    let limit = HAND_OVER_LIMIT.as_secs() * 2 + 20;
    for _ in 0..limit {
        simulation.happen(&Event::Beat(vec![3 + 16]));
        simulation.happen(&Event::Wait(500));
    }
    assert_eq!(table(&simulation.state).nodes.len(), 1);
}

#[test]
fn without_handing_over_the_table_changes_at_once() {
    let mut simulation = Simulation::new();
    simulation.state.pool.wanted = 2;
    simulation.settle();
    simulation.state.pool.hands_over = false;
    simulation.happen(&Event::Wish(1));
    assert_eq!(table(&simulation.state).nodes.len(), 1);
    assert_eq!(simulation.state.pool.taken, 0);
}

#[test]
fn a_node_that_is_cut_off_is_left_out_and_comes_back_when_it_is_reached_again() {
    let mut simulation = Simulation::new();
    simulation.state.pool.wanted = 2;
    simulation.settle();
    let before = table(&simulation.state);
    simulation.happen(&Event::CutOff(0));
    let mut beat_for = |seconds: u64| {
        for _ in 0..seconds * 2 {
            simulation.happen(&Event::Beat(vec![7]));
            simulation.happen(&Event::Wait(500));
        }
        let published = simulation.seen.published.map(|(epoch, _)| epoch);
        assert_eq!(published, Some(simulation.state.pool.epoch));
        table(&simulation.state)
    };
    let without = beat_for(6);
    assert_eq!(without.nodes[0], None);
    assert_eq!(without.nodes[1], before.nodes[1]);
    simulation.happen(&Event::Heal);
    for _ in 0..12 {
        simulation.happen(&Event::Beat(vec![7]));
        simulation.happen(&Event::Wait(500));
    }
    assert_eq!(table(&simulation.state).nodes, before.nodes);
    assert!(simulation.state.pool.epoch > without.epoch);
}

#[test]
fn outdated_nodes_are_replaced_one_by_one_in_their_places() {
    for is_limited in [false, true] {
        let mut simulation = Simulation::new();
        simulation.state.pool.wanted = 3;
        simulation.settle();
        let before = simulation.state.clone();
        simulation.happen(&Event::Limit(is_limited));
        simulation.happen(&Event::Edit);
        simulation.settle();
        let changes = if is_limited { 6 } else { 3 };
        assert_eq!(
            simulation.state.pool.epoch,
            before.pool.epoch + changes,
            "a table more than there had to be"
        );
    }
}

#[test]
fn how_far_a_replacement_has_come_is_told() {
    let mut simulation = Simulation::new();
    simulation.state.pool.wanted = 3;
    simulation.settle();
    simulation.happen(&Event::Edit);
    let mut told = Vec::new();
    for _ in 0..200 {
        for event in [
            Event::List,
            Event::Launch,
            Event::Beat(vec![7]),
            Event::Wait(500),
        ] {
            simulation.happen(&event);
            let now = replacing(&simulation.state, &simulation.seen).map(|r| r.to_string());
            if told.last() != Some(&now) {
                told.push(now);
            }
        }
    }
    let told: Vec<_> = told.into_iter().map(Option::unwrap_or_default).collect();
    let steps = [
        "1 of 3: new image",
        "2 of 3: new image",
        "3 of 3: new image",
        "",
    ];
    assert_eq!(told, steps);
}
