//! `teardown reap`: what an instance does about its own deployment when that has expired. It has the
//! rights of its role, and these hold only after the expiry.
//!
//! What is left afterwards costs nothing: the instance itself, which its caller powers off, the
//! security group it is in, and the roles. The next command from anywhere takes these away.

use std::time::Duration;

use deployer_aws::progress::Progress;
use deployer_aws::{Account, AwsError, read, remove};
use deployer_core::destroy::Removal;
use deployer_core::names::Scope;
use deployer_core::reaping::{Turn, reaping, turn};
use tokio::sync::watch;

use crate::{Observer, failures, remove_all};

mod command;

pub use command::{Arguments, Failure, run};

/// How often what a listing still shows is removed again.
const ROUNDS: usize = 5;

/// What an attempt to take an expired deployment away has come to.
#[derive(Debug)]
pub enum Reaped {
    /// Nothing is left that bills but the instance itself.
    Done,
    /// The deployment was extended and this instance was not told: it alone ends.
    LivesOn,
    /// It is another instance's turn.
    Waits {
        /// Its id.
        first: String,
        /// How long until it is this one's.
        left: Duration,
    },
    /// This could not be removed, and why.
    Remains(Vec<(Removal, AwsError)>),
}

/// Takes a deployment away that has been due for `overdue`, on behalf of the instance with the id
/// `instance`, if it is that one's turn.
///
/// # Errors
/// The listing that failed; before the expiry, which is AWS's clock's to say, each does.
pub async fn reap(
    account: &Account,
    scope: &Scope,
    instance: &str,
    overdue: Duration,
    observer: &dyn Observer,
) -> Result<Reaped, AwsError> {
    let (_nobody_stops_it, stop) = watch::channel(false);
    for _ in 0..ROUNDS {
        let inventory = read::outside_iam(account, scope).await?;
        match turn(&inventory.instances, instance, overdue) {
            Turn::Now => {}
            Turn::LivesOn => return Ok(Reaped::LivesOn),
            Turn::Wait { first, left } => return Ok(Reaped::Waits { first, left }),
        }
        let list = reaping(&inventory, instance);
        if list.is_empty() {
            return Ok(Reaped::Done);
        }
        let patience = remove::GROUP_DEADLINE;
        let outcome = remove_all(account, &list, patience, stop.clone(), observer).await;
        let failures = failures(outcome, &list);
        if !failures.is_empty() {
            return Ok(Reaped::Remains(failures));
        }
    }
    Ok(Reaped::Remains(Vec::new()))
}

/// Tells each step on the instance's console.
pub struct Console;

impl Observer for Console {
    fn planned(&self, removals: &[Removal]) {
        for removal in removals {
            println!("teardown: {} {} goes", removal.resource, removal.id);
        }
    }

    fn started(&self, _: usize) {}

    fn progress(&self, _: usize) -> Progress {
        Progress::silent()
    }

    fn ended(&self, _: usize, _: &Result<(), AwsError>) {}

    fn scanning(&self, _: u32, _: Duration) {}
}
