//! An instance takes its deployment away when that has expired, with the rights of its role: not a
//! second earlier, and every one of these rights is needed.

use std::time::Duration;

use deployer_aws::progress::Progress;
use deployer_aws::{Meaning, read, remove};
use deployer_core::blueprint::{Bucket, Role};
use deployer_core::plan::Action;
use deployer_core::policy::{PolicyContext, render};
use jiff::{SignedDuration, Timestamp};
use teardown::reap::{Reaped, reap};

use super::{Granted, granted, in_session, launch, litter, name, terminate, without};
use crate::paper::{Silent, blueprints};
use crate::place::Place;

/// Of the statements that hold only after the expiry.
fn is_about_the_expiry(statement: &str) -> bool {
    statement.contains("Expir")
}

/// A whole deployment, with a node, and with all that may lie about in an account.
struct Camp {
    place: Place,
    manager: String,
    node: String,
}

impl Camp {
    /// The policies of the roles say that it expired so many seconds ago.
    async fn expired(seconds: i64) -> Camp {
        let mut blueprint = blueprints().remove(0);
        blueprint.buckets.insert(name("archive"), Bucket {});
        let place = Place::new(&blueprint).await;
        place.carry_out(usize::MAX, "ab12").await;
        let inventory = read::inventory(&place.account, &place.scope()).await;
        let manager = inventory.unwrap().instances[0].id.clone();
        let node = launch(&place, "pool/cache", "true").await;
        let camp = Camp {
            place,
            manager,
            node,
        };
        for role in ["manager", "node"] {
            camp.put_policy(role, &camp.policy(role, seconds).await)
                .await;
        }
        litter(&camp.place, &camp.manager).await;
        camp
    }

    async fn buckets(&self) -> Vec<String> {
        let inventory = read::inventory(&self.place.account, &self.place.scope()).await;
        let buckets = inventory.unwrap().buckets.into_iter();
        buckets.map(|bucket| bucket.name).collect()
    }

    async fn role(&self, role: &str) -> String {
        let inventory = read::inventory(&self.place.account, &self.place.scope()).await;
        let roles = inventory.unwrap().roles.into_iter();
        let mut roles = roles.filter(|found| found.resource == name(role));
        roles.next().unwrap().name
    }

