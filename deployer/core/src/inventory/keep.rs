//! What of a deployment stays when the rest goes.

use super::{Inventory, StrayKind};

/// What is kept of a deployment that is taken away; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Databases, their snapshots, and the groups that they are in.
    pub databases: bool,
    /// Buckets with all that they hold.
    pub buckets: bool,
}

impl Keep {
    /// Whether nothing is kept.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        self == Keep::default()
    }
}

impl Inventory {
    /// Parts what goes from what is kept. A kept database keeps its security groups: they are in use.
    #[must_use]
    pub fn part(mut self, keep: Keep) -> (Inventory, Inventory) {
        let mut kept = Inventory::default();
        if keep.buckets {
            kept.buckets = std::mem::take(&mut self.buckets);
        }
        if keep.databases {
            kept.databases = std::mem::take(&mut self.databases);
            let is_held = |id: &String| kept.databases.iter().any(|d| d.groups.contains(id));
            (kept.security_groups, self.security_groups) = self
                .security_groups
                .into_iter()
                .partition(|group| is_held(&group.id));
            (kept.strays, self.strays) = self.strays.into_iter().partition(|stray| {
                use StrayKind::{DatabaseSnapshot, ParameterGroup, SubnetGroup};
                [DatabaseSnapshot, ParameterGroup, SubnetGroup].contains(&stray.kind)
            });
        }
        (self, kept)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inventory::{FoundBucket, FoundDatabase, FoundSecurityGroup, samples};

    fn group(id: &str) -> FoundSecurityGroup {
        FoundSecurityGroup {
            id: id.to_owned(),
            resource: "data".parse().unwrap(),
            rules: Vec::new(),
        }
    }

    #[test]
    fn a_kept_database_keeps_the_group_it_is_in() {
        let inventory = Inventory {
            security_groups: vec![group("sg-1"), group("sg-2")],
            databases: vec![FoundDatabase {
                groups: vec!["sg-2".to_owned()],
                ..samples::database("d")
            }],
            buckets: vec![FoundBucket {
                name: "b".to_owned(),
                resource: "photos".parse().unwrap(),
                is_home: true,
            }],
            ..Inventory::default()
        };
        let keep = Keep {
            databases: true,
            buckets: false,
        };
        let (goes, kept) = inventory.clone().part(keep);
        assert_eq!(goes.security_groups, [group("sg-1")]);
        assert_eq!(kept.security_groups, [group("sg-2")]);
        assert_eq!((goes.buckets.len(), kept.databases.len()), (1, 1));
        assert_eq!(inventory.clone().part(Keep::default()).0, inventory);
    }
}
