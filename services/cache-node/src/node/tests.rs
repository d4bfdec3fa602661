#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::HeaderValue;
use kit::pool::Policy;
use rand::Rng;

use super::*;

const LEASE: Duration = Duration::from_millis(2000);

fn node(capacity: u64, now: Instant) -> Node {
    Node::new(
        "i-1".to_owned(),
        Configuration {
            capacity,
            policy: Policy::Lru,
        },
        now,
    )
}

fn place(epoch: u64, position: usize, nodes: usize) -> Place {
    Place {
        epoch,
        position,
        nodes,
        lease_ms: 2000,
        ..Place::default()
    }
}

fn value(size: usize) -> Value {
    Value {
        content: Bytes::from(vec![7; size]),
        content_type: HeaderValue::from_static("image/png"),
    }
}

fn miss(node: &Node, key: &str, epoch: u64, now: Instant) -> u64 {
    match node.get(key, epoch, now).unwrap() {
        Lookup::Miss(lease) => lease,
        Lookup::Hit(_) => panic!("{key} is there already"),
    }
}

fn keep(node: &Node, key: &str, epoch: u64, now: Instant) {
    let lease = miss(node, key, epoch, now);
    assert_eq!(
        node.fill(key, epoch, lease, value(10), now),
        Ok(Fill::Stored)
    );
}

#[test]
fn nothing_is_served_without_a_table_or_after_the_lease() {
    let now = Instant::now();
    let node = node(1000, now);
    assert_eq!(node.get("k1", 1, now), Err(Refusal::NoLease));
    assert_eq!(node.invalidate("k1", 1, now), Err(Refusal::NoLease));
    node.adopt(place(1, 0, 1), now).unwrap();
    keep(&node, "k1", 1, now);
    assert!(
        node.get("k1", 1, now + LEASE - Duration::from_millis(1))
            .is_ok()
    );
    assert_eq!(node.get("k1", 1, now + LEASE), Err(Refusal::NoLease));
    assert_eq!(
        node.fill("k1", 1, 0, value(1), now + LEASE),
        Err(Refusal::NoLease)
    );
    assert!(!node.is_serving(now + LEASE));
    node.adopt(place(1, 0, 1), now + LEASE).unwrap();
    assert!(
        matches!(node.get("k1", 1, now + LEASE), Ok(Lookup::Hit(_))),
        "the same table: nothing missed"
    );
}

#[test]
fn an_invalidation_counts_even_after_the_lease() {
    let now = Instant::now();
    let node = node(1000, now);
    node.adopt(place(1, 0, 1), now).unwrap();
    keep(&node, "k1", 1, now);
    assert_eq!(node.invalidate("k1", 1, now + LEASE), Ok(Invalidated::Done));
    node.adopt(place(1, 0, 1), now + LEASE).unwrap();
    assert!(matches!(
        node.get("k1", 1, now + LEASE),
        Ok(Lookup::Miss(_))
    ));
}

#[test]
fn another_epoch_is_refused_but_never_leaves_a_stale_entry() {
    let now = Instant::now();
    let node = node(1000, now);
    node.adopt(place(7, 0, 1), now).unwrap();
    keep(&node, "k1", 7, now);
    for other in [6, 8] {
        assert_eq!(node.get("k1", other, now), Err(Refusal::Epoch(7)));
    }
    assert_eq!(node.invalidate("k1", 8, now), Err(Refusal::Epoch(7)));
    assert!(matches!(node.get("k1", 7, now), Ok(Lookup::Miss(_))));
    assert_eq!(
        node.adopt(place(6, 0, 1), now),
        Err(TableError::Old { own: 7 })
    );
    assert_eq!(node.adopt(place(8, 1, 1), now), Err(TableError::Place));
    assert_eq!(node.adopt(place(8, 0, 0), now), Err(TableError::Place));
}

