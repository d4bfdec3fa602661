//! What a change of the pool means for its history.

use catalog::{By, Change, PoolRow};
use jiff::Timestamp;

use crate::wish::policy_name;

const MIB: u64 = 1024 * 1024;

/// The values of the configuration in which `after` differs from `before`, as `configure_cache`
/// names and says them.
#[must_use]
pub fn changes(before: &PoolRow, after: &PoolRow, by: By, at: Timestamp) -> Vec<Change> {
    let values = configuration(before).into_iter().zip(configuration(after));
    values
        .filter(|((_, from), (_, to))| from != to)
        .map(|((what, from), (_, to))| Change {
            at,
            by,
            what: what.to_owned(),
            from,
            to,
        })
        .collect()
}

fn configuration(pool: &PoolRow) -> [(&'static str, String); 8] {
    [
        ("numNodes", pool.wanted.to_string()),
        ("mode", pool.mode.as_str().to_owned()),
        ("cacheSize", megabytes(pool.capacity)),
        ("policy", policy_name(pool.policy).to_owned()),
        ("expRatio", pool.exp_ratio.to_string()),
        ("shrinkRatio", pool.shrink_ratio.to_string()),
        ("maxMiss", pool.max_miss.to_string()),
        ("minMiss", pool.min_miss.to_string()),
    ]
}

/// A blueprint may give a capacity that is no whole number of MB.
fn megabytes(capacity: u64) -> String {
    (capacity as f64 / MIB as f64).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use catalog::{Mode, Policy};

    use super::*;

    fn pool() -> PoolRow {
        PoolRow {
            size: 1,
            ..catalog::test_support::pool()
        }
    }

    #[test]
    fn each_value_that_changed_is_told_as_the_api_says_it() {
        let mut after = pool();
        after.wanted = 3;
        after.mode = Mode::Auto;
        after.capacity = 3 * MIB / 2;
        after.policy = Policy::Random;
        (after.exp_ratio, after.shrink_ratio) = (1.5, 0.25);
        (after.max_miss, after.min_miss) = (0.5, 0.1);
        let changes = changes(&pool(), &after, By::Api, Timestamp::UNIX_EPOCH);
        let told: Vec<_> = changes
            .iter()
            .map(|change| format!("{} {} {}", change.what, change.from, change.to))
            .collect();
        assert_eq!(
            told,
            [
                "numNodes 1 3",
                "mode manual auto",
                "cacheSize 64 1.5",
                "policy LRU RR",
                "expRatio 2 1.5",
                "shrinkRatio 0.5 0.25",
                "maxMiss 0.6 0.5",
                "minMiss 0.2 0.1",
            ]
        );
        assert!(changes.iter().all(|change| change.by == By::Api));
    }

    #[test]
    fn what_is_no_configuration_is_no_change_of_it() {
        let after = PoolRow {
            revision: 2,
            epoch: 2,
            size: 2,
            max: 4,
            ..pool()
        };
        assert_eq!(changes(&pool(), &after, By::Page, Timestamp::now()), []);
    }
}
