//! What is said of costs, on a terminal of 80 columns.

use deployer_core::blueprint::Budget;
use deployer_core::cost::budget::{Question, check};
use deployer_core::cost::estimate::{Nodes, estimate};
use deployer_core::cost::so_far::so_far;
use deployer_core::cost::words::{self, Until};
use deployer_core::inventory::{FoundDatabase, FoundInstance, InstanceState, Inventory, Pending};
use deployer_core::money::Microdollars;

use super::{elastic_cache, name, prices};

fn until() -> Until {
    Until {
        seconds: 8 * 3600,
        told: "expires in 8 h 0 min, at 21:30".into(),
    }
}

/// The same text, once it is known to fit.
fn fitting(text: String) -> String {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    text
}

#[test]
fn a_plan_says_what_it_costs() {
    let found = estimate(&elastic_cache(), &prices(), &Nodes::new());
    let text = words::of_plan(&found, &prices(), "us-east-1", Some(&until()));
    insta::assert_snapshot!("plan", fitting(text));
    let text = words::of_plan(&found, &prices(), "ap-south-1", None);
    insta::assert_snapshot!("plan_elsewhere", fitting(text));
    insta::assert_snapshot!("plan_on_a_laptop", fitting(words::where_free(&found)));
}

#[test]
fn a_budget_that_is_exceeded_is_told_with_ways_out() {
    let told = |per_hour: Option<u64>, total: Option<u64>| {
        let mut blueprint = elastic_cache();
        blueprint.budget = Some(Budget {
            per_hour: per_hour.map(Microdollars),
            total: total.map(Microdollars),
        });
        let refused = check(&Question {
            blueprint: &blueprint,
            prices: &prices(),
            nodes: &Nodes::new(),
            seconds: Some(8 * 3600),
            spent: None,
        });
        let (what, hint) = words::of_overrun("elastic-cache", &refused.unwrap_err());
        format!("error: {what}\nhint: {hint}")
    };
    insta::assert_snapshot!("over_the_hour", told(Some(800_000), None));
    insta::assert_snapshot!("over_in_total", told(None, Some(5_000_000)));
    insta::assert_snapshot!("over_by_far", told(Some(250_000), None));
    insta::assert_snapshot!("over_without_a_way", told(Some(1000), None));
}

fn instance(resource: &str, id: &str, launched: &str) -> FoundInstance {
    FoundInstance {
        id: id.into(),
        resource: resource.parse().unwrap(),
        state: InstanceState::Running,
        machine: "t3.micro".into(),
        private_address: None,
        public_address: Some("203.0.113.7".into()),
        zone: "us-east-1a".into(),
        launched: Some(launched.into()),
        settings: None,
        programs: None,
        base: None,
        expires_at: None,
        cpu_credits: None,
        profile: None,
        groups: Vec::new(),
    }
}

#[test]
fn a_deployment_says_what_it_has_cost() {
    let inventory = Inventory {
        instances: vec![
            instance("instance/manager", "i-1", "2026-11-26T11:00:00Z"),
            instance("pool/cache", "i-2", "2026-11-26T11:30:00Z"),
        ],
        databases: vec![FoundDatabase {
            id: "catalog-1".into(),
            resource: name("catalog"),
            state: "available".into(),
            endpoint: None,
            class: "db.t4g.micro".into(),
            storage_gib: 20,
            pending: Pending::default(),
            groups: Vec::new(),
            created: Some("2026-11-26T11:05:00Z".into()),
        }],
        ..Inventory::default()
    };
    let now = "2026-11-26T13:30:00Z".parse().unwrap();
    let spent = so_far(&inventory, &prices(), now);
    let found = estimate(&elastic_cache(), &prices(), &Nodes::new());
    let text = words::of_deployment(&spent, Some(&found), &prices(), "us-east-1", Some(&until()));
    insta::assert_snapshot!("cost", fitting(text));
    let text = words::of_deployment(&spent, None, &prices(), "us-east-1", None);
    insta::assert_snapshot!("cost_without_a_blueprint", fitting(text));
}