#[test]
fn a_new_table_keeps_what_is_still_owned() {
    let now = Instant::now();
    let node = node(1000, now);
    node.adopt(place(1, 0, 1), now).unwrap();
    keep(&node, "k1", 1, now); // partition 11
    keep(&node, "k2", 1, now); // partition 6
    let lease = miss(&node, "test_1", 1, now);
    node.adopt(place(2, 0, 2), now).unwrap();
    assert_eq!(node.statistics(now).items, 1);
    assert!(matches!(node.get("k2", 2, now), Ok(Lookup::Hit(_))));
    assert_eq!(node.get("k1", 2, now), Err(Refusal::NotOwner));
    let owner = placement::owner("test_1", 2);
    let filled = node.fill("test_1", 2, lease, value(1), now);
    assert_eq!(
        filled,
        if owner == Some(0) {
            Ok(Fill::Stored)
        } else {
            Err(Refusal::NotOwner)
        }
    );
    node.adopt(place(3, 0, 1), now).unwrap();
    assert!(
        matches!(node.get("k1", 3, now), Ok(Lookup::Miss(_))),
        "what moved away is gone"
    );
}

#[test]
fn a_lease_of_a_partition_that_left_is_void_when_it_comes_back() {
    let now = Instant::now();
    let node = node(1000, now);
    node.adopt(place(1, 0, 1), now).unwrap();
    let lease = miss(&node, "k1", 1, now);
    node.adopt(place(2, 0, 2), now).unwrap();
    node.adopt(place(3, 0, 1), now).unwrap();
    assert_eq!(node.fill("k1", 3, lease, value(1), now), Ok(Fill::Void));
}

#[test]
fn a_node_that_was_left_out_comes_back_empty() {
    for (later, epoch) in [(LEASE, 2), (Duration::ZERO, 3)] {
        let now = Instant::now();
        let node = node(1000, now);
        node.adopt(place(1, 0, 1), now).unwrap();
        keep(&node, "k1", 1, now);
        let lease = miss(&node, "k2", 1, now);
        node.adopt(place(epoch, 0, 1), now + later).unwrap();
        assert_eq!(node.statistics(now).items, 0);
        assert_eq!(
            node.fill("k2", epoch, lease, value(1), now + later),
            Ok(Fill::Void)
        );
    }
}

#[test]
fn statistics_count_what_was_asked() {
    let now = Instant::now();
    let node = node(1000, now);
    assert_eq!(node.statistics(now).epoch, 0);
    node.adopt(place(4, 0, 1), now).unwrap();
    keep(&node, "k1", 4, now);
    node.get("k1", 4, now).unwrap();
    node.invalidate("nothing", 4, now).unwrap();
    let statistics = node.statistics(now);
    let counts = Counts {
        requests: 4,
        lookups: 2,
        hits: 1,
        misses: 1,
    };
    assert_eq!((statistics.total, statistics.last_minute), (counts, counts));
    assert_eq!(
        (statistics.epoch, statistics.items, statistics.bytes),
        (4, 1, 12)
    );
}

#[test]
fn many_threads_leave_the_accounts_exact() {
    const THREADS: u64 = 8;
    const ROUNDS: u64 = 4000;
    let now = Instant::now();
    let node = node(4000, now);
    node.adopt(place(1, 0, 1), now).unwrap();
    let (requests, stored) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for seed in 0..THREADS {
            let (node, requests, stored) = (&node, &requests, &stored);
            scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(seed);
                for round in 0..ROUNDS {
                    let key = format!("key-{}", random.random_range(0..200));
                    requests.fetch_add(1, Ordering::Relaxed);
                    if let Ok(Lookup::Miss(lease)) = node.get(&key, 1, now) {
                        requests.fetch_add(1, Ordering::Relaxed);
                        let size = random.random_range(0..100);
                        if node.fill(&key, 1, lease, value(size), now) == Ok(Fill::Stored) {
                            stored.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    if round % 50 == 0 {
                        requests.fetch_add(1, Ordering::Relaxed);
                        node.invalidate(&key, 1, now).unwrap();
                    }
                    let bytes = node.statistics(now).bytes;
                    assert!(bytes <= 4000, "{bytes} bytes");
                }
            });
        }
    });
    let statistics = node.statistics(now);
    assert_eq!(statistics.total.requests, requests.load(Ordering::Relaxed));
    assert_eq!(statistics.total.lookups, THREADS * ROUNDS);
    assert_eq!(
        statistics.total.hits + statistics.total.misses,
        statistics.total.lookups
    );
    assert!(stored.load(Ordering::Relaxed) > 200);
    let mut weighed = 0;
    let mut found = 0;
    for key in (0..200).map(|number| format!("key-{number}")) {
        if let Ok(Lookup::Hit(value)) = node.get(&key, 1, now) {
            weighed += (key.len() + value.content.len()) as u64;
            found += 1;
        }
    }
    assert_eq!((statistics.items, statistics.bytes), (found, weighed));
}