    /// The policy that ships, as `up` fills it in.
    async fn policy(&self, role: &str, expired: i64) -> String {
        let Role::Allow { template, .. } = &self.place.blueprint.roles[&name(role)] else {
            panic!("{role} is made by the blueprint");
        };
        let scope = self.place.scope();
        let at = Timestamp::now() - SignedDuration::from_secs(expired);
        let context = PolicyContext {
            account: scope.account.clone(),
            region: scope.region.clone(),
            deployment: scope.deployment.to_string(),
            prefix: scope.prefix(),
            expires_at: Some(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            namespace: scope.namespace(),
            bucket: self.buckets().await[0].clone(),
            buckets: [].into(),
            roles: [("node".to_owned(), "arn:aws:iam::1:role/node".to_owned())].into(),
        };
        render(template, &context).unwrap()
    }

    async fn put_policy(&self, role: &str, policy: &str) {
        let (_, site) = self.place.plan("cd34").await;
        let action = Action::CompleteRole {
            resource: name(role),
            name: self.role(role).await,
            policy: policy.to_owned(),
        };
        let put = site.carry_out(&action, &Progress::silent()).await;
        put.unwrap();
    }

    /// What the instance of a role does after the expiry.
    async fn reap(&self, role: &str) -> Result<Reaped, deployer_aws::AwsError> {
        let instance = match role {
            "manager" => &self.manager,
            _ => &self.node,
        };
        let account = in_session(&self.place, &self.role(role).await, instance).await;
        let scope = self.place.scope();
        reap(&account, &scope, instance, Duration::ZERO, &Silent).await
    }

    /// The statements about the expiry that were not needed, and what was refused.
    async fn unneeded_and_refused(&self, role: &str) -> (Vec<String>, Vec<String>) {
        let access = &self.place.paper.cloud.cloud().access;
        let report = access.report().remove(&self.role(role).await).unwrap();
        let unneeded = report.unneeded.into_iter();
        let unneeded = unneeded.filter(|grant| is_about_the_expiry(&grant.statement));
        let refused = report.record.refused.into_iter();
        (
            unneeded.map(|grant| format!("{grant:?}")).collect(),
            refused.map(|refused| format!("{refused:?}")).collect(),
        )
    }

    /// What is left, without ids.
    async fn left(&self) -> Vec<String> {
        let inventory = read::inventory(&self.place.account, &self.place.scope()).await;
        let listed = inventory.unwrap().listed().into_iter();
        listed.map(|line| line.resource).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_expiry_no_instance_may_take_anything_away() {
    let camp = Camp::expired(-3600).await;
    let before = camp.left().await;
    let inventory = read::inventory(&camp.place.account, &camp.place.scope()).await;
    let inventory = inventory.unwrap();
    for role in ["manager", "node"] {
        let refused = camp.reap(role).await.unwrap_err();
        assert_eq!(refused.meaning(), Meaning::NotAllowed, "{refused}");
        let account = in_session(&camp.place, &camp.role(role).await, "i-1").await;
        let silent = Progress::silent();
        for refused in [
            remove::database(&account, &inventory.databases[0].id, None, &silent).await,
            remove::bucket(&account, &inventory.buckets[0].name, &silent).await,
            remove::image(&account, &inventory.images[0].id, &[]).await,
            remove::snapshot(&account, &inventory.snapshots[0]).await,
            remove::volume(&account, &inventory.volumes[0]).await,
            remove::instances(&account, std::slice::from_ref(&camp.manager), &silent).await,
        ] {
            let refused = refused.unwrap_err();
            assert_eq!(refused.meaning(), Meaning::NotAllowed, "{role}: {refused}");
        }
    }
    assert_eq!(camp.left().await, before);
    camp.place.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_expiry_the_manager_takes_all_away_that_bills_but_itself() {
    let camp = Camp::expired(5).await;
    let reaped = camp.reap("manager").await.unwrap();
    assert!(matches!(reaped, Reaped::Done), "{reaped:?}");
    let expected = [
        "security-group/door",
        "role/manager",
        "role/node",
        "instance/manager",
    ];
    assert_eq!(camp.left().await, expected);
    let none = (Vec::new(), Vec::new());
    assert_eq!(camp.unneeded_and_refused("manager").await, none);
    // It powers itself off; what is left is gone with the next command from anywhere.
    terminate(&camp.place, &camp.manager).await;
    camp.place.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_waits_for_the_manager_and_does_its_part_if_there_is_none() {
    let camp = Camp::expired(5).await;
    let waits = camp.reap("node").await.unwrap();
    let Reaped::Waits { first, .. } = &waits else {
        panic!("{waits:?}");
    };
    assert_eq!(first, &camp.manager);
    terminate(&camp.place, &camp.manager).await;
    let reaped = camp.reap("node").await.unwrap();
    assert!(matches!(reaped, Reaped::Done), "{reaped:?}");
    let expected = [
        "security-group/nodes",
        "role/manager",
        "role/node",
        "pool/cache",
    ];
    assert_eq!(camp.left().await, expected);
    let none = (Vec::new(), Vec::new());
    assert_eq!(camp.unneeded_and_refused("node").await, none);
    terminate(&camp.place, &camp.node).await;
    camp.place.clean().await;
}

/// Without any one of its rights a node leaves something, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_needs_each_of_its_rights_to_take_all_away() {
    let camp = Camp::expired(5).await;
    terminate(&camp.place, &camp.manager).await;
    let policy = camp.policy("node", 5).await;
    let rights = granted(&policy, is_about_the_expiry);
    assert!(rights.len() > 10, "{rights:?}");
    // Where a listing fails nothing is removed: one deployment is enough for all of these.
    let is_listing = |right: &&Granted| {
        let (_, action) = right.action.split_once(':').unwrap();
        ["Describe", "ListAll", "GetBucket"]
            .iter()
            .any(|begin| action.starts_with(begin))
    };
    for right in rights.iter().filter(is_listing) {
        camp.put_policy("node", &without(&policy, right)).await;
        let refused = camp.reap("node").await.unwrap_err();
        assert_eq!(
            refused.meaning(),
            Meaning::NotAllowed,
            "{right:?}: {refused}"
        );
    }
    camp.place.clean().await;
    for right in rights.iter().filter(|right| !is_listing(right)) {
        let camp = Camp::expired(5).await;
        terminate(&camp.place, &camp.manager).await;
        let policy = camp.policy("node", 5).await;
        camp.put_policy("node", &without(&policy, right)).await;
        let reaped = camp.reap("node").await;
        let Ok(Reaped::Remains(failures)) = reaped else {
            panic!("{right:?}: {reaped:?}");
        };
        let refused = |(_, error): &(_, deployer_aws::AwsError)| error.meaning();
        assert!(
            failures
                .iter()
                .map(refused)
                .all(|meaning| meaning == Meaning::NotAllowed),
            "{right:?}: {failures:?}"
        );
        camp.place.clean().await;
    }
}
