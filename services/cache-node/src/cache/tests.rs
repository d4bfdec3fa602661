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
    prop_oneof![Just(Policy::Lru), Just(Policy::Random), Just(Policy::Sieve)]
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

struct Entry {
    key: String,
    value: Value,
    asked: bool,
}

/// Entries from the oldest to the newest: in use, or under SIEVE in order of arrival.
struct Model {
    entries: Vec<Entry>,
    /// The place among them where SIEVE looks next; `None` is the first.
    hand: Option<usize>,
    configuration: Configuration,
}

impl Model {
    fn new(configuration: Configuration) -> Self {
        Self {
            entries: Vec::new(),
            hand: None,
            configuration,
        }
    }

    fn bytes(&self) -> u64 {
        self.entries
            .iter()
            .map(|entry| (entry.key.len() + entry.value.content.len()) as u64)
            .sum()
    }

    fn keys(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.key.clone()).collect()
    }

    fn get(&mut self, key: &str) -> Option<Value> {
        let place = self.entries.iter().position(|entry| entry.key == key)?;
        if self.configuration.policy == Policy::Sieve {
            self.entries[place].asked = true;
        } else {
            let entry = self.entries.remove(place);
            self.entries.push(entry);
        }
        Some(
            self.entries
                .iter()
                .find(|entry| entry.key == key)?
                .value
                .clone(),
        )
    }

    fn add(&mut self, key: &str, value: Value) {
        self.entries.push(Entry {
            key: key.to_owned(),
            value,
            asked: false,
        });
    }

    /// Keeps some; a hand that loses its entry points to the next newer one that stays.
    fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let newer = |hand: usize| {
            self.entries
                .iter()
                .skip(hand)
                .find(|entry| keep(&entry.key))
        };
        let pointed = self.hand.and_then(newer).map(|entry| entry.key.clone());
        self.entries.retain(|entry| keep(&entry.key));
        self.hand = pointed.and_then(|key| self.entries.iter().position(|entry| entry.key == key));
    }

    fn configure(&mut self, configuration: Configuration) {
        if configuration.policy != self.configuration.policy {
            self.hand = None;
        }
        self.configuration = configuration;
    }

    /// Gives up what the policy says; under the random policy, what the cache gave up.
    fn evict(&mut self, bytes: u64, cache: &Cache<StdRng>) {
        if self.configuration.policy == Policy::Random {
            self.retain(|key| cache.index.contains_key(key));
        }
        while self.bytes() > bytes {
            let victim = match self.configuration.policy {
                Policy::Sieve => self.sift(),
                Policy::Lru | Policy::Random => self.entries[0].key.clone(),
            };
            self.retain(|key| key != victim);
        }
    }

    /// The paper's algorithm, over a list.
    fn sift(&mut self) -> String {
        let mut hand = self.hand.unwrap_or(0);
        while self.entries[hand].asked {
            self.entries[hand].asked = false;
            hand = (hand + 1) % self.entries.len();
        }
        self.hand = Some(hand);
        self.entries[hand].key.clone()
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
    let before = cache.items();
    let filled = cache.fill(key, lease, value.clone(), now);
    let capacity = model.configuration.capacity;
    if weight > capacity {
        assert_eq!(filled, Fill::TooLarge);
        assert_eq!(cache.items(), before, "what does not fit displaces nothing");
        return;
    }
    assert_eq!(filled, Fill::Stored);
    assert_eq!(cache.fill(key, lease, value.clone(), now), Fill::Void);
    model.evict(capacity - weight, cache);
    model.add(key, value);
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
            model.retain(|own| own != name(key));
        }
        Operation::Clear => {
            cache.clear();
            model.retain(|_| false);
        }
        Operation::Retain { nodes } => {
            cache.retain(|partition| usize::from(partition) % nodes == 0);
            model.retain(|key| kit::placement::owner(key, nodes) == Some(0));
        }
        Operation::Configure { capacity, policy } => {
            let configuration = Configuration { capacity, policy };
            cache.configure(configuration);
            model.configure(configuration);
            model.evict(capacity, cache);
        }
    }
}

/// The order, oldest first, as the links tell it in both directions.
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
    fn the_cache_is_a_list_in_order(
        capacity in 0_u64..400,
        policy in policy(),
        operations in prop::collection::vec(operation(), 1..200),
    ) {
        let configuration = Configuration { capacity, policy };
        let mut cache = Cache::new(configuration, StdRng::seed_from_u64(7));
        let mut model = Model::new(configuration);
        let now = Instant::now();
        for operation in operations {
            apply(&mut cache, &mut model, &operation, now);
            prop_assert_eq!(order(&cache), model.keys());
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
fn sieve_spares_what_was_asked_for_once_and_moves_nothing() {
    let mut cache = filled(Policy::Sieve, 4);
    let now = Instant::now();
    cache.get("0000", now);
    cache.get("0002", now);
    let shrink_to = |cache: &mut Cache<StdRng>, capacity| {
        cache.configure(Configuration {
            capacity,
            policy: Policy::Sieve,
        });
        order(cache)
    };
    assert_eq!(shrink_to(&mut cache, 30), ["0000", "0002", "0003"]);
    // The hand goes on from there: 0002 is spared, 0003 is not, and then it begins anew at 0000.
    assert_eq!(shrink_to(&mut cache, 20), ["0000", "0002"]);
    cache.get("0000", now);
    assert_eq!(shrink_to(&mut cache, 10), ["0000"]);
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

#[test]
fn what_others_had_goes_evenly_into_the_order() {
    let now = Instant::now();
    let lru = |capacity| Configuration {
        capacity,
        policy: Policy::Lru,
    };
    let value = || Value {
        content: Bytes::from_static(&[7; 10]),
        content_type: HeaderValue::from_static("image/png"),
    };
    let mut cache = Cache::new(lru(1000), StdRng::seed_from_u64(1));
    for key in ["old", "new"] {
        let lease = cache.lease(key, now);
        assert_eq!(cache.fill(key, lease, value(), now), Fill::Stored);
    }
    let others = ["first", "new", "second", "third", "last"];
    cache.admit(others.map(|key| (Arc::from(key), value())).into());
    let order = |cache: &Cache<StdRng>| {
        let keys = cache.keys(|_| true);
        keys.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let all = ["first", "new", "second", "third", "old", "last"];
    assert_eq!(
        (order(&cache), cache.items()),
        (all.map(str::to_owned).into(), 6)
    );
    cache.configure(lru(39));
    assert_eq!(order(&cache), ["first", "new"]);
    assert_eq!(cache.bytes(), 15 + 13);
}