/// A hand-over of node 0 of one to nodes 0 and 1 of two.
fn hand_over(number: u64) -> Place {
    let member = |instance: &str| {
        Some(kit::pool::Member {
            instance: instance.to_owned(),
            address: "127.0.0.1:1".to_owned(),
        })
    };
    Place {
        revision: number,
        hand_over: Some(HandOver {
            number,
            nodes: vec![member("i-1"), member("i-2")],
        }),
        ..place(1, 0, 1)
    }
}

fn parcel(node: &Node, number: u64) -> Parcel {
    match node.parcel(number) {
        Next::Parcel(parcel) => parcel,
        other => panic!("no parcel but {other:?}"),
    }
}

fn heir(now: Instant) -> Node {
    let configuration = Configuration {
        capacity: 1000,
        policy: Policy::Lru,
    };
    Node::new("i-2".to_owned(), configuration, now)
}

/// A node that holds k1 and has just been told to hand it over, and the heir.
fn handing_k1_over(now: Instant) -> (Node, Node) {
    let node = node(1000, now);
    node.adopt(place(1, 0, 1), now).unwrap();
    keep(&node, "k1", 1, now);
    node.adopt(hand_over(1), now).unwrap();
    (node, heir(now))
}

/// Sends a parcel, to the life that the node has.
fn receive(node: &Node, parcel: &Parcel) -> Put {
    let value = || parcel.value.clone();
    let put = |life| node.receive(parcel.number, &parcel.key, value(), parcel.mark, life);
    let Put::OtherLife(own) = put(None) else {
        panic!("taken by anybody");
    };
    put(Some(own))
}

#[test]
fn what_was_meant_for_an_earlier_life_is_sent_anew() {
    let now = Instant::now();
    let (node, heir) = handing_k1_over(now);
    let first = parcel(&node, 1);
    assert_eq!(first.heir_life, None);
    let heir_life = |heir: &Node| match heir.receive(9, "x", value(1), first.mark, None) {
        Put::OtherLife(own) => own,
        other => panic!("{other:?}"),
    };
    node.sent(&first, Sent::OtherLife(heir_life(&heir)));
    assert_eq!(parcel(&node, 1).heir_life, Some(heir_life(&heir)));
}

/// k1 is in partition 11, k2 in 6: of two nodes the second owns k1.
#[test]
fn only_what_will_be_anothers_is_handed_over_and_served_meanwhile() {
    let now = Instant::now();
    let node = node(1000, now);
    node.adopt(place(1, 0, 1), now).unwrap();
    keep(&node, "k1", 1, now);
    keep(&node, "k2", 1, now);
    let adopted = node.adopt(hand_over(1), now).unwrap();
    assert_eq!(adopted.begun, Some(1));
    assert_eq!(adopted.progress.unwrap().left, 1);
    let parcel = parcel(&node, 1);
    assert_eq!((&*parcel.key, &*parcel.to.instance), ("k1", "i-2"));
    assert!(matches!(node.parcel(1), Next::Nothing));
    assert!(matches!(node.get("k1", 1, now), Ok(Lookup::Hit(_))));
    node.sent(&parcel, Sent::Moved);
    let adopted = node.adopt(hand_over(1), now).unwrap();
    let progress = adopted.progress.unwrap();
    assert_eq!((adopted.begun, progress.left), (None, 0), "begun once");
    assert_eq!((progress.moved, progress.moved_bytes), (1, 12));
    node.adopt(place(1, 0, 1), now).unwrap_err();
    let over = Place {
        revision: 2,
        ..place(1, 0, 1)
    };
    assert_eq!(node.adopt(over, now).unwrap().progress, None);
    assert!(matches!(node.parcel(1), Next::Over));
}

