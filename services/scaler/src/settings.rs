//! What the scaler reads out of the instance's settings.

use kit::settings::Instance;
use kit::token::Token;
use serde::Deserialize;

/// The part of the manager instance's settings that concerns the scaler.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// CloudWatch namespace of the deployment.
    pub namespace: String,
    /// The manager's door on the same instance.
    pub manager: Manager,
    /// The scaler's own.
    pub scaler: Own,
    /// The instance this runs on.
    pub instance: Instance,
    /// What must not be seen.
    pub secrets: Secrets,
}

/// Where the manager listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manager {
    /// TCP port.
    pub port: u16,
}

/// The settings under `scaler`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Own {
    /// Milliseconds between two decisions.
    #[serde(default = "a_minute")]
    pub tick_ms: u64,
}

const fn a_minute() -> u64 {
    60_000
}

/// The settings under `secrets`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Secrets {
    /// By which the services know each other.
    pub internal_token: Token,
}
