//! Properties of amounts and estimates.

use deployer_core::cost::estimate::{Nodes, estimate};
use deployer_core::money::Microdollars;
use proptest::prelude::*;

use super::{elastic_cache, name, prices};

fn amount() -> impl Strategy<Value = Microdollars> {
    any::<u64>().prop_map(Microdollars)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn amounts_only_grow(a in amount(), b in amount(), seconds in any::<u64>(), more in any::<u64>()) {
        prop_assert!(a + b >= a);
        prop_assert_eq!(a + b, b + a);
        let longer = seconds.saturating_add(more);
        prop_assert!(a.for_seconds(longer) >= a.for_seconds(seconds));
        prop_assert!((a + b).for_seconds(seconds) >= a.for_seconds(seconds));
        prop_assert!(a.less(b) <= a);
    }

    #[test]
    fn parts_of_an_hour_are_not_less_than_the_hour(hourly in 0_u64..1_000_000_000, cut in 0_u64..=3600) {
        let hourly = Microdollars(hourly);
        let parts = hourly.for_seconds(cut) + hourly.for_seconds(3600 - cut);
        prop_assert!(parts >= hourly);
        prop_assert!(parts.0 <= hourly.0 + 1);
    }

    #[test]
    fn what_is_shown_is_never_less_than_what_it_is(micro in 0_u64..10_000_000_000) {
        let shown = Microdollars(micro).to_string();
        let read: Microdollars = format!("{} USD", &shown[1..]).parse().unwrap();
        prop_assert!(read >= Microdollars(micro));
        prop_assert!(read.0 - micro < 10_000);
    }

    #[test]
    fn more_nodes_and_more_time_cost_no_less(
        start in 1_u32..=8, max in 1_u32..=8, more in 0_u32..8, hours in 0_u64..10_000, later in 0_u64..10_000,
    ) {
        let of = |start: u32, max: u32| {
            let mut blueprint = elastic_cache();
            let pool = blueprint.pools.get_mut(&name("cache")).unwrap();
            pool.size.start = start;
            pool.size.max = max.max(start);
            estimate(&blueprint, &prices(), &Nodes::new())
        };
        let (few, many) = (of(start, max), of(start, max + more));
        prop_assert!(many.most() >= few.most());
        prop_assert!(few.most() >= few.now());
        prop_assert!(few.most_for(hours + later) >= few.most_for(hours));
        let lines: u64 = few.lines.iter().map(|line| line.most.0).sum();
        prop_assert_eq!(lines, few.most().0);
    }
}

/// The bill of aws-facts, computed by hand from the same unit prices: nine t3.micro with their
/// addresses and volumes, db.t4g.micro, 72 metrics, and all that can be driven up.
#[test]
fn the_largest_elastic_cache_costs_what_was_worked_out_by_hand() {
    let found = estimate(&elastic_cache(), &prices(), &Nodes::new());
    let sum = |word: &str| -> u64 {
        let lines = found.lines.iter().filter(|line| line.what.contains(word));
        lines.map(|line| line.most.0).sum()
    };
    assert_eq!(sum("t3.micro"), 9 * 10_400);
    assert_eq!(sum("public IPv4"), 9 * 5000);
    assert_eq!(sum("instance/manager: CPU credits"), 90_000);
    assert_eq!(sum("pool/cache: CPU credits"), 8 * 90_000);
    assert_eq!(sum("database/catalog: CPU credits"), 135_000);
    assert_eq!(sum("publish every 5 s"), 8 * 7200);
    assert_eq!(sum("72 metrics"), 29_590);
    assert_eq!(sum("charts"), 6 * 9 * 60 * 10);
    assert!(found.without_price.is_empty());
    assert_eq!(found.most().to_string(), "$1.24");
    assert_eq!(found.now().to_string(), "$0.067");
}
