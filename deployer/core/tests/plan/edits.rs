//! Plans of every edit of a blueprint whose deployment exists: what changes, from what to what, and
//! what that brings with it.

use deployer_core::blueprint::{
    Api, BaseImage, Bucket, Ingress, Policy, Role, SecurityGroup, Source,
};
use deployer_core::inventory::{FoundBucket, FoundRole, FoundSecurityGroup, Pending, Profile};
use deployer_core::plan::{Plan, Verb};
use serde_json::json;

use crate::world::{World, name, text};

/// The plan after something has changed in a world in which all was as the blueprint says.
fn after(change: impl FnOnce(&mut World)) -> Plan {
    let mut world = World::built();
    change(&mut world);
    world.plan()
}

fn told(change: impl FnOnce(&mut World)) -> String {
    text(&after(change))
}

/// What the manager says: three nodes, and what people have set on its page.
fn manager_says(world: &mut World, choices: &serde_json::Value) {
    let status = json!({
        "ready": true, "wanted": 3, "nodes": 3, "settings": "0123", "instance": "i-manager",
        "choices": choices,
    });
    let status = serde_json::from_value(status).unwrap();
    world.stored.pools.insert(name("manager"), status);
}

fn bucket(resource: &str) -> FoundBucket {
    FoundBucket {
        name: format!("bucket-{resource}"),
        resource: name(resource),
        is_home: false,
    }
}

#[test]
fn another_type_of_nodes_replaces_them() {
    insta::assert_snapshot!(told(|w| w.pool().machine = "t3.small".into()));
}

#[test]
fn another_recipe_bakes_anew_and_replaces_the_nodes() {
    insta::assert_snapshot!(told(|w| w.image_of_nodes().recipe.run = vec!["true".into()]));
}

#[test]
fn another_base_bakes_anew_and_replaces_the_nodes() {
    insta::assert_snapshot!(told(|w| w.image_of_nodes().base = BaseImage::Debian12));
}

#[test]
fn capacity_and_policy_are_told_to_the_nodes() {
    insta::assert_snapshot!(told(|w| {
        w.pool().capacity = 96 << 20;
        w.pool().policy = Policy::Random;
    }));
}

#[test]
fn what_people_have_set_counts_until_the_blueprint_says_something_new() {
    insta::assert_snapshot!(told(|w| {
        manager_says(w, &json!({ "capacity": 32 << 20, "policy": "random" }));
        w.pool().capacity = 96 << 20;
    }));
}

#[test]
fn another_size_at_the_start_is_told_and_is_no_step() {
    let edit = |w: &mut World| {
        manager_says(w, &json!({}));
        w.pool().size.start = 2;
    };
    let plan = after(edit);
    assert!(plan.is_empty(), "{}", text(&plan));
    insta::assert_snapshot!(told(edit));
}

#[test]
fn new_bounds_move_the_pool_into_them() {
    let bounds = |min, max| {
        told(|w| {
            manager_says(w, &json!({}));
            (w.pool().size.min, w.pool().size.max) = (min, max);
        })
    };
    insta::assert_snapshot!("a_lower_most", bounds(1, 2));
    insta::assert_snapshot!("a_higher_least", bounds(4, 8));
    insta::assert_snapshot!("bounds_it_is_within", bounds(2, 6));
}

#[test]
fn scaling_counts_from_the_next_decision_on() {
    insta::assert_snapshot!(told(|w| {
        w.pool().scaling.automatic = true;
        w.pool().scaling.grow_above = 0.7;
    }));
}

#[test]
fn another_role_policy_restarts_nothing() {
    insta::assert_snapshot!(told(|w| {
        if let Some(Role::Allow { template, .. }) = w.blueprint.roles.get_mut(&name("manager")) {
            *template = template
                .replace("\"ec2:TerminateInstances\"", "\"ec2:StopInstances\"")
                .replace("\"FindNodes\"", "\"SeeNodes\"");
        }
    }));
}

#[test]
fn a_second_bucket_is_made_and_the_home_stays_where_it_is() {
    let edit = |w: &mut World| {
        w.blueprint.buckets.insert(name("archive"), Bucket {});
    };
    let plan = after(edit);
    assert_eq!(plan.steps.len(), 1, "{}", text(&plan));
    insta::assert_snapshot!(told(edit));
}

#[test]
fn a_bucket_that_is_left_out_goes_if_it_is_empty_or_named() {
    let left_out = |w: &mut World| w.inventory.buckets.insert(0, bucket("archive"));
    insta::assert_snapshot!("a_full_bucket", told(left_out));
    insta::assert_snapshot!(
        "an_empty_bucket",
        told(|w| {
            left_out(w);
            w.stored.empty.insert(name("archive"));
        })
    );
    insta::assert_snapshot!(
        "a_full_bucket_that_is_named",
        told(|w| {
            left_out(w);
            w.remove.insert("bucket/archive".parse().unwrap());
        })
    );
}

#[test]
fn the_home_bucket_cannot_be_left_out() {
    insta::assert_snapshot!(told(|w| {
        w.blueprint.buckets.clear();
        w.blueprint.buckets.insert(name("pictures"), Bucket {});
        w.remove.insert("bucket/photos".parse().unwrap());
    }));
}

#[test]
fn what_the_blueprint_asks_for_is_not_removed_by_its_name() {
    insta::assert_snapshot!(told(|w| {
        w.remove.insert("database/catalog".parse().unwrap());
        w.remove.insert("security-group/door".parse().unwrap());
        w.remove.insert("bucket/nothing".parse().unwrap());
    }));
}

