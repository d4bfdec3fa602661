//! Reads what is ours in a region, and what the account offers. Every listing is read to its last
//! page, and a listing that fails is not an empty one.

use deployer_core::inventory::Inventory;
use deployer_core::names::Scope;

use crate::account::Account;
use crate::error::{AwsError, Meaning};

mod databases;
pub mod deployments;
mod extras;
mod ground;
mod listing;
mod machines;
mod network;
mod roles;
mod scan;
mod survey;

pub(crate) use databases::read_database;
pub(crate) use ground::{default_subnets, find_default_vpc, newest, zones_offering};
pub use ground::{ground, my_address};
pub use listing::Listing;
pub(crate) use listing::Part;
pub use machines::instances;
pub(crate) use machines::name_of;
pub(crate) use machines::ours;
pub use scan::{Remembered, Scan, Unread, scan};
pub use survey::{Survey, survey};

/// All that a blueprint's sections stand for, found by its tag or by its hashed name.
///
/// # Errors
/// The first listing that failed.
pub async fn inventory(account: &Account, scope: &Scope) -> Result<Inventory, AwsError> {
    match inventory_with_roles_or_not(account, scope).await? {
        (inventory, None) => Ok(inventory),
        (_, Some(refused)) => Err(refused),
    }
}

/// The same where roles may not be listed, as in a Learner Lab; the refusal is handed on with what
/// else there is. It proves nothing of roles, and is enough for a plan that makes none.
///
/// # Errors
/// The first other listing that failed.
async fn inventory_with_roles_or_not(
    account: &Account,
    scope: &Scope,
) -> Result<(Inventory, Option<AwsError>), AwsError> {
    let remembered = Remembered::new();
    let mut scan = scan::all_of(scan::sections(account, scope, &remembered)).await;
    let is_refused = |unread: &Unread| {
        unread.what == scan::ROLES && unread.error.meaning() == Meaning::NotAllowed
    };
    let at = scan.unread.iter().position(is_refused);
    let refused = at.map(|at| scan.unread.remove(at).error);
    Ok((strictly(scan)?, refused))
}

/// The same without what IAM has: all that bills, and what holds it. An instance may list that of
/// its deployment once it has expired, and IAM never.
///
/// # Errors
/// The first listing that failed.
pub async fn outside_iam(account: &Account, scope: &Scope) -> Result<Inventory, AwsError> {
    let remembered = Remembered::new();
    let mut readings = scan::sections(account, scope, &remembered);
    readings.retain(|(what, _)| *what != scan::ROLES);
    strictly(scan::all_of(readings).await)
}

fn strictly(scan: Scan) -> Result<Inventory, AwsError> {
    match scan.unread.into_iter().next() {
        Some(unread) => Err(unread.error),
        None => Ok(scan.inventory),
    }
}
