//! The policies that are documented for whoever runs `deploy` are enough for all of it, and no more.

use std::path::Path;
use std::time::Duration;

use deployer_aws::progress::Progress;
use deployer_aws::{logs, read, remove, stored, timers};
use deployer_core::blueprint::Bucket;
use deployer_core::destroy::removals;
use deployer_core::inventory::{InstanceState, Inventory};
use deployer_core::names::Kind;
use deployer_core::plan::Action;
use deployer_core::settings::{secrets_key, status_key};
use teardown::{Verdict, tear_down};
use tokio::sync::watch;

use super::strays::{TRUST, strays};
use super::{as_owner, in_session, litter, name, until};
use crate::paper::{Silent, blueprints};
use crate::place::Place;

/// What localcloud does not ask for. RDS makes its role itself when an account has its first
/// database, if whoever makes that may let it.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAM.ServiceLinkedRoles.html>
/// A database's last snapshot is made by the call that deletes it, which here is asked for alone.
const NOT_ASKED_FOR: [&str; 2] = ["iam:CreateServiceLinkedRole", "rds:CreateDBSnapshot"];

fn documented(policy: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    std::fs::read_to_string(folder.join(format!("{policy}-policy.json"))).unwrap()
}

/// A place whose deployer has a role with these policies, in the name of which all is done.
async fn place_of(role: &str, policies: &[&str]) -> Place {
    let mut place = Place::new(&blueprints().remove(0)).await;
    let create = [
        ("Action", "CreateRole"),
        ("RoleName", role),
        ("AssumeRolePolicyDocument", TRUST),
    ];
    as_owner(&place, "iam", &create).await;
    for policy in policies {
        put_policy(&place, role, policy).await;
    }
    place.account = in_session(&place, role, "student").await;
    place
}

async fn put_policy(place: &Place, role: &str, policy: &str) {
    let put = [
        ("Action", "PutRolePolicy"),
        ("RoleName", role),
        ("PolicyName", policy),
        ("PolicyDocument", &documented(policy)),
    ];
    as_owner(place, "iam", &put).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_policies_are_what_deploy_needs_and_no_more() {
    let mut place = place_of("person", &["deploy", "teardown"]).await;
    live(&mut place).await;
    strays(&place).await;
    let (_told, stop) = watch::channel(false);
    let scope = place.scope();
    let verdict = tear_down(&place.account, &scope, Duration::ZERO, stop, &Silent).await;
    assert!(matches!(verdict, Verdict::Zero), "{verdict:?}");
    let report = place
        .paper
        .cloud
        .cloud()
        .access
        .report()
        .remove("person")
        .unwrap();
    assert!(
        report.record.refused.is_empty(),
        "{:#?}",
        report.record.refused
    );
    let unneeded: Vec<_> = report
        .unneeded
        .iter()
        .filter(|grant| !NOT_ASKED_FOR.contains(&grant.action.as_str()))
        .collect();
    assert!(unneeded.is_empty(), "{unneeded:#?}");
    place.paper.cloud.shutdown().await;
}

/// A deployment's life: made, looked at, changed in every way that is a call of its own.
async fn live(place: &mut Place) {
    place.blueprint.buckets.insert(name("archive"), Bucket {});
    place.carry_out(usize::MAX, "ab12").await;
    place.settled().await;
    let inventory = read::inventory(&place.account, &place.scope()).await;
    let inventory = inventory.unwrap();
    let (bucket, manager) = (&inventory.home().unwrap().name, &inventory.instances[0].id);
    logs::console(&place.account, manager).await.unwrap();
    let instance = name("manager");
    for key in [
        secrets_key(Kind::Instance, &instance),
        status_key(&instance),
    ] {
        stored::get(&place.account, bucket, &key).await.unwrap();
    }
    stored::tally(&place.account, bucket, "photos/")
        .await
        .unwrap();
    place.account.regions().await.unwrap();
    ask_what_holds(place, &inventory).await;
    litter(place, manager).await;
    extend(place).await;
    let stop = [
        ("Action", "StopInstances"),
        ("InstanceId.1", manager.as_str()),
    ];
    as_owner(place, "ec2", &stop).await;
    until("the manager's stop", async || {
        let found = read::instances(&place.account, &place.scope())
            .await
            .unwrap();
        let mut found = found.into_iter().filter(|found| &found.id == manager);
        found.next().unwrap().state == InstanceState::Stopped
    })
    .await;
    place.carry_out(usize::MAX, "cd34").await;
    let blueprint = &mut place.blueprint;
    blueprint.databases.get_mut(&name("catalog")).unwrap().class = "db.t4g.small".into();
    blueprint
        .instances
        .get_mut(&name("manager"))
        .unwrap()
        .security_group = name("nodes");
    blueprint
        .security_groups
        .get_mut(&name("nodes"))
        .unwrap()
        .ingress
        .clear();
    place.carry_out(usize::MAX, "ef56").await;
    place.settled().await;
}

/// As when nothing of it would go.
async fn ask_what_holds(place: &Place, inventory: &Inventory) {
    for removal in removals(inventory) {
        remove::holders(&place.account, &removal).await;
    }
}

/// Gives everything another end.
async fn extend(place: &Place) {
    let scope = place.scope();
    let inventory = read::inventory(&place.account, &scope).await.unwrap();
    let found = timers::read(&place.account, &scope, &inventory).await;
    let later = "2031-01-01T00:00:00Z".parse().unwrap();
    let action = Action::MarkExpiry {
        things: found.unwrap().other_than(later),
        expires_at: later,
    };
    let (_, site) = place.plan("ab12").await;
    let marked = site.carry_out(&action, &Progress::silent()).await;
    marked.unwrap();
}
