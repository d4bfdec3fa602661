//! In which order what exists goes: first whoever could make something anew, last what the others
//! stand on.

use crate::inventory::{FoundSecurityGroup, Inventory, StrayKind};
use crate::names::Kind;

/// One thing to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// What it is, for example `bucket/photos`.
    pub resource: String,
    /// Its id or name in the account.
    pub id: String,
    /// How it is removed.
    pub action: RemovalAction,
    /// Indices of the removals that have to be done before.
    pub needs: Vec<usize>,
}

/// How a thing is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovalAction {
    /// Terminate an instance.
    Instance,
    /// Delete a database without a last snapshot.
    Database,
    /// Delete a database after a last snapshot of it.
    DatabaseAfter {
        /// The snapshot's name.
        snapshot: String,
    },
    /// Deregister an image and delete its snapshots.
    Image {
        /// The snapshots behind it.
        snapshots: Vec<String>,
    },
    /// Delete a snapshot that no image holds.
    Snapshot,
    /// Delete a volume.
    Volume,
    /// Delete a network interface.
    Interface,
    /// Empty and delete a bucket.
    Bucket,
    /// Take away the rules of a security group.
    Rules,
    /// Delete a security group.
    SecurityGroup,
    /// Delete a role with its policy and profile.
    Role,
    /// Delete an instance profile without a role.
    Profile,
    /// Delete what no section of a blueprint stands for.
    Stray(StrayKind),
}

/// The removals of all there is, each after those that it needs.
#[must_use]
pub fn removals(inventory: &Inventory) -> Vec<Removal> {
    removals_beside(inventory, &Inventory::default())
}

/// The removals of what goes, beside what is kept: a kept group loses its rules, which name groups
/// that go.
#[must_use]
pub fn removals_beside(goes: &Inventory, kept: &Inventory) -> Vec<Removal> {
    let mut order = Order::default();
    let is_single = |kind: Kind| matches!(kind, Kind::Instance);
    let instances = |single: bool| {
        let of_kind = move |kind| is_single(kind) == single;
        goes.instances
            .iter()
            .filter(move |i| of_kind(i.resource.kind))
            .map(|i| (i.resource.to_string(), i.id.clone()))
    };
    // The manager first, so that nothing is made anew behind our back. What does not say what it is
    // may be one.
    let mut managers = order.all(instances(true), &RemovalAction::Instance, &[]);
    managers.extend(order.strays(goes, &[StrayKind::Instance], &[]));
    let mut machines = order.all(instances(false), &RemovalAction::Instance, &managers);
    machines.extend(&managers);
    // Nobody makes databases anew, and none takes longer to go.
    let mut databases = order.all(
        goes.databases
            .iter()
            .map(|d| (format!("database/{}", d.resource), d.id.clone())),
        &RemovalAction::Database,
        &[],
    );
    databases.extend(order.strays(goes, &[StrayKind::Database], &[]));
    order.what_machines_used(goes, &machines);
    order.strays(goes, AFTER_DATABASES, &databases);
    order.strays(goes, ANY_TIME, &[]);
    order.groups(goes, kept, &machines, &databases);
    order.list
}

/// What a database leaves, writes to, or stands on.
const AFTER_DATABASES: &[StrayKind] = &[
    StrayKind::DatabaseSnapshot,
    StrayKind::DatabaseBackup,
    StrayKind::SubnetGroup,
    StrayKind::ParameterGroup,
    StrayKind::LogGroup,
];
/// What machines may use until they are gone.
const AFTER_MACHINES: &[StrayKind] = &[
    StrayKind::Address,
    StrayKind::KeyPair,
    StrayKind::Image,
    StrayKind::Bucket,
    StrayKind::Role,
];
/// What nothing stands on.
const ANY_TIME: &[StrayKind] = &[
    StrayKind::LaunchTemplate,
    StrayKind::Alarm,
    StrayKind::Dashboard,
];

#[derive(Default)]
struct Order {
    list: Vec<Removal>,
}

impl Order {
    fn strays(&mut self, goes: &Inventory, kinds: &[StrayKind], needs: &[usize]) -> Vec<usize> {
        let of_kinds = goes.strays.iter().filter(|s| kinds.contains(&s.kind));
        of_kinds
            .map(|s| {
                let action = RemovalAction::Stray(s.kind);
                self.add(s.kind.as_str().to_owned(), s.id.clone(), action, needs)
            })
            .collect()
    }

    /// What is free to go once no machine uses it.
    fn what_machines_used(&mut self, goes: &Inventory, machines: &[usize]) {
        for image in &goes.images {
            let action = RemovalAction::Image {
                snapshots: image.snapshots.clone(),
            };
            let resource = format!("image/{}", image.resource);
            self.add(resource, image.id.clone(), action, machines);
        }
        let lone = [
            ("snapshot", &goes.snapshots, RemovalAction::Snapshot),
            ("volume", &goes.volumes, RemovalAction::Volume),
            (
                "network interface",
                &goes.interfaces,
                RemovalAction::Interface,
            ),
            (
                "instance profile",
                &goes.lone_profiles,
                RemovalAction::Profile,
            ),
        ];
        for (what, ids, action) in lone {
            let things = ids.iter().map(|id| (what.to_owned(), id.clone()));
            self.all(things, &action, machines);
        }
        self.all(
            goes.buckets
                .iter()
                .map(|b| (format!("bucket/{}", b.resource), b.name.clone())),
            &RemovalAction::Bucket,
            machines,
        );
        self.all(
            goes.roles
                .iter()
                .map(|r| (format!("role/{}", r.resource), r.name.clone())),
            &RemovalAction::Role,
            machines,
        );
        self.strays(goes, AFTER_MACHINES, machines);
    }

