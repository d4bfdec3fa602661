//! Every edit of a blueprint: carried out once, the next plan is empty; cut off anywhere, the next
//! `up` ends it.

use deployer_aws::stored;
use deployer_core::blueprint::{BaseImage, Blueprint, Bucket, Ingress, Policy, Role, Source};
use deployer_core::names::ResourceName;

use crate::paper::blueprints;
use crate::place::Place;

fn name(text: &str) -> ResourceName {
    text.parse().unwrap()
}

fn elastic_cache() -> Blueprint {
    let mut shipped = blueprints().into_iter();
    shipped
        .find(|b| b.name.as_str() == "elastic-cache")
        .unwrap()
}

type Edit = fn(&mut Blueprint);

/// One edit after the other, each on top of those before.
const EDITS: [(&str, Edit); 17] = [
    ("the nodes' type", |b| pool(b).machine = "t3.small".into()),
    ("the recipe", |b| recipe(b).push("true".into())),
    ("capacity and policy", |b| {
        pool(b).capacity = 96 << 20;
        pool(b).policy = Policy::Random;
    }),
    ("bounds", |b| pool(b).size.max = 6),
    ("scaling", |b| pool(b).scaling.automatic = true),
    ("a role's policy", |b| {
        if let Some(Role::Allow { template, .. }) = b.roles.get_mut(&name("node")) {
            *template = template.replace("PublishMetrics", "PublishFigures");
        }
    }),
    ("a second bucket, before the first by name", |b| {
        b.buckets.insert(name("archive"), Bucket {});
    }),
    ("a group with a rule", |b| {
        let office = b.security_groups[&name("door")].clone();
        b.security_groups.insert(name("office"), office);
        rules(b, "nodes").push(rule("office"));
    }),
    ("the manager's group", |b| {
        manager(b).security_group = name("office");
    }),
    ("the nodes' role", |b| {
        let role = b.roles[&name("node")].clone();
        b.roles.insert(name("worker"), role);
        pool(b).role = name("worker");
    }),
    ("the manager's group again, and the group left out", |b| {
        manager(b).security_group = name("door");
        rules(b, "nodes").pop();
        b.security_groups.remove(&name("office"));
    }),
    ("the role again, and the other left out", |b| {
        pool(b).role = name("node");
        b.roles.remove(&name("worker"));
    }),
    ("the second bucket left out", |b| {
        b.buckets.remove(&name("archive"));
    }),
    ("the database's class", |b| {
        b.databases.get_mut(&name("catalog")).unwrap().class = "db.t4g.small".into();
    }),
    ("the database's storage", |b| {
        b.databases.get_mut(&name("catalog")).unwrap().storage_gib = 40;
    }),
    ("the manager's type", |b| {
        manager(b).machine = "t3.small".into();
    }),
    ("the manager's base", |b| {
        manager(b).base = BaseImage::Debian12;
    }),
];

fn pool(blueprint: &mut Blueprint) -> &mut deployer_core::blueprint::Pool {
    blueprint.pools.get_mut(&name("cache")).unwrap()
}

fn recipe(blueprint: &mut Blueprint) -> &mut Vec<String> {
    &mut blueprint.images.get_mut(&name("node")).unwrap().recipe.run
}

fn manager(blueprint: &mut Blueprint) -> &mut deployer_core::blueprint::Instance {
    blueprint.instances.get_mut(&name("manager")).unwrap()
}

fn rules<'a>(blueprint: &'a mut Blueprint, group: &str) -> &'a mut Vec<Ingress> {
    let group = blueprint.security_groups.get_mut(&name(group));
    &mut group.unwrap().ingress
}

fn rule(from: &str) -> Ingress {
    Ingress {
        first_port: 5003,
        last_port: 5003,
        from: Source::Group(name(from)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_edit_is_settled_by_one_up() {
    let mut place = Place::new(&elastic_cache()).await;
    place.carry_out(usize::MAX, "ab12").await;
    for (what, edit) in EDITS {
        edit(&mut place.blueprint);
        let (plan, _) = place.plan("cd34").await;
        assert!(!plan.steps.is_empty(), "{what}: nothing is planned");
        assert!(plan.refusals.is_empty(), "{what}: {:?}", plan.refusals);
        place.carry_out(usize::MAX, "cd34").await;
        let (plan, _) = place.plan("ef56").await;
        assert!(plan.is_empty(), "{what}: {:#?}", plan.steps);
    }
    place.clean().await;
}

/// What needs another step first, in one plan.
fn edit_much(blueprint: &mut Blueprint) {
    for (_, edit) in &EDITS[..10] {
        edit(blueprint);
    }
    blueprint.databases.get_mut(&name("catalog")).unwrap().class = "db.t4g.small".into();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_cut_off_after_any_step_is_finished_by_the_next() {
    let mut cut = 1;
    loop {
        let mut place = Place::new(&elastic_cache()).await;
        place.carry_out(usize::MAX, "ab12").await;
        edit_much(&mut place.blueprint);
        let steps = place.plan("cd34").await.0.steps.len();
        place.carry_out(cut, "cd34").await;
        place.carry_out(usize::MAX, "ef56").await;
        place.settled().await;
        // And back, with what is left out again.
        place.blueprint = elastic_cache();
        place.carry_out(cut, "gh78").await;
        place.carry_out(usize::MAX, "ij90").await;
        place.settled().await;
        place.clean().await;
        cut += 1;
        if cut >= steps {
            return;
        }
    }
}

/// A second bucket, made after the first, which stays the home.
async fn add_archive(place: &mut Place) {
    place.carry_out(usize::MAX, "ab12").await;
    place.blueprint.buckets.insert(name("archive"), Bucket {});
    place.carry_out(usize::MAX, "cd34").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_holds_something_goes_only_by_its_name() {
    let mut place = Place::new(&elastic_cache()).await;
    add_archive(&mut place).await;
    let (plan, _) = place.plan("cd34").await;
    let bucket = plan.known.buckets[&name("archive")].clone();
    let body = b"kept".to_vec().into();
    stored::put(&place.account, &bucket, "a", body, "text/plain")
        .await
        .unwrap();
    place.blueprint.buckets.remove(&name("archive"));
    let (plan, _) = place.plan("cd34").await;
    assert_eq!(plan.refusals.len(), 1, "{:#?}", plan.steps);
    assert!(plan.refusals[0].reason.contains("--remove bucket/archive"));
    assert!(plan.steps.is_empty());
    place.remove.insert("bucket/archive".parse().unwrap());
    place.carry_out(usize::MAX, "cd34").await;
    place.settled().await;
    place.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gets_into_an_empty_bucket_after_the_plan_is_not_lost() {
    let mut place = Place::new(&elastic_cache()).await;
    add_archive(&mut place).await;
    place.blueprint.buckets.remove(&name("archive"));
    let (plan, site) = place.plan("cd34").await;
    let bucket = plan.known.buckets[&name("archive")].clone();
    let body = b"just in time".to_vec().into();
    stored::put(&place.account, &bucket, "a", body, "text/plain")
        .await
        .unwrap();
    let silent = deployer_aws::progress::Progress::silent();
    let refused = site.carry_out(&plan.steps[0].action, &silent).await;
    assert_eq!(refused.unwrap_err().code(), Some("BucketNotEmpty"));
    let kept = stored::get(&place.account, &bucket, "a").await.unwrap();
    assert_eq!(kept.unwrap(), b"just in time");
    place.clean().await;
}
