//! Random operations against a list that is searched from end to end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

#[derive(Debug, Clone)]
enum Operation {
    Get(u8),
    Fill { key: u8, size: u8, stale: bool },
    Invalidate(u8),
    Clear,
    Retain { nodes: usize },
    Configure { capacity: u64, policy: Policy },
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![Just(Policy::Lru), Just(Policy::Random)]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => (0_u8..24).prop_map(Operation::Get),
        12 => (0_u8..24, 0_u8..60, prop::bool::weighted(0.1))
            .prop_map(|(key, size, stale)| Operation::Fill { key, size, stale }),
        3 => (0_u8..24).prop_map(Operation::Invalidate),
        1 => Just(Operation::Clear),
        1 => (1_usize..5).prop_map(|nodes| Operation::Retain { nodes }),
        1 => (0_u64..400, policy())
            .prop_map(|(capacity, policy)| Operation::Configure { capacity, policy }),
    ]
}

/// Entries from the oldest in use to the newest.
#[derive(Default)]
struct Model {
    entries: Vec<(String, Value)>,
    capacity: u64,
}

impl Model {
    fn bytes(&self) -> u64 {
        self.entries
            .iter()
            .map(|(key, value)| (key.len() + value.content.len()) as u64)
            .sum()
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        let place = self.entries.iter().position(|(own, _)| own == key)?;
        Some(self.entries.remove(place).1)
    }

    fn get(&mut self, key: &str) -> Option<Value> {
        let value = self.take(key)?;
        self.entries.push((key.to_owned(), value.clone()));
        Some(value)
    }

    /// Gives up the oldest; under the random policy, what the cache gave up.
    fn evict(&mut self, bytes: u64, cache: &Cache<StdRng>) {
        if cache.configuration.policy == Policy::Random {
            self.entries
                .retain(|(key, _)| cache.index.contains_key(key.as_str()));
        }
        while self.bytes() > bytes {
            self.entries.remove(0);
        }
    }
}

fn name(key: u8) -> String {
    "k".repeat(usize::from(key) % 5 + 1) + &key.to_string()
}

fn value(size: u8) -> Value {
    Value {
        content: Bytes::from(vec![size; usize::from(size)]),
        content_type: HeaderValue::from_static("image/png"),
    }
}

fn fill(
    cache: &mut Cache<StdRng>,
    model: &mut Model,
    key: &str,
    value: Value,
    stale: bool,
    now: Instant,
) {
    // A lease is to be had by a miss only; whoever hits has no need to fill.
    let Lookup::Miss(lease) = cache.get(key, now) else {
        model.get(key);
        return;
    };
    if stale {
        cache.invalidate(key);
        assert_eq!(cache.fill(key, lease, value, now), Fill::Void);
        return;
    }
    let weight = (key.len() + value.content.len()) as u64;
    let before: Vec<String> = model.entries.iter().map(|(key, _)| key.clone()).collect();
    let filled = cache.fill(key, lease, value.clone(), now);
    if weight > model.capacity {
        assert_eq!(filled, Fill::TooLarge);
        assert_eq!(
            cache.items() as usize,
            before.len(),
            "what does not fit displaces nothing"
        );
        return;
    }
    assert_eq!(filled, Fill::Stored);
    assert_eq!(cache.fill(key, lease, value.clone(), now), Fill::Void);
    model.evict(model.capacity - weight, cache);
    model.entries.push((key.to_owned(), value));
}

fn apply(cache: &mut Cache<StdRng>, model: &mut Model, operation: &Operation, now: Instant) {
    match *operation {
        Operation::Get(key) => match (cache.get(&name(key), now), model.get(&name(key))) {
            (Lookup::Hit(found), Some(expected)) => assert_eq!(found, expected),
            (Lookup::Miss(_), None) => {}
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        },
        Operation::Fill { key, size, stale } => {
            fill(cache, model, &name(key), value(size), stale, now);
        }
        Operation::Invalidate(key) => {
            cache.invalidate(&name(key));
            model.take(&name(key));
        }
        Operation::Clear => {
            cache.clear();
            model.entries.clear();
        }
        Operation::Retain { nodes } => {
            cache.retain(|partition| usize::from(partition) % nodes == 0);
            model
                .entries
                .retain(|(key, _)| kit::placement::owner(key, nodes) == Some(0));
        }
        Operation::Configure { capacity, policy } => {
            cache.configure(Configuration { capacity, policy });
            model.capacity = capacity;
            model.evict(capacity, cache);
        }
    }
}

