//! All that a plan is made from, read at once.

use deployer_core::blueprint::Blueprint;
use deployer_core::expiry::Timers;
use deployer_core::inventory::{Ground, Inventory};
use deployer_core::names::Scope;
use deployer_core::plan::Stored;
use deployer_core::settings::{PoolStatus, status_key};

use crate::account::Account;
use crate::error::AwsError;
use crate::{stored, timers};

/// What an account holds and offers.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What is ours already.
    pub inventory: Inventory,
    /// What the account offers.
    pub ground: Ground,
    /// What the deployment's buckets hold.
    pub stored: Stored,
    /// What the tags say of its end.
    pub timers: Timers,
}

/// Reads all that a plan is made from.
///
/// # Errors
/// The first call that failed.
pub async fn survey(
    account: &Account,
    scope: &Scope,
    blueprint: &Blueprint,
) -> Result<Survey, AwsError> {
    let ((inventory, refused), mut ground) = tokio::try_join!(
        super::inventory_with_roles_or_not(account, scope),
        super::ground(account, blueprint)
    )?;
    ground.roles_refused = refused.map(|error| error.to_string());
    let mut stored = match inventory.home() {
        Some(home) => look_into(account, &home.name, blueprint).await?,
        None => Stored::default(),
    };
    for bucket in &inventory.buckets {
        let is_wanted = blueprint.buckets.contains_key(&bucket.resource);
        if !is_wanted && stored::is_empty(account, &bucket.name).await? {
            stored.empty.insert(bucket.resource.clone());
        }
    }
    let timers = timers::read(account, scope, &inventory).await?;
    Ok(Survey {
        inventory,
        ground,
        stored,
        timers,
    })
}

/// What of ours the home bucket holds; photos are not looked at, there may be many.
async fn look_into(
    account: &Account,
    bucket: &str,
    blueprint: &Blueprint,
) -> Result<Stored, AwsError> {
    let mut found = Stored::default();
    for prefix in ["artifacts/", "settings/", "secrets/"] {
        found
            .keys
            .extend(stored::keys(account, bucket, prefix).await?);
    }
    for key in found.keys.iter().filter(|k| k.starts_with("settings/")) {
        if let Some(text) = stored::get(account, bucket, key).await? {
            let text = String::from_utf8_lossy(&text).into_owned();
            found.settings.insert(key.clone(), text);
        }
    }
    for instance in blueprint.instances.keys() {
        let text = stored::get(account, bucket, &status_key(instance)).await?;
        // What an older manager wrote may lack something; then nothing is known of its pool.
        let status = text.and_then(|t| serde_json::from_slice::<PoolStatus>(&t).ok());
        if let Some(status) = status {
            found.pools.insert(instance.clone(), status);
        }
    }
    Ok(found)
}
