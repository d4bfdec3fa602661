//! What the front-end reads out of the instance's settings.

use catalog::DatabaseSettings;
use kit::door::Api;
use kit::session::Key;
use kit::settings::{Instance, Secret};
use kit::token::Token;
use serde::Deserialize;

/// The part of the manager instance's settings that concerns the front-end.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// The deployment's name, shown on the pages.
    pub deployment: String,
    /// The bucket with the photos.
    pub bucket: String,
    /// Where the catalog is.
    pub database: DatabaseSettings,
    /// The front-end's own.
    pub front_end: FrontEnd,
    /// Whether the API is open; without it the pages need a login too.
    #[serde(default)]
    pub api: Api,
    /// The manager's door on the same instance.
    pub manager: Manager,
    /// The instance this runs on.
    pub instance: Instance,
    /// What must not be seen.
    pub secrets: Secrets,
}

/// How the front-end serves.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FrontEnd {
    /// TCP port.
    pub port: u16,
    /// Largest photo, in bytes.
    #[serde(default = "default_upload_limit")]
    pub upload_limit: u64,
    /// Whether files that are no image are refused.
    #[serde(default)]
    pub images_only: bool,
}

/// Where the manager listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manager {
    /// TCP port.
    pub port: u16,
}

/// Secrets that the front-end needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Secrets {
    /// Of the database's user.
    pub database_password: Secret,
    /// By which the services know each other.
    pub internal_token: Token,
    /// Opens the API, where it is closed.
    #[serde(default)]
    pub api_token: Option<Token>,
    /// Signs the manager's sessions, by which the pages know who has logged in.
    #[serde(default)]
    pub session_key: Option<Key>,
}

fn default_upload_limit() -> u64 {
    25 * 1024 * 1024
}
