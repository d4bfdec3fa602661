//! What an instance takes away of its deployment when that has expired, and whose turn it is.
//!
//! The instances of a deployment stand in an order: single instances first, since they are what
//! manages the others, then the nodes, the oldest first. The first acts at once, each further one
//! [`HEAD_START`] later. Whoever acts ends the other instances first of all; so that an instance is
//! still there when its turn comes shows that none before it could act, whatever the reason.

use std::time::Duration;

use crate::destroy::{Removal, RemovalAction, removals};
use crate::inventory::{FoundInstance, InstanceState, Inventory, Rule, RuleSource};
use crate::names::Kind;

/// How much earlier each instance may act than the next in the order.
pub const HEAD_START: Duration = Duration::from_secs(5 * 60);

/// What an instance whose deployment has expired is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Take the deployment away.
    Now,
    /// Wait: an instance before it has the time to.
    Wait {
        /// Which one stands first.
        first: String,
        /// How long it still has to wait if nothing happens.
        left: Duration,
    },
    /// End itself and leave the others alone: the deployment was extended, and this instance was
    /// launched so late that it was not told.
    LivesOn,
}

/// Whose turn it is, `overdue` after the expiry, for the instance with the id `own`.
#[must_use]
pub fn turn(instances: &[FoundInstance], own: &str, overdue: Duration) -> Turn {
    let mut living: Vec<&FoundInstance> = instances
        .iter()
        .filter(|i| matches!(i.state, InstanceState::Pending | InstanceState::Running))
        .collect();
    living.sort_by_key(|i| (i.resource.kind != Kind::Instance, &i.launched, &i.id));
    let place = living.iter().position(|i| i.id == own);
    // RFC 3339 in one zone with whole seconds is in the order of time.
    let told = place.and_then(|place| living[place].expires_at.as_ref());
    if told.is_some_and(|told| living.iter().any(|i| i.expires_at.as_ref() > Some(told))) {
        return Turn::LivesOn;
    }
    // One that is not listed yet stands behind those that are.
    let place = place.unwrap_or(living.len());
    let before = u32::try_from(place).unwrap_or(u32::MAX);
    match (
        living.first(),
        HEAD_START.saturating_mul(before).checked_sub(overdue),
    ) {
        (Some(first), Some(left)) if !left.is_zero() => Turn::Wait {
            first: first.id.clone(),
            left,
        },
        _ => Turn::Now,
    }
}

/// What the instance with the id `own` can remove: all that bills but itself. The groups it is in
/// are in use; roles no instance may touch; they and interfaces cost nothing.
#[must_use]
pub fn reaping(inventory: &Inventory, own: &str) -> Vec<Removal> {
    let itself = inventory.instances.iter().find(|i| i.id == own);
    let own_groups: &[String] = itself.map_or(&[], |i| &i.groups);
    // What lets another group in holds that; all else about its own groups may stay.
    let holds_others = |id: &String| {
        let mut groups = inventory.security_groups.iter().filter(|g| &g.id == id);
        groups.any(|group| {
            let other =
                |rule: &Rule| matches!(&rule.from, RuleSource::Group(g) if g != &group.resource);
            group.rules.iter().any(other)
        })
    };
    let stays = |removal: &Removal| match removal.action {
        RemovalAction::Instance => removal.id == own,
        RemovalAction::SecurityGroup => own_groups.contains(&removal.id),
        RemovalAction::Rules => own_groups.contains(&removal.id) && !holds_others(&removal.id),
        RemovalAction::Role | RemovalAction::Profile | RemovalAction::Interface => true,
        _ => false,
    };
    without(removals(inventory), stays)
}

