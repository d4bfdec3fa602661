//! What the manager is told at its start.

use std::collections::BTreeMap;

use catalog::{DatabaseSettings, Mode, Policy, PoolRow};
use kit::session::Key;
use kit::settings::{Instance, Secret};
use kit::token::Token;
use serde::Deserialize;

/// The manager's part of the instance's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// The deployment's name.
    pub deployment: String,
    /// AWS region.
    pub region: String,
    /// The deployment's bucket.
    pub bucket: String,
    /// Where PostgreSQL is.
    pub database: DatabaseSettings,
    /// The manager's own.
    pub manager: ManagerSettings,
    /// The front-end on the same instance.
    pub front_end: FrontEndSettings,
    /// The pool it keeps.
    pub pool: PoolSettings,
    /// Where it runs.
    pub instance: Instance,
    /// SHA-256 of the settings object that this is made of.
    pub settings_hash: String,
    /// What nobody else may know.
    pub secrets: Secrets,
}

/// The manager's own settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ManagerSettings {
    /// TCP port on the instance's address.
    pub port: u16,
}

/// What the manager's pages say about the front-end.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FrontEndSettings {
    /// TCP port on the instance's address.
    pub port: u16,
}

/// The deployment's secrets.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Secrets {
    /// Of the database's role.
    pub database_password: Secret,
    /// For the manager's pages.
    pub manager_password: Secret,
    /// By which services know each other.
    pub internal_token: Token,
    /// Signs sessions.
    pub session_key: Key,
}

/// The pool of nodes. Size, capacity, policy and scaling count at the first start only; afterwards the
/// database says what they are.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PoolSettings {
    /// Its name in the blueprint.
    pub name: String,
    /// TCP port of the nodes.
    pub port: u16,
    /// AMI of the nodes.
    pub image: String,
    /// Instance type of the nodes.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name of the nodes' instance profile.
    pub instance_profile: String,
    /// Ids of the nodes' security groups.
    pub security_groups: Vec<String>,
    /// Where nodes are launched: the first, the others when that has no room.
    pub subnets: Vec<Subnet>,
    /// Key of the nodes' settings in the bucket.
    pub settings: String,
    /// Key of the nodes' secrets in the bucket.
    pub secrets: String,
    /// Tags of everything launched.
    pub tags: BTreeMap<String, String>,
    /// How many nodes.
    pub size: Size,
    /// Bytes of each node's cache.
    pub capacity: u64,
    /// Replacement policy.
    pub policy: Policy,
    /// Who decides the size.
    pub mode: Mode,
    /// Miss rate above which the pool grows.
    pub grow_above: f64,
    /// Miss rate below which it shrinks.
    pub shrink_below: f64,
    /// Growth factor.
    pub expand: f64,
    /// Shrink factor.
    pub shrink: f64,
}

/// A subnet and its zone.
#[derive(Clone, Debug, Deserialize)]
pub struct Subnet {
    /// Subnet id.
    pub id: String,
    /// Availability zone.
    pub zone: String,
}

/// The pool's size at the first start.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Size {
    /// Smallest.
    pub min: u32,
    /// Largest.
    pub max: u32,
    /// At the first start.
    pub start: u32,
}

impl PoolSettings {
    /// The pool as the blueprint wishes it at the first start.
    #[must_use]
    pub fn first(&self) -> PoolRow {
        PoolRow {
            name: self.name.clone(),
            revision: 0,
            epoch: 1,
            size: 0,
            wanted: self.size.start,
            capacity: self.capacity,
            policy: self.policy,
            mode: self.mode,
            exp_ratio: self.expand,
            shrink_ratio: self.shrink,
            max_miss: self.grow_above,
            min_miss: self.shrink_below,
        }
    }
}
