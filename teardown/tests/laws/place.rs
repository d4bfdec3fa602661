//! An account of its own for a test, with a blueprint, and what is done with it step after step.

use std::collections::BTreeSet;

use deployer_aws::Account;
use deployer_aws::carry_out::Site;
use deployer_core::blueprint::Blueprint;
use deployer_core::names::{ResourceId, Scope};
use deployer_core::plan::Plan;

use crate::paper::{Paper, carry_out};

pub(crate) struct Place {
    pub(crate) account: Account,
    pub(crate) blueprint: Blueprint,
    pub(crate) remove: BTreeSet<ResourceId>,
    pub(crate) paper: Paper,
}

impl Place {
    pub(crate) async fn new(blueprint: &Blueprint) -> Place {
        let paper = Paper::new().await;
        Place {
            account: paper.connect(&blueprint.region).await.unwrap(),
            blueprint: blueprint.clone(),
            remove: BTreeSet::new(),
            paper,
        }
    }

    pub(crate) fn scope(&self) -> Scope {
        self.account.scope(self.blueprint.name.clone())
    }

    /// A plan made from what is there now, and a site to carry it out on.
    pub(crate) async fn plan(&self, dice: &str) -> (Plan, Site) {
        let plan = self
            .paper
            .plan(&self.account, &self.blueprint, &self.remove, dice);
        plan.await.unwrap()
    }

    /// Carries out the first steps of a plan.
    pub(crate) async fn carry_out(&self, steps: usize, dice: &str) {
        let (plan, site) = self.plan(dice).await;
        for step in plan.steps.iter().take(steps) {
            let done = carry_out(&site, &step.action).await;
            done.unwrap_or_else(|error| panic!("{}: {error}", step.resource));
        }
    }

    pub(crate) async fn settled(&self) {
        self.paper.settled(&self.blueprint).await.unwrap();
    }

    /// Tears down, and looks into the account by other means whether nothing is left.
    pub(crate) async fn clean(self) {
        self.paper.taken_down(&self.blueprint).await.unwrap();
        self.paper.cloud.shutdown().await;
    }
}
