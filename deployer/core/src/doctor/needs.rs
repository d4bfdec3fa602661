//! What a blueprint asks of an account.

use std::collections::{BTreeMap, BTreeSet};

use crate::blueprint::{Blueprint, Role};
use crate::expiry::DEFAULT_LIFETIME;

/// What a blueprint asks of an account, with every pool at its largest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The region.
    pub region: String,
    /// Instances that run at once, by type.
    pub machines: BTreeMap<String, u32>,
    /// The types of the builders that run beside them for as long as images are baked.
    pub builders: Vec<String>,
    /// Classes of databases, with how many of each.
    pub classes: BTreeMap<String, u32>,
    /// How many roles are made.
    pub roles: usize,
    /// For how many seconds it lives.
    pub seconds: u64,
    /// Instance profiles that the account has already.
    pub profiles: BTreeSet<String>,
}

impl Needs {
    /// Those of a blueprint.
    #[must_use]
    pub fn of(blueprint: &Blueprint) -> Needs {
        let mut needs = Needs {
            region: blueprint.region.clone(),
            seconds: blueprint.ttl.unwrap_or(DEFAULT_LIFETIME).seconds(),
            ..Needs::default()
        };
        let singles = blueprint.instances.values().map(|i| (&i.machine, 1));
        let pools = blueprint.pools.values().map(|p| (&p.machine, p.size.max));
        for (machine, count) in singles.chain(pools) {
            *needs.machines.entry(machine.clone()).or_default() += count;
        }
        for image in blueprint.images.keys() {
            let pool = blueprint.pools.values().find(|pool| pool.image == *image);
            needs.builders.extend(pool.map(|pool| pool.machine.clone()));
        }
        for database in blueprint.databases.values() {
            *needs.classes.entry(database.class.clone()).or_default() += 1;
        }
        for role in blueprint.roles.values() {
            match role {
                Role::Allow { .. } => needs.roles += 1,
                Role::Existing(profile) => drop(needs.profiles.insert(profile.clone())),
            }
        }
        needs
    }

    /// Instances that run at once, without a builder.
    #[must_use]
    pub fn instances(&self) -> u32 {
        self.machines.values().sum()
    }

    /// Every instance type that is launched; a builder is of its pool's type.
    #[must_use]
    pub fn types(&self) -> BTreeSet<&str> {
        self.machines.keys().map(String::as_str).collect()
    }

    /// vCPUs of all of it at once, by what each type has; a type that is not known has two.
    #[must_use]
    pub fn vcpus(&self, of_types: &BTreeMap<String, u32>) -> u32 {
        let of = |machine: &str| of_types.get(machine).copied().unwrap_or(2);
        let machines = self.machines.iter().map(|(m, count)| of(m) * count);
        let builders = self.builders.iter().map(|machine| of(machine));
        machines.chain(builders).sum()
    }
}
