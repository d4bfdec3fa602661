//! A database instance: what is kept about it, and the states it goes through.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// All databases of the account, by region and identifier.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Databases(pub(crate) BTreeMap<String, BTreeMap<String, Database>>);

impl Databases {
    pub(crate) fn get(&self, key: &Key) -> Option<&Database> {
        self.0.get(&key.region)?.get(&key.identifier)
    }

    pub(crate) fn get_mut(&mut self, key: &Key) -> Option<&mut Database> {
        self.0.get_mut(&key.region)?.get_mut(&key.identifier)
    }

    pub(crate) fn insert(&mut self, key: Key, database: Database) {
        self.0
            .entry(key.region)
            .or_default()
            .insert(key.identifier, database);
    }

    pub(crate) fn remove(&mut self, key: &Key) {
        if let Some(region) = self.0.get_mut(&key.region) {
            region.remove(&key.identifier);
            if region.is_empty() {
                self.0.remove(&key.region);
            }
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (Key, &Database)> {
        self.0.iter().flat_map(|(region, databases)| {
            databases
                .iter()
                .map(|(identifier, database)| (Key::new(region, identifier), database))
        })
    }
}

/// Names one database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) region: String,
    /// In lower case: identifiers are compared without regard to case.
    pub(crate) identifier: String,
}

impl Key {
    pub(crate) fn new(region: &str, identifier: &str) -> Self {
        Self {
            region: region.to_owned(),
            identifier: identifier.to_ascii_lowercase(),
        }
    }
}

/// `DBInstanceStatus`.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    Creating,
    BackingUp,
    Available,
    Modifying,
    Stopping,
    Stopped,
    Starting,
    Deleting,
    Failed,
}

impl Status {
    /// As the wire has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::BackingUp => "backing-up",
            Self::Available => "available",
            Self::Modifying => "modifying",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Deleting => "deleting",
            Self::Failed => "failed",
        }
    }
}

/// What is kept about a database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Database {
    pub(crate) status: Status,
    /// `db-…`, and the name of its folder.
    pub(crate) resource_id: String,
    pub(crate) created: jiff::Timestamp,
    pub(crate) address: Ipv4Addr,
    pub(crate) port: u16,
    pub(crate) zone: String,
    pub(crate) master: String,
    /// Until it is in the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<Secret>,
    pub(crate) name: Option<String>,
    pub(crate) engine_version: String,
    pub(crate) storage_type: String,
    pub(crate) groups: Vec<String>,
    pub(crate) public: bool,
    pub(crate) multi_az: bool,
    pub(crate) encrypted: bool,
    pub(crate) minor_upgrades: bool,
    pub(crate) copy_tags: bool,
    pub(crate) deletion_protection: bool,
    #[serde(flatten)]
    pub(crate) size: Size,
    /// What waits for a maintenance window, or is being done.
    #[serde(default)]
    pub(crate) pending: Pending,
    /// Whether it is being done.
    #[serde(default)]
    pub(crate) at_once: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

/// What a modification may change only in a maintenance window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Size {
    pub(crate) class: String,
    /// GiB.
    pub(crate) storage: i64,
    /// Days; 0: no backups.
    pub(crate) retention: i64,
}

/// Wanted, not yet so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Pending {
    pub(crate) class: Option<String>,
    pub(crate) storage: Option<i64>,
    pub(crate) retention: Option<i64>,
}

impl Database {
    /// Makes what is pending so.
    pub(crate) fn apply(&mut self) {
        let Pending {
            class,
            storage,
            retention,
        } = std::mem::take(&mut self.pending);
        let size = &mut self.size;
        size.class = class.unwrap_or_else(|| std::mem::take(&mut size.class));
        size.storage = storage.unwrap_or(size.storage);
        size.retention = retention.unwrap_or(size.retention);
        self.at_once = false;
    }
}

/// A password, never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("(secret)")
    }
}
