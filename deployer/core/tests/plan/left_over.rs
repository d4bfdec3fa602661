//! What a command that was cut off left of a bake, taken away by the next plan.

use deployer_core::inventory::{FoundInstance, InstanceState};
use deployer_core::plan::{Action, Plan};

use crate::world::World;

fn builder(world: &World) -> FoundInstance {
    FoundInstance {
        id: "i-builder".into(),
        resource: "builder/node".parse().unwrap(),
        state: InstanceState::Stopped,
        ..world.inventory.instances[0].clone()
    }
}

fn terminates_the_builder(plan: &Plan) -> bool {
    let mut steps = plan.steps.iter();
    steps.any(|s| matches!(&s.action, Action::TerminateInstance { id } if id == "i-builder"))
}

#[test]
fn a_builder_whose_image_is_there_is_taken_away() {
    let mut world = World::built();
    world.inventory.instances.push(builder(&world));
    let plan = world.plan();
    assert_eq!(plan.steps.len(), 1, "{:?}", plan.steps);
    assert!(terminates_the_builder(&plan));
}

#[test]
fn a_builder_whose_image_is_being_made_is_kept_until_it_is() {
    let mut world = World::built();
    world.inventory.images[0].state = "pending".into();
    world.inventory.instances.push(builder(&world));
    let plan = world.plan();
    let is = |action: fn(&Action) -> bool| plan.steps.iter().position(|s| action(&s.action));
    let awaited = is(|a| matches!(a, Action::AwaitImage { .. })).unwrap();
    let ended = is(|a| matches!(a, Action::TerminateInstance { .. })).unwrap();
    assert!(plan.steps[ended].needs.contains(&awaited));
}

#[test]
fn a_builder_is_left_to_the_bake_that_replaces_it() {
    let mut world = World::built();
    world.inventory.images.clear();
    world.inventory.instances.push(builder(&world));
    assert!(!terminates_the_builder(&world.plan()));
}

#[test]
fn a_snapshot_goes_unless_an_image_that_is_being_made_may_have_it() {
    let mut world = World::built();
    world.inventory.snapshots.push("snap-lone".into());
    let removes = |plan: &Plan| {
        let mut steps = plan.steps.iter();
        steps.any(|s| matches!(&s.action, Action::RemoveSnapshot { id } if id == "snap-lone"))
    };
    assert!(removes(&world.plan()));
    world.inventory.images[0].state = "pending".into();
    assert!(!removes(&world.plan()));
}
