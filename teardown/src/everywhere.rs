//! All deployments of an account, in every region that can be read.

use deployer_aws::read::{Remembered, deployments::Deployment, deployments::deployments, scan};
use deployer_aws::{Account, AwsError};
use deployer_core::inventory::{Inventory, Listed};
use deployer_core::names::Scope;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;

/// So many regions are read at once.
const REGIONS_AT_ONCE: usize = 4;

/// A deployment that was found.
#[derive(Debug)]
pub struct Found {
    /// The clients of its region.
    pub account: Account,
    /// Its names there.
    pub scope: Scope,
    /// What its tags say.
    pub says: Deployment,
    /// What there is of it.
    pub inventory: Inventory,
    /// What could not be read of it, and why.
    pub unread: Vec<String>,
}

impl Found {
    /// When it was made, as far as AWS says.
    #[must_use]
    pub fn made(&self) -> Option<&str> {
        let instances = self.inventory.instances.iter();
        let databases = self.inventory.databases.iter();
        instances
            .filter_map(|i| i.launched.as_deref())
            .chain(databases.filter_map(|d| d.created.as_deref()))
            .min()
    }

    /// Whether it should be gone by now.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        let expires = self.says.expires.as_deref();
        expires.is_some_and(|at| at.parse::<Timestamp>().is_ok_and(|at| at <= now))
    }

    /// What there is of it, a line each.
    #[must_use]
    pub fn listed(&self) -> Vec<Listed> {
        self.inventory.listed()
    }
}

/// A region that could not be read: it may hold something.
#[derive(Debug)]
pub struct Unreadable {
    /// Its name.
    pub region: String,
    /// Why.
    pub error: AwsError,
}

/// Looks for deployments in these regions.
pub async fn look(regions: Vec<Account>) -> (Vec<Found>, Vec<Unreadable>) {
    let looks = stream::iter(regions).map(look_in).buffered(REGIONS_AT_ONCE);
    let mut found = Vec::new();
    let mut unreadable = Vec::new();
    for look in looks.collect::<Vec<_>>().await {
        match look {
            Ok(here) => found.extend(here),
            Err(region) => unreadable.push(region),
        }
    }
    (found, unreadable)
}

async fn look_in(account: Account) -> Result<Vec<Found>, Unreadable> {
    let listed = deployments(&account).await.map_err(|error| Unreadable {
        region: account.region.clone(),
        error,
    })?;
    let mut found = Vec::new();
    for says in listed {
        let scope = account.scope(says.name.clone());
        let seen = scan(&account, &scope, &Remembered::new()).await;
        // Tags of what is gone are listed for a while.
        if seen.is_empty() {
            continue;
        }
        let unread = seen.unread.iter();
        found.push(Found {
            unread: unread.map(|u| format!("{}: {}", u.what, u.error)).collect(),
            inventory: seen.inventory,
            account: account.clone(),
            scope,
            says,
        });
    }
    Ok(found)
}