    /// Groups go last, after the rules by which they name one another.
    fn groups(
        &mut self,
        goes: &Inventory,
        kept: &Inventory,
        machines: &[usize],
        databases: &[usize],
    ) {
        let name =
            |g: &FoundSecurityGroup| (format!("security-group/{}", g.resource), g.id.clone());
        let strays = goes.strays.iter();
        let strays = strays.filter(|s| s.kind == StrayKind::SecurityGroup);
        let with_rules = (goes.security_groups.iter().chain(&kept.security_groups))
            .map(name)
            .chain(strays.map(|s| (s.kind.as_str().to_owned(), s.id.clone())))
            .map(|(resource, id)| (format!("{resource} rules"), id));
        let mut before = self.all(with_rules, &RemovalAction::Rules, machines);
        before.extend(databases);
        let groups = goes.security_groups.iter().map(name);
        self.all(groups, &RemovalAction::SecurityGroup, &before);
        self.strays(goes, &[StrayKind::SecurityGroup], &before);
    }

    fn add(
        &mut self,
        resource: String,
        id: String,
        action: RemovalAction,
        needs: &[usize],
    ) -> usize {
        self.list.push(Removal {
            resource,
            id,
            action,
            needs: needs.to_vec(),
        });
        self.list.len() - 1
    }

    fn all(
        &mut self,
        things: impl IntoIterator<Item = (String, String)>,
        action: &RemovalAction,
        needs: &[usize],
    ) -> Vec<usize> {
        things
            .into_iter()
            .map(|(resource, id)| self.add(resource, id, action.clone(), needs))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inventory::samples::instance;
    use crate::inventory::{FoundBucket, Stray};

    #[test]
    fn the_manager_goes_before_what_it_could_make_anew() {
        let inventory = Inventory {
            instances: vec![
                instance("pool/cache", "i-node"),
                instance("instance/manager", "i-manager"),
            ],
            buckets: vec![FoundBucket {
                name: "b".to_owned(),
                resource: "photos".parse().unwrap(),
                is_home: true,
            }],
            security_groups: vec![FoundSecurityGroup {
                id: "sg-1".to_owned(),
                resource: "door".parse().unwrap(),
                rules: Vec::new(),
            }],
            ..Inventory::default()
        };
        let removals = removals(&inventory);
        let position = |id: &str| removals.iter().position(|r| r.id == id).unwrap();
        let needs = |id: &str| &removals[position(id)].needs;
        assert!(needs("i-manager").is_empty());
        assert_eq!(needs("i-node"), &[position("i-manager")]);
        assert!(
            needs("b").contains(&position("i-node")) && needs("b").contains(&position("i-manager"))
        );
        let group = removals
            .iter()
            .find(|r| r.action == RemovalAction::SecurityGroup)
            .unwrap();
        assert_eq!(
            group.needs,
            [removals
                .iter()
                .position(|r| r.action == RemovalAction::Rules)
                .unwrap()]
        );
    }

    #[test]
    fn every_kind_of_stray_goes_once() {
        let every = [
            AFTER_DATABASES,
            AFTER_MACHINES,
            ANY_TIME,
            &[
                StrayKind::Instance,
                StrayKind::Database,
                StrayKind::SecurityGroup,
            ],
        ]
        .concat();
        let stray = |kind: &StrayKind| Stray {
            kind: *kind,
            id: kind.as_str().to_owned(),
            state: String::new(),
            created: None,
            gib: None,
        };
        let inventory = Inventory {
            strays: every.iter().map(stray).collect(),
            ..Inventory::default()
        };
        let list = removals(&inventory);
        for kind in every {
            let count = list
                .iter()
                .filter(|r| r.action == RemovalAction::Stray(kind));
            assert_eq!(count.count(), 1, "{kind:?}");
        }
    }

    #[test]
    fn a_kept_group_loses_the_rules_that_name_one_that_goes() {
        let group = |id: &str| FoundSecurityGroup {
            id: id.to_owned(),
            resource: "data".parse().unwrap(),
            rules: Vec::new(),
        };
        let of = |id: &str| Inventory {
            security_groups: vec![group(id)],
            ..Inventory::default()
        };
        let list = removals_beside(&of("sg-goes"), &of("sg-kept"));
        let done = |action: &RemovalAction| -> Vec<&str> {
            let of_it = list.iter().filter(|r| r.action == *action);
            of_it.map(|r| r.id.as_str()).collect()
        };
        assert_eq!(done(&RemovalAction::Rules), ["sg-goes", "sg-kept"]);
        assert_eq!(done(&RemovalAction::SecurityGroup), ["sg-goes"]);
    }

    #[test]
    fn every_need_stands_before_whoever_needs_it() {
        let inventory = Inventory {
            instances: vec![
                instance("builder/node", "i-1"),
                instance("instance/manager", "i-2"),
            ],
            volumes: vec!["vol-1".to_owned()],
            ..Inventory::default()
        };
        for (index, removal) in removals(&inventory).iter().enumerate() {
            assert!(removal.needs.iter().all(|n| *n < index));
        }
    }
}
