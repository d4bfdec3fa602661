//! Reads what is ours in a region, and what the account offers. Every listing is read to its last
//! page, and a listing that fails fails the whole: it is not an empty one.

use deployer_core::inventory::Inventory;
use deployer_core::names::Scope;

use crate::account::Account;
use crate::error::AwsError;

mod databases;
mod ground;
mod machines;
mod network;
mod roles;
mod survey;

pub(crate) use databases::read_database;
pub use ground::ground;
pub use machines::instances;
pub use survey::{Survey, survey};

/// All that is ours, found by its tag or by its hashed name.
///
/// # Errors
/// The first listing that failed.
pub async fn inventory(account: &Account, scope: &Scope) -> Result<Inventory, AwsError> {
    let (groups, roles, databases, buckets, images, instances) = tokio::try_join!(
        network::security_groups(account, scope),
        roles::roles(account, scope),
        databases::databases(account, scope),
        crate::stored::buckets(account, scope),
        machines::images(account, scope),
        machines::instances(account, scope),
    )?;
    let (volumes, snapshots, interfaces) = tokio::try_join!(
        machines::volumes(account, scope),
        machines::snapshots(account, scope),
        network::interfaces(account, scope),
    )?;
    let held: Vec<&String> = images.iter().flat_map(|i| &i.snapshots).collect();
    let snapshots = snapshots
        .into_iter()
        .filter(|s| !held.contains(&s))
        .collect();
    let (roles, lone_profiles) = roles;
    Ok(Inventory {
        security_groups: groups,
        roles,
        lone_profiles,
        databases,
        buckets,
        images,
        instances,
        volumes,
        snapshots,
        interfaces,
    })
}
