//! What a deployment costs and when it ends, for the commands that say it or refuse by it.

use deployer_aws::TargetKind;
use deployer_core::blueprint::Blueprint;
use deployer_core::cost::budget::{self, Question};
use deployer_core::cost::estimate::{Estimate, Nodes, estimate};
use deployer_core::cost::so_far::so_far;
use deployer_core::cost::words::{self, Until};
use deployer_core::expiry::{self, DEFAULT_LIFETIME, Expiry, LONG_LIFETIME, Timers};
use deployer_core::inventory::Inventory;
use deployer_core::money::Microdollars;
use deployer_core::names::Kind;
use deployer_core::prices::Prices;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::home::Home;
use crate::invocation::invocation;
use crate::prices::prices;

/// A deployment that ends this soon may end before `up` is done, in seconds.
const SOON: u64 = 20 * 60;

/// What a deployment will cost, by its blueprint and by what there is of it.
#[derive(Clone, Debug)]
pub(crate) struct Bill {
    blueprint: Blueprint,
    prices: Prices,
    nodes: Nodes,
    spent: Option<Microdollars>,
    kind: TargetKind,
    expires_at: Option<Expiry>,
    now: Timestamp,
}

impl Bill {
    pub(crate) fn new(
        home: &Home,
        kind: TargetKind,
        blueprint: &Blueprint,
        inventory: &Inventory,
        expires_at: Option<Expiry>,
        now: Timestamp,
    ) -> Result<Bill, Failure> {
        let prices = prices(home, &blueprint.region)?;
        let is_there = !inventory.is_empty();
        let spent = is_there.then(|| so_far(inventory, &prices, now).total());
        Ok(Bill {
            blueprint: blueprint.clone(),
            nodes: nodes(blueprint, inventory),
            spent,
            prices,
            kind,
            expires_at,
            now,
        })
    }

    /// The same as it would be on an account, where what bills has an end.
    pub(crate) fn on_an_account(self) -> Bill {
        let usual = Some(DEFAULT_LIFETIME);
        let end = || expiry::decide(&Timers::default(), self.blueprint.ttl, usual, self.now);
        Bill {
            kind: TargetKind::Aws,
            expires_at: self.expires_at.or_else(end),
            ..self
        }
    }

    pub(crate) fn estimate(&self) -> Estimate {
        estimate(&self.blueprint, &self.prices, &self.nodes)
    }

    pub(crate) fn until(&self) -> Option<Until> {
        self.expires_at.map(|end| until(end, self.now))
    }

    /// The lines below a plan.
    pub(crate) fn as_text(&self) -> String {
        let found = self.estimate();
        let until = self.until();
        let mut text = match self.kind {
            TargetKind::Local => words::where_free(&found) + &self.budget_text(),
            TargetKind::Aws => {
                let region = &self.blueprint.region;
                words::of_plan(&found, &self.prices, region, until.as_ref())
            }
        };
        if let (TargetKind::Local, Some(until)) = (self.kind, &until) {
            text.push_str(&format!("  expiry   it {}\n", until.told));
        }
        text
    }

    pub(crate) fn as_json(&self) -> Value {
        let found = self.estimate();
        let until = self.until().map(|until| until.seconds);
        json!({
            "billed": self.kind == TargetKind::Aws,
            "region": self.prices.region,
            "as-of": self.prices.as_of,
            "per-hour-microdollars": found.now(),
            "most-per-hour-microdollars": found.most(),
            "creation-microdollars": found.creation(),
            "most-microdollars": until.map(|seconds| found.most_for(seconds)),
            "expires-at": self.expires_at,
            "estimate": found,
        })
    }

    /// Refuses what the budget does not allow. Nothing is billed on a laptop.
    pub(crate) fn refuse_over_budget(&self) -> Result<(), Failure> {
        if self.kind == TargetKind::Local {
            return Ok(());
        }
        self.hold_against_budget(self.until().map(|until| until.seconds))
            .map_err(|(what, hint)| Failure::Refused { what, hint })
    }

    /// What an account's budget would say of it, for those who try it on their laptop first.
    fn budget_text(&self) -> String {
        let lifetime = self.blueprint.ttl.unwrap_or(DEFAULT_LIFETIME);
        match self.hold_against_budget(Some(lifetime.seconds())) {
            Ok(()) => String::new(),
            Err((what, _)) => {
                let first = what.lines().next().unwrap_or_default();
                format!("  budget   on AWS it would be refused: {first}\n")
            }
        }
    }

    /// What is over the budget in so many seconds, and what would not be.
    fn hold_against_budget(&self, seconds: Option<u64>) -> Result<(), (String, String)> {
        let held = budget::check(&Question {
            blueprint: &self.blueprint,
            prices: &self.prices,
            nodes: &self.nodes,
            seconds,
            spent: self.spent,
        });
        held.map_err(|overrun| words::of_overrun(self.blueprint.name.as_str(), &overrun))
    }

    /// Refuses to build what is about to be taken away.
    pub(crate) fn refuse_expired(&self) -> Result<(), Failure> {
        let Some(end) = self.expires_at.filter(|end| end.has_passed(self.now)) else {
            return Ok(());
        };
        let name = &self.blueprint.name;
        let told = expiry::told(end, self.now, &TimeZone::system());
        let invocation = invocation();
        Err(Failure::Refused {
            what: format!("{name} {told}: what is left of it is taken away"),
            hint: format!("{invocation} down {name} ends that, and then up makes it anew"),
        })
    }

    /// What to know of an end that is near or very far.
    pub(crate) fn warning(&self) -> Option<String> {
        let until = self.until()?;
        let name = &self.blueprint.name;
        if until.seconds < SOON && self.kind == TargetKind::Aws {
            let invocation = invocation();
            return Some(format!(
                "{name} {}: {invocation} extend {name} 2h makes it later",
                until.told
            ));
        }
        self.is_long().then(|| format!("{name} {}.", until.told))
    }

    /// Whether a life begins that is long enough to be asked about.
    pub(crate) fn is_long(&self) -> bool {
        let long = |until: Until| until.seconds > LONG_LIFETIME.seconds();
        self.spent.is_none() && self.until().is_some_and(long)
    }
}

/// When something ends, in words for this machine's time zone.
pub(crate) fn until(expires_at: Expiry, now: Timestamp) -> Until {
    Until {
        seconds: expires_at.seconds_left(now),
        told: expiry::told(expires_at, now, &TimeZone::system()),
    }
}

/// How many nodes each pool has.
pub(crate) fn nodes(blueprint: &Blueprint, inventory: &Inventory) -> Nodes {
    let counted = blueprint.pools.keys().filter_map(|name| {
        let living = inventory.living(Kind::Pool, name).count();
        let count = u32::try_from(living).ok().filter(|count| *count > 0)?;
        Some((name.clone(), count))
    });
    counted.collect()
}
