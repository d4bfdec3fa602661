//! What the manager is told at its start.

use std::collections::BTreeMap;

use catalog::DatabaseSettings;
use kit::door::Api;
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
    /// CloudWatch namespace of the deployment.
    pub namespace: String,
    /// The deployment's bucket.
    pub bucket: String,
    /// Where PostgreSQL is.
    pub database: DatabaseSettings,
    /// Whether the API is open.
    #[serde(default)]
    pub api: Api,
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
    /// Opens the API, where it is closed.
    #[serde(default)]
    pub api_token: Option<Token>,
}

/// The pool of nodes: what it is called. What it is like stands in a document of its own, which may
/// change while the manager runs ([`crate::blueprint`]).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PoolSettings {
    /// Its name in the blueprint.
    pub name: String,
    /// TCP port of the nodes.
    pub port: u16,
    /// Key of what the blueprint says of the pool, in the bucket.
    pub blueprint: String,
    /// Key of the nodes' settings in the bucket.
    pub settings: String,
    /// Key of the nodes' secrets in the bucket.
    pub secrets: String,
    /// Tags of everything launched.
    pub tags: BTreeMap<String, String>,
}

/// A subnet and its zone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Subnet {
    /// Subnet id.
    pub id: String,
    /// Availability zone.
    pub zone: String,
}
