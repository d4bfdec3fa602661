//! What IAM keeps.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access::{Policy, TrustPolicy, Written};
use crate::auth::upper_base32;

pub(super) type Tags = BTreeMap<String, String>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Account {
    pub(super) roles: BTreeMap<String, Role>,
    pub(super) profiles: BTreeMap<String, InstanceProfile>,
    /// Managed policies, by ARN.
    pub(super) policies: BTreeMap<String, ManagedPolicy>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) path: String,
    pub(super) created_at: Timestamp,
    pub(super) description: Option<String>,
    /// Who may take the role.
    pub(super) trust_policy: Written<TrustPolicy>,
    pub(super) longest_session_seconds: i64,
    pub(super) policies: BTreeMap<String, Written<Policy>>,
    /// The managed policies attached to it, by ARN.
    #[serde(default)]
    pub(super) attached: BTreeSet<String>,
    pub(super) tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ManagedPolicy {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) path: String,
    pub(super) created_at: Timestamp,
    pub(super) document: Written<Policy>,
    pub(super) tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct InstanceProfile {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) path: String,
    pub(super) created_at: Timestamp,
    pub(super) role: Option<String>,
    pub(super) tags: Tags,
}

/// A unique id with its kind's prefix: `AROA…`, `AIPA…`.
pub(super) fn new_id(prefix: &str) -> String {
    format!("{prefix}{}", upper_base32(17))
}
