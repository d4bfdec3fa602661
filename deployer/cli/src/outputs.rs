//! Where a deployment answers, read from what its instances were told.

use deployer_aws::carry_out::secrets::Secrets;
use deployer_aws::{Account, AwsError, stored};
use deployer_core::inventory::{FoundInstance, Inventory};
use deployer_core::names::{Kind, ResourceName};
use deployer_core::settings::{PoolStatus, secrets_key, settings_key, status_key};
use serde_json::Value;

/// A service that people or programs reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Door {
    /// The service, for example `front-end`.
    pub(crate) service: String,
    /// Its address, for example `http://127.78.0.16:5000`.
    pub(crate) url: String,
    /// The instance that it runs on.
    pub(crate) instance: String,
    /// The port of the address.
    pub(crate) port: u16,
}

/// A running single instance, with the bucket that holds its settings.
pub(crate) struct Running<'a> {
    pub(crate) instance: &'a FoundInstance,
    pub(crate) bucket: &'a str,
}

/// The single instances of a deployment.
pub(crate) fn running(inventory: &Inventory) -> Vec<Running<'_>> {
    let Some(bucket) = inventory.home().map(|b| b.name.as_str()) else {
        return Vec::new();
    };
    let single =
        |i: &&FoundInstance| i.resource.kind == Kind::Instance && i.private_address.is_some();
    inventory
        .instances
        .iter()
        .filter(single)
        .map(|instance| Running { instance, bucket })
        .collect()
}

fn port_of(service: &Value) -> Option<u16> {
    service["port"].as_u64()?.try_into().ok()
}

/// The services of a deployment with their public addresses. A deployment that is not finished has
/// none.
pub(crate) async fn doors(account: &Account, inventory: &Inventory) -> Result<Vec<Door>, AwsError> {
    let mut doors = Vec::new();
    for Running { instance, bucket } in running(inventory) {
        let Some(settings) = settings(account, bucket, &instance.resource.name).await? else {
            continue;
        };
        let services = settings["services"].as_array().cloned().unwrap_or_default();
        for service in services.iter().filter_map(Value::as_str) {
            if let (Some(port), Some(address)) =
                (port_of(&settings[service]), &instance.public_address)
            {
                doors.push(Door {
                    service: service.to_owned(),
                    url: format!("http://{address}:{port}"),
                    instance: instance.id.clone(),
                    port,
                });
            }
        }
    }
    Ok(doors)
}

/// The secrets of a deployment's people and programs.
pub(crate) struct Shown {
    /// The password of the manager's pages.
    pub(crate) password: String,
    /// The token of the API; `None` where it is open.
    pub(crate) token: Option<String>,
}

/// The secrets that may be shown; `None` when they were never written.
pub(crate) async fn shown(
    account: &Account,
    inventory: &Inventory,
) -> Result<Option<Shown>, AwsError> {
    for Running { instance, bucket } in running(inventory) {
        let name = &instance.resource.name;
        let key = secrets_key(Kind::Instance, name);
        if let Some(secrets) = Secrets::read(account, bucket, &key).await? {
            let settings = settings(account, bucket, name).await?.unwrap_or_default();
            let is_closed = settings["api"] == "token";
            return Ok(Some(Shown {
                password: secrets.manager_password,
                token: secrets.api_token.filter(|_| is_closed),
            }));
        }
    }
    Ok(None)
}

/// What an instance was told.
async fn settings(
    account: &Account,
    bucket: &str,
    instance: &ResourceName,
) -> Result<Option<Value>, AwsError> {
    let key = settings_key(Kind::Instance, instance);
    let text = stored::get(account, bucket, &key).await?;
    Ok(text.map(|text| serde_json::from_slice(&text).unwrap_or_default()))
}

/// What an instance last said of its pool.
pub(crate) async fn pool_status(
    account: &Account,
    bucket: &str,
    instance: &ResourceName,
) -> Result<Option<PoolStatus>, AwsError> {
    let text = stored::get(account, bucket, &status_key(instance)).await?;
    Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
}
