//! The end of a deployment in its plan.

use deployer_core::blueprint::{CpuCredits, Role};
use deployer_core::expiry::{Expiry, Taggable, Timers};
use deployer_core::plan::Action;

use crate::world::{World, name, text};

fn end() -> Option<Expiry> {
    "2026-11-26T21:00:00Z".parse().ok()
}

fn world(marks: Vec<(Taggable, Option<Expiry>)>) -> World {
    let mut world = World::built();
    world.timers = Timers(marks);
    world.expires_at = end();
    world.inventory.roles = world.roles();
    world
}

#[test]
fn a_first_plan_makes_everything_with_its_end() {
    let mut world = World::empty();
    world.expires_at = end();
    let plan = world.plan();
    assert_eq!(plan.known.expires_at, end());
    let marks = |action: &Action| matches!(action, Action::MarkExpiry { .. });
    assert!(!plan.steps.iter().any(|step| marks(&step.action)));
}

#[test]
fn what_carries_its_end_is_settled() {
    let all = vec![(Taggable::Ec2("i-manager".into()), end())];
    assert!(world(all).plan().is_empty());
    assert!(World::built().plan().is_empty());
}

#[test]
fn what_lacks_its_end_is_told_it() {
    let early = "2026-11-26T20:00:00Z".parse().ok();
    let plan = world(vec![
        (Taggable::Ec2("i-manager".into()), end()),
        (Taggable::Ec2("sg-1".into()), None),
        (Taggable::Bucket("bucket-1".into()), early),
    ])
    .plan();
    insta::assert_snapshot!(text(&plan));
    let plan = world(vec![(Taggable::Ec2("sg-1".into()), None)]).plan();
    insta::assert_snapshot!(text(&plan));
}

#[test]
fn a_policy_may_name_the_end() {
    let mut world = World::empty();
    let role = world.blueprint.roles.get_mut(&name("node")).unwrap();
    if let Role::Allow { template, .. } = role {
        *template = r#"{"Statement":[{{#if expires-at}}"{{expires-at}}"{{/if}}]}"#.into();
    }
    let policy = |world: &World| {
        let steps = world.plan().steps.into_iter();
        steps
            .filter(|step| step.resource == "role/node")
            .find_map(|step| match step.action {
                Action::CompleteRole { policy, .. } => Some(policy),
                _ => None,
            })
            .unwrap()
    };
    assert_eq!(policy(&world), r#"{"Statement":[]}"#);
    world.expires_at = end();
    let timed = r#"{"Statement":["2026-11-26T21:00:00Z"]}"#;
    assert_eq!(policy(&world), timed);
}

#[test]
fn other_credits_replace_what_was_launched_with_others() {
    let mut world = World::built();
    world.manager_instance().cpu_credits = Some(CpuCredits::Standard);
    world.pool().cpu_credits = Some(CpuCredits::Standard);
    insta::assert_snapshot!(text(&world.plan()));
}
