//! In which order what exists goes: first whoever could make something anew, last what the others
//! stand on.

use crate::inventory::Inventory;
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
}

/// The removals, each after those that it needs.
#[must_use]
pub fn removals(inventory: &Inventory) -> Vec<Removal> {
    let mut order = Order::default();
    let single = |kind: Kind| matches!(kind, Kind::Instance);
    // The manager first, so that nothing is made anew behind our back.
    let managers = order.all(
        inventory
            .instances
            .iter()
            .filter(|i| single(i.resource.kind))
            .map(|i| (i.resource.to_string(), i.id.clone())),
        &RemovalAction::Instance,
        &[],
    );
    let mut machines = order.all(
        inventory
            .instances
            .iter()
            .filter(|i| !single(i.resource.kind))
            .map(|i| (i.resource.to_string(), i.id.clone())),
        &RemovalAction::Instance,
        &managers,
    );
    machines.extend(&managers);
    let databases = order.all(
        inventory
            .databases
            .iter()
            .map(|d| (format!("database/{}", d.resource), d.id.clone())),
        &RemovalAction::Database,
        &managers,
    );
    for image in &inventory.images {
        let action = RemovalAction::Image {
            snapshots: image.snapshots.clone(),
        };
        order.add(
            format!("image/{}", image.resource),
            image.id.clone(),
            action,
            &machines,
        );
    }
    let lone = |what: &'static str, ids: &'_ [String]| {
        ids.iter()
            .map(move |id| (what.to_owned(), id.clone()))
            .collect::<Vec<_>>()
    };
    order.all(
        lone("snapshot", &inventory.snapshots),
        &RemovalAction::Snapshot,
        &machines,
    );
    order.all(
        lone("volume", &inventory.volumes),
        &RemovalAction::Volume,
        &machines,
    );
    order.all(
        lone("network interface", &inventory.interfaces),
        &RemovalAction::Interface,
        &machines,
    );
    order.all(
        inventory
            .buckets
            .iter()
            .map(|b| (format!("bucket/{}", b.resource), b.name.clone())),
        &RemovalAction::Bucket,
        &machines,
    );
    let groups = || {
        inventory
            .security_groups
            .iter()
            .map(|g| (format!("security-group/{}", g.resource), g.id.clone()))
    };
    let rules = groups().map(|(resource, id)| (format!("{resource} rules"), id));
    let mut before_groups = order.all(rules, &RemovalAction::Rules, &machines);
    before_groups.extend(&databases);
    order.all(groups(), &RemovalAction::SecurityGroup, &before_groups);
    order.all(
        inventory
            .roles
            .iter()
            .map(|r| (format!("role/{}", r.resource), r.name.clone())),
        &RemovalAction::Role,
        &machines,
    );
    order.all(
        lone("instance profile", &inventory.lone_profiles),
        &RemovalAction::Profile,
        &machines,
    );
    order.list
}

#[derive(Default)]
struct Order {
    list: Vec<Removal>,
}

impl Order {
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
    use crate::inventory::{FoundBucket, FoundInstance, FoundSecurityGroup, InstanceState};

    fn instance(resource: &str, id: &str) -> FoundInstance {
        FoundInstance {
            id: id.to_owned(),
            resource: resource.parse().unwrap(),
            state: InstanceState::Running,
            machine: "t3.micro".to_owned(),
            private_address: None,
            public_address: None,
            zone: "us-east-1a".to_owned(),
            launched: None,
            settings: None,
            programs: None,
            base: None,
            profile: None,
            groups: Vec::new(),
        }
    }

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
