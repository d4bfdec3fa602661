//! The ids that resources got: read from the inventory at first, added to as steps are carried out.

use std::collections::BTreeMap;

use crate::expiry::Expiry;
use crate::inventory::{Endpoint, Inventory, Profile};
use crate::names::ResourceName;

/// What the resources of a blueprint are called in the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// When all of it ends, which stands in a tag on whatever is made.
    pub expires_at: Option<Expiry>,
    /// The bucket that holds settings, secrets and programs, once there is one.
    pub home: Option<ResourceName>,
    /// Bucket names.
    pub buckets: BTreeMap<ResourceName, String>,
    /// Security group ids.
    pub security_groups: BTreeMap<ResourceName, String>,
    /// Names of instance profiles.
    pub profiles: BTreeMap<ResourceName, String>,
    /// Where databases answer.
    pub databases: BTreeMap<ResourceName, Endpoint>,
    /// Ids of finished images.
    pub images: BTreeMap<ResourceName, String>,
    /// Ids of single instances.
    pub instances: BTreeMap<ResourceName, String>,
}

impl Known {
    /// What an inventory says.
    #[must_use]
    pub fn from_inventory(inventory: &Inventory) -> Known {
        let mut known = Known {
            home: inventory.home().map(|b| b.resource.clone()),
            ..Known::default()
        };
        for bucket in &inventory.buckets {
            known
                .buckets
                .insert(bucket.resource.clone(), bucket.name.clone());
        }
        for group in &inventory.security_groups {
            known
                .security_groups
                .insert(group.resource.clone(), group.id.clone());
        }
        for role in inventory
            .roles
            .iter()
            .filter(|r| r.profile == Profile::Ready)
        {
            known
                .profiles
                .insert(role.resource.clone(), role.name.clone());
        }
        for database in &inventory.databases {
            if let (Some(endpoint), true) = (&database.endpoint, database.is_available()) {
                known
                    .databases
                    .insert(database.resource.clone(), endpoint.clone());
            }
        }
        known
    }
}