/// The order of use, oldest first, as the links tell it in both directions.
fn order(cache: &Cache<StdRng>) -> Vec<String> {
    let mut forwards = Vec::new();
    let mut slot = cache.oldest;
    while let Some(entry) = cache.slots.get(slot) {
        forwards.push(entry.key.to_string());
        slot = entry.newer;
    }
    let mut backwards = Vec::new();
    let mut slot = cache.newest;
    while let Some(entry) = cache.slots.get(slot) {
        backwards.push(entry.key.to_string());
        slot = entry.older;
    }
    backwards.reverse();
    assert_eq!(forwards, backwards);
    forwards
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_cache_is_a_list_in_order_of_use(
        capacity in 0_u64..400,
        policy in policy(),
        operations in prop::collection::vec(operation(), 1..200),
    ) {
        let mut cache = Cache::new(Configuration { capacity, policy }, StdRng::seed_from_u64(7));
        let mut model = Model { capacity, ..Model::default() };
        let now = Instant::now();
        for operation in operations {
            apply(&mut cache, &mut model, &operation, now);
            let expected: Vec<String> = model.entries.iter().map(|(key, _)| key.clone()).collect();
            prop_assert_eq!(order(&cache), expected);
            prop_assert_eq!(cache.bytes(), model.bytes());
            prop_assert_eq!(cache.items() as usize, model.entries.len());
            prop_assert!(cache.bytes() <= cache.configuration().capacity);
        }
    }
}

fn filled(policy: Policy, count: usize) -> Cache<StdRng> {
    let configuration = Configuration {
        capacity: u64::MAX,
        policy,
    };
    let mut cache = Cache::new(configuration, StdRng::seed_from_u64(1));
    let now = Instant::now();
    for key in 0..count {
        let key = format!("{key:04}");
        let Lookup::Miss(lease) = cache.get(&key, now) else {
            panic!("{key} is there already")
        };
        cache.fill(&key, lease, value(6), now);
    }
    cache
}

#[test]
fn a_hit_hands_out_the_very_bytes_that_were_filled_in() {
    let mut cache = filled(Policy::Lru, 0);
    let now = Instant::now();
    let Lookup::Miss(lease) = cache.get("a", now) else {
        panic!("an empty cache has a")
    };
    let original = value(9);
    let address = original.content.as_ptr();
    cache.fill("a", lease, original, now);
    let Lookup::Hit(found) = cache.get("a", now) else {
        panic!("a is gone")
    };
    assert_eq!(found.content.as_ptr(), address);
}

#[test]
fn the_random_policy_spares_no_place_and_prefers_none() {
    // Half of 1000 entries go. Each half of the order of use is expected to lose 250, with a
    // standard deviation of 11; the seed is fixed.
    let mut cache = filled(Policy::Random, 1000);
    cache.configure(Configuration {
        capacity: 5000,
        policy: Policy::Random,
    });
    assert_eq!((cache.items(), cache.bytes()), (500, 5000));
    let older = order(&cache)
        .iter()
        .filter(|key| key.as_str() < "0500")
        .count();
    assert!(
        (190..=310).contains(&older),
        "{older} of the older half are left"
    );
}

#[test]
fn a_smaller_capacity_or_another_policy_counts_at_once() {
    let mut cache = filled(Policy::Random, 10);
    cache.configure(Configuration {
        capacity: 35,
        policy: Policy::Lru,
    });
    assert_eq!(order(&cache), ["0007", "0008", "0009"]);
    cache.configure(Configuration {
        capacity: 0,
        policy: Policy::Lru,
    });
    assert_eq!((cache.items(), cache.bytes()), (0, 0));
}