/// Leaves removals out, and the need for them.
fn without(all: Vec<Removal>, stays: impl Fn(&Removal) -> bool) -> Vec<Removal> {
    let mut place = Vec::new();
    let mut kept: Vec<Removal> = Vec::new();
    for mut removal in all {
        if stays(&removal) {
            place.push(None);
            continue;
        }
        removal.needs = removal.needs.iter().filter_map(|n| place[*n]).collect();
        place.push(Some(kept.len()));
        kept.push(removal);
    }
    kept
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inventory::{FoundBucket, FoundRole, FoundSecurityGroup, Profile, samples};

    const EXPIRY: &str = "2026-11-26T13:00:00Z";

    fn instance(resource: &str, id: &str, group: &str) -> FoundInstance {
        FoundInstance {
            launched: Some(format!("2026-11-26T05:00:0{}Z", id.len())),
            expires_at: Some(EXPIRY.to_owned()),
            groups: vec![group.to_owned()],
            ..samples::instance(resource, id)
        }
    }

    fn instances() -> Vec<FoundInstance> {
        vec![
            instance("pool/cache", "i-22", "sg-nodes"),
            instance("pool/cache", "i-1", "sg-nodes"),
            instance("instance/manager", "i-manager", "sg-door"),
        ]
    }

    fn left(instances: &[FoundInstance], own: &str, minutes: u64) -> Option<u64> {
        match turn(instances, own, Duration::from_secs(minutes * 60)) {
            Turn::Now => Some(0),
            Turn::Wait { left, .. } => Some(left.as_secs() / 60),
            Turn::LivesOn => None,
        }
    }

    #[test]
    fn the_manager_acts_first_and_each_node_a_head_start_later() {
        let all = instances();
        assert_eq!(left(&all, "i-manager", 0), Some(0));
        assert_eq!(left(&all, "i-1", 0), Some(5));
        assert_eq!(left(&all, "i-22", 0), Some(10));
        assert_eq!(left(&all, "i-22", 7), Some(3));
        assert_eq!(left(&all, "i-22", 10), Some(0));
    }

    #[test]
    fn one_that_is_off_or_gone_is_not_waited_for() {
        let mut all = instances();
        all[2].state = InstanceState::Stopped;
        assert_eq!(left(&all, "i-1", 0), Some(0));
        all[1].state = InstanceState::ShuttingDown;
        assert_eq!(left(&all, "i-22", 0), Some(0));
        assert_eq!(left(&[], "i-22", 0), Some(0));
        assert_eq!(left(&all, "i-not-listed-yet", 0), Some(5));
    }

    #[test]
    fn one_that_was_not_told_of_an_extension_ends_alone() {
        let mut all = instances();
        all[2].expires_at = Some("2026-11-26T15:00:00Z".to_owned());
        assert_eq!(left(&all, "i-1", 60), None);
        assert_eq!(left(&all, "i-manager", 0), Some(0));
    }

    #[test]
    fn an_instance_leaves_itself_its_group_and_the_roles() {
        let group = |id: &str, resource: &str| FoundSecurityGroup {
            id: id.to_owned(),
            resource: resource.parse().unwrap(),
            rules: Vec::new(),
        };
        let from = |name: &str| Rule {
            first_port: 5003,
            last_port: 5003,
            from: RuleSource::Group(name.parse().unwrap()),
        };
        let mut inventory = Inventory {
            instances: instances(),
            buckets: vec![FoundBucket {
                name: "b".to_owned(),
                resource: "photos".parse().unwrap(),
                is_home: true,
            }],
            security_groups: vec![group("sg-door", "door"), group("sg-nodes", "nodes")],
            roles: vec![FoundRole {
                name: "r".to_owned(),
                resource: "manager".parse().unwrap(),
                policy: None,
                profile: Profile::Ready,
            }],
            ..Inventory::default()
        };
        let list = reaping(&inventory, "i-manager");
        let removed = list.iter();
        let removed: Vec<_> = removed
            .map(|r| (r.resource.as_str(), r.id.as_str()))
            .collect();
        let expected = [
            ("pool/cache", "i-22"),
            ("pool/cache", "i-1"),
            ("bucket/photos", "b"),
            ("security-group/nodes rules", "sg-nodes"),
            ("security-group/nodes", "sg-nodes"),
        ];
        assert_eq!(removed, expected);
        for (index, removal) in list.iter().enumerate() {
            assert!(removal.needs.iter().all(|need| *need < index), "{list:#?}");
        }
        let bucket = list.iter().find(|r| r.id == "b").unwrap();
        let needs: Vec<_> = bucket.needs.iter().map(|n| list[*n].id.as_str()).collect();
        assert_eq!(needs, ["i-22", "i-1"], "nobody writes to it any more");

        inventory.security_groups[0].rules = vec![from("nodes"), from("door")];
        let list = reaping(&inventory, "i-manager");
        assert!(
            list.iter()
                .any(|r| r.resource == "security-group/door rules")
        );
        inventory.security_groups[0].rules = vec![from("door")];
        let list = reaping(&inventory, "i-manager");
        assert!(list.iter().all(|r| r.id != "sg-door"), "{list:#?}");
    }
}