#[test]
fn a_group_is_added_with_its_rules_and_one_that_is_left_out_goes_last() {
    insta::assert_snapshot!(
        "a_new_group",
        told(|w| {
            let ingress = Ingress {
                first_port: 22,
                last_port: 22,
                from: Source::Group(name("door")),
            };
            let group = SecurityGroup {
                ingress: vec![ingress],
            };
            w.blueprint.security_groups.insert(name("office"), group);
        })
    );
    insta::assert_snapshot!(
        "a_group_left_out",
        told(|w| {
            let rules = w.inventory.security_groups[0].rules.clone();
            w.inventory.security_groups.push(FoundSecurityGroup {
                id: "sg-office".into(),
                resource: name("office"),
                rules,
            });
        })
    );
}

#[test]
fn another_address_of_mine_takes_the_place_of_the_last_one() {
    insta::assert_snapshot!(told(|w| {
        w.ground.my_ip = Some("203.0.113.5".parse().unwrap());
    }));
}

#[test]
fn another_group_of_the_manager_is_changed_while_it_runs() {
    insta::assert_snapshot!(told(|w| {
        let manager = w.blueprint.instances.get_mut(&name("manager")).unwrap();
        manager.security_group = name("nodes");
    }));
}

#[test]
fn closing_the_api_starts_the_services_again_and_replaces_nothing() {
    insta::assert_snapshot!(told(|w| w.manager_instance().api = Api::Token));
}

#[test]
fn secrets_that_are_older_than_the_token_are_completed_before_it_is_asked_for() {
    let key = "settings/instance/manager.json";
    let older = |w: &mut World| {
        let told = w.stored.settings.get_mut(key).unwrap();
        *told = told.replace("\"api\":\"open\",", "");
        assert!(!told.contains("\"api\""), "{told}");
    };
    insta::assert_snapshot!(told(|w| {
        older(w);
        w.manager_instance().api = Api::Token;
    }));
    let still_open = after(older);
    assert!(still_open.is_empty(), "{}", text(&still_open));
}

#[test]
fn another_type_or_base_of_the_manager_replaces_it() {
    insta::assert_snapshot!(told(|w| {
        let manager = w.blueprint.instances.get_mut(&name("manager")).unwrap();
        manager.machine = "t3.small".into();
        manager.base = BaseImage::Debian12;
    }));
}

#[test]
fn other_groups_and_roles_of_nodes_replace_them() {
    insta::assert_snapshot!(told(|w| {
        w.pool().security_group = name("door");
        w.pool().role = name("manager");
    }));
}

#[test]
fn a_role_that_is_left_out_goes_when_nobody_has_it() {
    insta::assert_snapshot!(told(|w| {
        w.inventory.roles.push(FoundRole {
            name: "role-old".into(),
            resource: name("old"),
            policy: None,
            profile: Profile::Ready,
        });
    }));
}

#[test]
fn a_database_changes_its_class_and_grows_in_place() {
    insta::assert_snapshot!(told(|w| {
        w.database().class = "db.t4g.small".into();
        w.database().storage_gib = 22;
    }));
}

#[test]
fn what_rds_is_changing_already_is_awaited() {
    let plan = after(|w| {
        w.database().class = "db.t4g.small".into();
        w.inventory.databases[0].state = "modifying".into();
        w.inventory.databases[0].pending = Pending {
            class: Some("db.t4g.small".into()),
            storage_gib: None,
        };
    });
    assert_eq!(plan.steps[0].verb, Verb::Await, "{}", text(&plan));
    let in_a_window = after(|w| {
        w.database().class = "db.t4g.small".into();
        w.inventory.databases[0].pending.class = Some("db.t4g.small".into());
    });
    assert_eq!(in_a_window.steps[0].verb, Verb::Change);
}

#[test]
fn storage_that_is_being_optimised_is_settled() {
    let plan = after(|w| w.inventory.databases[0].state = "storage-optimization".into());
    assert!(plan.is_empty(), "{}", text(&plan));
}

#[test]
fn storage_that_rds_would_refuse_is_refused_with_what_would_be_right() {
    let storage = |gib| told(|w| w.database().storage_gib = gib);
    insta::assert_snapshot!("a_shrinking_storage", storage(19));
    insta::assert_snapshot!("a_storage_that_grows_too_little", storage(21));
}

#[test]
fn a_database_that_is_left_out_goes_only_if_it_is_named() {
    let left_out = |w: &mut World| {
        let mut other = w.inventory.databases[0].clone();
        (other.id, other.resource) = ("old-1".into(), name("old"));
        w.inventory.databases.push(other);
    };
    insta::assert_snapshot!("a_database_left_out", told(left_out));
    insta::assert_snapshot!(
        "a_database_left_out_and_named",
        told(|w| {
            left_out(w);
            w.remove.insert("database/old".parse().unwrap());
        })
    );
}

#[test]
fn several_edits_are_told_together() {
    insta::assert_snapshot!(told(|w| {
        w.pool().machine = "t3.small".into();
        w.pool().capacity = 96 << 20;
        w.image_of_nodes().recipe.run = vec!["true".into()];
        w.blueprint.buckets.insert(name("archive"), Bucket {});
        w.database().class = "db.t4g.small".into();
    }));
}
