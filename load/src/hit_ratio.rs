//! How often each replacement policy finds what is asked for: the same trace through the cache that
//! the nodes run, and through an optimum that knows the future.

mod optimum;
mod trace;

use std::time::Instant;

use bytes::Bytes;
use cache_node::cache::{Cache, Lookup, Value};
use http::HeaderValue;
use kit::pool::{Configuration, Policy};
use rand::SeedableRng;
use rand::rngs::StdRng;

pub use crate::zipf::Lawless;
use trace::zipf;

/// The policies that are compared.
const POLICIES: [Policy; 3] = [Policy::Lru, Policy::Random, Policy::Sieve];

/// Every entry weighs the same, so that the optimum can be computed: Belady's algorithm is none for
/// entries of several sizes.
const ENTRY: usize = 64;

/// What is asked for, and how much the cache holds.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// How many objects there are.
    pub objects: u32,
    /// How often one is asked for. The first half fills the cache and is not counted.
    pub lookups: usize,
    /// The exponent of Zipf's law: the object of rank r is asked for in proportion to r^-s.
    pub skew: f64,
    /// The seed of the trace and of the random policy.
    pub seed: u64,
    /// The share of all bytes that the cache holds, one row each.
    pub capacities: Vec<f64>,
}

/// Hits over look-ups, for one capacity.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The share of all bytes that the cache holds.
    pub capacity: f64,
    /// Least recently used.
    pub lru: f64,
    /// Random replacement.
    pub random: f64,
    /// SIEVE.
    pub sieve: f64,
    /// What nobody can do better than, knowing the future.
    pub optimum: f64,
}

/// Runs the experiment.
///
/// # Errors
/// When there are no objects, or the exponent is no number.
pub fn run(experiment: &Experiment) -> Result<Vec<Row>, Lawless> {
    let trace = zipf(experiment)?;
    let row = |capacity: &f64| {
        // A cache of less than one entry holds none.
        let entries = (f64::from(experiment.objects) * capacity) as usize;
        let [lru, random, sieve] = POLICIES.map(|policy| {
            let hits = replay(&trace, entries, policy, experiment.seed);
            ratio(&hits)
        });
        Row {
            capacity: *capacity,
            lru,
            random,
            sieve,
            optimum: ratio(&optimum::replay(&trace, entries)),
        }
    };
    Ok(experiment.capacities.iter().map(row).collect())
}

/// Sends a trace through a node's cache as front-ends do: look up, and fill in what was missed.
/// Whether each look-up was a hit.
fn replay(trace: &[u32], entries: usize, policy: Policy, seed: u64) -> Vec<bool> {
    let configuration = Configuration {
        capacity: (entries * ENTRY) as u64,
        policy,
    };
    let mut cache = Cache::new(configuration, StdRng::seed_from_u64(seed));
    let now = Instant::now();
    let look_up = |object: &u32| {
        let key = format!("{object:010}");
        match cache.get(&key, now) {
            Lookup::Hit(_) => true,
            Lookup::Miss(lease) => {
                cache.fill(&key, lease, value(&key), now);
                false
            }
        }
    };
    trace.iter().map(look_up).collect()
}

fn value(key: &str) -> Value {
    static CONTENT: [u8; ENTRY] = [0; ENTRY];
    Value {
        content: Bytes::from_static(&CONTENT[key.len()..]),
        content_type: HeaderValue::from_static("image/png"),
    }
}

/// The share of hits in the second half.
fn ratio(hits: &[bool]) -> f64 {
    let counted = &hits[hits.len() / 2..];
    counted.iter().filter(|hit| **hit).count() as f64 / counted.len().max(1) as f64
}

/// The rows as a table for people.
#[must_use]
pub fn table(experiment: &Experiment, rows: &[Row]) -> String {
    let Experiment {
        objects,
        lookups,
        skew,
        seed,
        ..
    } = experiment;
    let mut lines = vec![
        format!("Hits in percent of look-ups: {objects} objects of one size, Zipf {skew},"),
        format!("{lookups} look-ups of which the second half counts, seed {seed}"),
        String::new(),
        "capacity     LRU      RR   SIEVE   optimum".to_owned(),
    ];
    lines.extend(rows.iter().map(|row| {
        let percent =
            [row.lru, row.random, row.sieve].map(|ratio| format!("{:8.1}", ratio * 100.0));
        format!(
            "{:6.1} %{}{:10.1}",
            row.capacity * 100.0,
            percent.concat(),
            row.optimum * 100.0
        )
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    fn small() -> Experiment {
        Experiment {
            objects: 5_000,
            lookups: 100_000,
            skew: 0.9,
            seed: 1,
            capacities: vec![0.01, 0.1],
        }
    }

    #[test]
    fn sieve_finds_more_than_lru_and_the_optimum_most() {
        let rows = run(&small()).unwrap();
        for row in &rows {
            assert!(row.sieve > row.lru + 0.03, "{row:?}");
            assert!(row.optimum > row.sieve && row.optimum < 1.0, "{row:?}");
            assert!((row.lru - row.random).abs() < 0.05, "{row:?}");
        }
        assert_eq!(run(&small()).unwrap(), rows, "a seed gives one result");
        assert!(
            table(&small(), &rows).contains("capacity     LRU      RR   SIEVE   optimum\n   1.0 %")
        );
    }

    #[test]
    fn a_skew_that_is_no_number_is_refused() {
        for skew in [f64::NAN, -1.0, f64::INFINITY] {
            assert!(run(&Experiment { skew, ..small() }).is_err(), "{skew}");
        }
        assert!(
            run(&Experiment {
                objects: 0,
                ..small()
            })
            .is_err()
        );
    }

    proptest! {
        #[test]
        fn no_policy_does_better_than_the_optimum(
            trace in prop::collection::vec(0_u32..12, 0..120),
            entries in 0_usize..8,
        ) {
            let count = |hits: &[bool]| hits.iter().filter(|hit| **hit).count();
            let most = count(&optimum::replay(&trace, entries));
            for policy in POLICIES {
                let hits = replay(&trace, entries, policy, 7);
                prop_assert!(count(&hits) <= most, "{policy:?}");
            }
        }
    }
}
