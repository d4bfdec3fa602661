//! An inventory as a whole: put together, counted, and a line for each thing.

use super::Inventory;
use crate::cost::Billed;
use crate::cost::estimate::ROOT_GIB;
use crate::cost::rates::{of_database, of_instance, of_stray};
use crate::names::{Kind, ResourceName};

/// One line of a listing of what exists.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    /// What it is, for example `instance/manager` or `volume`.
    pub resource: String,
    /// Its id or name in AWS.
    pub id: String,
    /// Its state, or an empty text where it has none.
    pub state: String,
    /// What it is billed for, of which there is nothing where it is free; `None` where its type or
    /// size is not known.
    #[serde(skip)]
    pub billed: Option<Vec<Billed>>,
}

impl Inventory {
    /// Adds what another look has shown.
    pub fn absorb(&mut self, other: Inventory) {
        self.security_groups.extend(other.security_groups);
        self.roles.extend(other.roles);
        self.lone_profiles.extend(other.lone_profiles);
        self.databases.extend(other.databases);
        self.buckets.extend(other.buckets);
        self.images.extend(other.images);
        self.instances.extend(other.instances);
        self.volumes.extend(other.volumes);
        self.snapshots.extend(other.snapshots);
        self.interfaces.extend(other.interfaces);
        self.strays.extend(other.strays);
    }

    /// How many things there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.security_groups.len()
            + self.roles.len()
            + self.lone_profiles.len()
            + self.databases.len()
            + self.buckets.len()
            + self.images.len()
            + self.instances.len()
            + self.volumes.len()
            + self.snapshots.len()
            + self.interfaces.len()
            + self.strays.len()
    }

    /// The newest instant at which something of it was made, RFC 3339, as far as AWS says.
    #[must_use]
    pub fn newest(&self) -> Option<&str> {
        let instances = self.instances.iter().filter_map(|i| i.launched.as_deref());
        let databases = self.databases.iter().filter_map(|d| d.created.as_deref());
        let strays = self.strays.iter().filter_map(|s| s.created.as_deref());
        instances.chain(databases).chain(strays).max()
    }

    /// Every resource, a line each, in the order of the blueprint's sections.
    #[must_use]
    pub fn listed(&self) -> Vec<Listed> {
        let named = |kind: Kind, name: &ResourceName, id: &str, state: &str| Listed {
            resource: format!("{}/{name}", kind.as_str()),
            id: id.to_owned(),
            state: state.to_owned(),
            billed: Some(Vec::new()),
        };
        let lone = |what: &str, id: &String| Listed {
            resource: what.to_owned(),
            id: id.clone(),
            state: String::new(),
            billed: Some(Vec::new()),
        };
        let mut lines = Vec::new();
        lines.extend(self.buckets.iter().map(|b| Listed {
            billed: None,
            ..named(Kind::Bucket, &b.resource, &b.name, "")
        }));
        lines.extend(
            self.security_groups
                .iter()
                .map(|g| named(Kind::SecurityGroup, &g.resource, &g.id, "")),
        );
        lines.extend(
            self.roles
                .iter()
                .map(|r| named(Kind::Role, &r.resource, &r.name, "")),
        );
        lines.extend(self.databases.iter().map(|d| Listed {
            billed: Some(vec![of_database(d)]),
            ..named(Kind::Database, &d.resource, &d.id, &d.state)
        }));
        lines.extend(self.images.iter().map(|i| Listed {
            billed: Some(vec![Billed::Snapshot { gib: ROOT_GIB }]),
            ..named(Kind::Image, &i.resource, &i.id, &i.state)
        }));
        lines.extend(self.instances.iter().map(|i| Listed {
            billed: Some(of_instance(i)),
            ..named(i.resource.kind, &i.resource.name, &i.id, i.state.as_str())
        }));
        lines.extend(
            self.lone_profiles
                .iter()
                .map(|p| lone("instance profile", p)),
        );
        lines.extend(self.volumes.iter().map(|v| Listed {
            billed: None,
            ..lone("volume", v)
        }));
        lines.extend(self.snapshots.iter().map(|s| Listed {
            billed: None,
            ..lone("snapshot", s)
        }));
        lines.extend(self.interfaces.iter().map(|i| lone("network interface", i)));
        lines.extend(self.strays.iter().map(|s| Listed {
            state: s.state.clone(),
            billed: of_stray(s),
            ..lone(s.kind.as_str(), &s.id)
        }));
        lines
    }
}
