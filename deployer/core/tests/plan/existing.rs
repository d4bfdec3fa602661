//! From nothing to all, and what is done when a part is missing, outdated or half made.

use deployer_core::binary;
use deployer_core::inventory::{FoundBucket, InstanceState, Profile, Rule, RuleSource};

use crate::world::{World, name, text};

#[test]
fn the_first_plan_makes_everything() {
    insta::assert_snapshot!(text(&World::empty().plan()));
}

#[test]
fn a_plan_of_what_is_built_is_empty() {
    let plan = World::built().plan();
    assert!(plan.is_empty(), "{}", text(&plan));
}

#[test]
fn every_step_needs_only_steps_before_it() {
    for (index, step) in World::empty().plan().steps.iter().enumerate() {
        assert!(step.needs.iter().all(|need| *need < index), "{step:?}");
    }
}

#[test]
fn what_is_to_run_at_first_has_to_fit_into_the_account() {
    let told = |most, start| {
        let mut world = World::empty();
        world.blueprint.max_instances = Some(most);
        for pool in world.blueprint.pools.values_mut() {
            (pool.size.start, pool.size.max) = (start, 8);
        }
        let plan = world.plan();
        let of_ceiling = |resource: &str| resource == "max-instances";
        let refused = plan.refusals.iter().any(|r| of_ceiling(&r.resource));
        let noted = plan.notes.iter().any(|n| of_ceiling(&n.resource));
        (refused, noted)
    };
    assert_eq!(told(4, 4), (true, false));
    assert_eq!(told(5, 4), (false, true));
    assert_eq!(told(9, 4), (false, false));
}

#[test]
fn where_roles_may_not_be_listed_none_is_made_and_nine_instances_are_all() {
    let mut world = World::empty();
    world.ground.roles_refused = Some("ListRoles: AccessDenied".to_owned());
    assert_eq!(world.ground.most_instances(&world.blueprint), Some(9));
    let plan = world.plan();
    let refused: Vec<_> = plan.refusals.iter().map(|r| r.resource.as_str()).collect();
    assert_eq!(refused, ["role/manager", "role/node"]);
}

/// The law *settled*, piece by piece: with one resource missing, the plan makes it and what follows
/// from it, and nothing that is there already.
#[test]
fn what_is_missing_is_all_that_is_made() {
    let missing = |change: fn(&mut World)| {
        let mut world = World::built();
        change(&mut world);
        text(&world.plan())
    };
    insta::assert_snapshot!(
        "without_the_database",
        missing(|w| w.inventory.databases.clear())
    );
    insta::assert_snapshot!(
        "without_the_manager",
        missing(|w| w.inventory.instances.clear())
    );
    insta::assert_snapshot!("without_a_role", missing(|w| w.inventory.roles.truncate(1)));
    insta::assert_snapshot!(
        "without_the_secrets",
        missing(|w| w.stored.keys.retain(|k| !k.starts_with("secrets/")))
    );
}

#[test]
fn a_changed_rule_is_opened_and_the_old_one_closed() {
    let mut world = World::built();
    let foreign = Rule {
        first_port: 22,
        last_port: 22,
        from: RuleSource::Range("0.0.0.0/0".into()),
    };
    world.inventory.security_groups[1].rules = vec![foreign];
    insta::assert_snapshot!(text(&world.plan()));
}

#[test]
fn programs_built_anew_replace_the_manager_and_the_image() {
    let mut world = World::built();
    world.programs.get_mut("boot").unwrap().sha256 = "another".into();
    insta::assert_snapshot!(text(&world.plan()));
}

#[test]
fn half_made_things_are_finished() {
    let mut world = World::built();
    world.inventory.databases[0].state = "creating".into();
    world.inventory.databases[0].endpoint = None;
    world.inventory.images[0].state = "pending".into();
    world.inventory.instances[0].state = InstanceState::Stopped;
    world.inventory.roles[0].profile = Profile::Empty;
    insta::assert_snapshot!(text(&world.plan()));
}

#[test]
fn what_cannot_be_done_is_refused_with_a_way_out() {
    let mut world = World::built();
    world.inventory.databases[0].storage_gib = 100;
    world.inventory.buckets.push(FoundBucket {
        name: "bucket-2".into(),
        resource: name("more"),
        is_home: false,
    });
    world.programs.remove("front-end");
    let arm = binary::Program {
        architecture: binary::Architecture::Aarch64,
        needs_glibc: None,
    };
    world.programs.get_mut("manager").unwrap().needs = Some(arm);
    insta::assert_snapshot!(text(&world.plan()));
}