#[test]
fn an_entry_that_was_invalidated_on_its_way_does_not_arrive_any_more() {
    let now = Instant::now();
    let (node, heir) = handing_k1_over(now);
    let late = parcel(&node, 1);
    let Ok(Invalidated::PassOn(pass)) = node.invalidate("k1", 1, now) else {
        panic!("the heir has to know");
    };
    heir.drop_received(pass.number, "k1", pass.mark);
    assert_eq!(receive(&heir, &late), Put::Overtaken);
    keep(&node, "k1", 1, now);
    let newer = parcel(&node, 1);
    assert_eq!(receive(&heir, &newer), Put::Kept);
    assert_eq!(receive(&heir, &late), Put::Overtaken);
    let key_of_the_other = node.invalidate("k2", 1, now);
    assert_eq!(key_of_the_other, Ok(Invalidated::Done));
}

#[test]
fn what_an_earlier_life_sent_does_not_arrive_after_a_later_ones_invalidation() {
    let now = Instant::now();
    let (node, heir) = handing_k1_over(now);
    let late = parcel(&node, 1);
    let other_life = Mark {
        life: late.mark.life.wrapping_add(1),
        sequence: 1,
    };
    heir.drop_received(1, "k1", other_life);
    assert_eq!(receive(&heir, &late), Put::Overtaken);
    heir.drop_received(1, "k1", late.mark);
    let much_later = Parcel {
        mark: Mark {
            sequence: u64::MAX,
            ..late.mark
        },
        ..late
    };
    assert_eq!(
        receive(&heir, &much_later),
        Put::Overtaken,
        "no order of lives"
    );
}

#[test]
fn only_the_hand_over_that_made_a_table_counts_in_it() {
    let now = Instant::now();
    for (taken, is_there) in [(1, true), (0, false), (2, false)] {
        let (node, heir) = handing_k1_over(now);
        let parcel = parcel(&node, 1);
        assert_eq!(receive(&heir, &parcel), Put::Kept);
        assert_eq!(heir.statistics(now).items, 0, "put aside");
        let next = Place {
            taken,
            ..place(2, 1, 2)
        };
        heir.adopt(next, now).unwrap();
        let found = heir.get("k1", 2, now).unwrap();
        assert_eq!(matches!(found, Lookup::Hit(_)), is_there, "{taken}");
        assert_eq!(receive(&heir, &parcel), Put::Closed, "{taken}: too late");
    }
}

#[test]
fn a_clear_voids_what_is_handed_over_and_what_is_on_its_way() {
    let now = Instant::now();
    let (node, heir) = handing_k1_over(now);
    let parcel = parcel(&node, 1);
    heir.clear(1);
    assert_eq!(receive(&heir, &parcel), Put::Closed, "before it arrived");
    node.sent(&parcel, Sent::NotWanted);
    node.clear(1);
    assert!(matches!(node.parcel(1), Next::Nothing));
}

#[test]
fn a_heir_takes_no_more_than_its_capacity() {
    let now = Instant::now();
    let heir = heir(now);
    let mark = |sequence| Mark { life: 1, sequence };
    let receive = |key: &str, size, sequence| {
        let parcel = Parcel {
            to: kit::pool::Member {
                instance: "i-2".to_owned(),
                address: "127.0.0.1:1".to_owned(),
            },
            number: 1,
            key: key.into(),
            value: value(size),
            mark: mark(sequence),
            heir_life: None,
        };
        receive(&heir, &parcel)
    };
    assert_eq!(receive("a", 600, 1), Put::Kept);
    assert_eq!(receive("b", 600, 2), Put::Full);
    assert_eq!(receive("b", 9, 1), Put::Overtaken);
    assert_eq!(receive("a", 900, 3), Put::Kept, "instead");
}

#[test]
fn a_table_for_another_node_is_refused() {
    let now = Instant::now();
    let node = node(1000, now);
    let other = Place {
        instance: Some("i-9".to_owned()),
        ..place(1, 0, 1)
    };
    assert_eq!(
        node.adopt(other, now),
        Err(TableError::Other {
            own: "i-1".to_owned()
        })
    );
    assert!(!node.is_serving(now));
}
