//! Budgets: what does not keep to one is refused, and what is suggested then keeps to it.

use deployer_core::blueprint::{Blueprint, Budget, CpuCredits};
use deployer_core::cost::budget::{Edit, Exceeded, Limit, Overrun, Question, check};
use deployer_core::cost::estimate::Nodes;
use deployer_core::expiry::Lifetime;
use deployer_core::money::Microdollars;
use proptest::prelude::*;

use super::{elastic_cache, name, prices};

const HOURS: u64 = 8;

fn ask(blueprint: &Blueprint, seconds: Option<u64>) -> Result<(), Overrun> {
    check(&Question {
        blueprint,
        prices: &prices(),
        nodes: &Nodes::new(),
        seconds,
        spent: None,
    })
}

fn exceeded(blueprint: &Blueprint) -> Exceeded {
    match ask(blueprint, Some(HOURS * 3600)) {
        Err(Overrun::Exceeded(exceeded)) => *exceeded,
        other => panic!("{other:?}"),
    }
}

fn with(per_hour: Option<u64>, total: Option<u64>) -> Blueprint {
    let mut blueprint = elastic_cache();
    blueprint.budget = Some(Budget {
        per_hour: per_hour.map(Microdollars),
        total: total.map(Microdollars),
    });
    blueprint
}

/// How long the blueprint lives after an edit.
fn seconds(edits: &[Edit]) -> u64 {
    let ttl = edits.iter().find_map(|edit| match edit {
        Edit::Ttl(ttl) => Some(ttl.seconds()),
        _ => None,
    });
    ttl.unwrap_or(HOURS * 3600)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whoever_follows_a_suggestion_is_not_refused(
        per_hour in proptest::option::of(50_000_u64..1_500_000),
        total in proptest::option::of(400_000_u64..12_000_000),
        large in any::<bool>(),
    ) {
        let mut blueprint = with(per_hour, total);
        if large {
            let pool = blueprint.pools.get_mut(&name("cache")).unwrap();
            pool.machine = "t3.large".into();
            blueprint.databases.get_mut(&name("catalog")).unwrap().class = "db.t4g.large".into();
        }
        if let Err(Overrun::Exceeded(exceeded)) = ask(&blueprint, Some(HOURS * 3600)) {
            prop_assert!(exceeded.most > exceeded.allowed);
            prop_assert_eq!(exceeded.largest.len(), 3);
            for way in &exceeded.ways {
                let mut edited = blueprint.clone();
                way.iter().for_each(|edit| edit.apply(&mut edited));
                prop_assert_eq!(ask(&edited, Some(seconds(way))), Ok(()), "{:?}", way);
            }
            if exceeded.ways.is_empty() && total.is_none() {
                prop_assert!(exceeded.least > exceeded.allowed);
            }
        }
    }
}

#[test]
fn a_budget_that_is_kept_to_is_no_matter() {
    assert_eq!(ask(&elastic_cache(), None), Ok(()));
    assert_eq!(ask(&with(Some(2_000_000), None), None), Ok(()));
    assert_eq!(
        ask(&with(None, Some(20_000_000)), Some(HOURS * 3600)),
        Ok(())
    );
}

#[test]
fn one_edit_is_suggested_where_one_is_enough_and_the_largest_pool_that_fits() {
    let found = exceeded(&with(Some(800_000), None));
    assert_eq!(found.limit, Limit::PerHour);
    let shown: Vec<String> = found.ways.iter().map(|way| way[0].to_string()).collect();
    assert_eq!(found.ways[0], [Edit::Max(name("cache"), 4)]);
    assert!(shown[1].contains("cpu-credits: standard"), "{shown:?}");
}

#[test]
fn several_edits_are_suggested_together_where_none_is_enough_alone() {
    let found = exceeded(&with(Some(250_000), None));
    assert_eq!(found.ways.len(), 1);
    assert!(found.ways[0].len() > 1, "{:?}", found.ways);
}

#[test]
fn a_shorter_life_is_suggested_while_nothing_is_made() {
    let blueprint = with(None, Some(5_000_000));
    let ttl = |exceeded: &Exceeded| -> Option<Lifetime> {
        exceeded.ways.iter().flatten().find_map(|edit| match edit {
            Edit::Ttl(ttl) => Some(*ttl),
            _ => None,
        })
    };
    let found = exceeded(&blueprint);
    assert_eq!(found.limit, Limit::Total);
    assert_eq!(ttl(&found).unwrap().to_string(), "4h");
    let later = check(&Question {
        blueprint: &blueprint,
        prices: &prices(),
        nodes: &Nodes::new(),
        seconds: Some(HOURS * 3600),
        spent: Some(Microdollars(1)),
    });
    match later {
        Err(Overrun::Exceeded(found)) => assert_eq!(ttl(&found), None),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_spent_already_counts() {
    let blueprint = with(None, Some(5_000_000));
    let ask = |spent| {
        check(&Question {
            blueprint: &blueprint,
            prices: &prices(),
            nodes: &Nodes::new(),
            seconds: Some(3600),
            spent: Some(Microdollars(spent)),
        })
    };
    assert_eq!(ask(0), Ok(()));
    assert!(ask(4_900_000).is_err());
}

#[test]
fn what_cannot_be_told_is_refused() {
    let mut blueprint = with(Some(10_000_000), None);
    blueprint.pools.get_mut(&name("cache")).unwrap().machine = "x9.large".into();
    let told = ask(&blueprint, None);
    assert_eq!(
        told,
        Err(Overrun::WithoutPrice(vec!["ec2/x9.large".into()]))
    );
    let mut elsewhere = with(Some(10_000_000), None);
    elsewhere.region = "ap-south-1".into();
    let told = ask(&elsewhere, None);
    assert_eq!(told, Err(Overrun::OtherRegion("us-east-1".into())));
    assert_eq!(ask(&with(None, Some(1)), None), Err(Overrun::Endless));
}

#[test]
fn standard_credits_cost_nothing_beyond_the_type() {
    let mut blueprint = with(Some(400_000), None);
    assert!(ask(&blueprint, None).is_err());
    blueprint.pools.get_mut(&name("cache")).unwrap().cpu_credits = Some(CpuCredits::Standard);
    let manager = blueprint.instances.get_mut(&name("manager")).unwrap();
    manager.cpu_credits = Some(CpuCredits::Standard);
    let found = exceeded(&blueprint);
    assert!(found.most < Microdollars(450_000), "{}", found.most);
}
