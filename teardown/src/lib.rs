//! Takes a deployment away and proves that it went. It needs the deployment's name and nothing
//! else: no blueprint and no state of the laptop's.

use std::time::Duration;

use deployer_aws::graph::{AfterFailure, Outcome, Work, run};
use deployer_aws::progress::Progress;
use deployer_aws::{Account, AwsError, read, remove};
use deployer_core::destroy::{Removal, RemovalAction, removals};
use deployer_core::inventory::{Inventory, Listed};
use deployer_core::names::Scope;
use tokio::sync::watch;

/// What a teardown has come to.
#[derive(Debug)]
pub enum Verdict {
    /// Two listings after one another were empty.
    Zero,
    /// This is left, and these removals failed.
    Remains {
        /// What the last listing showed.
        left: Vec<Listed>,
        /// What could not be removed, and why.
        failures: Vec<(Removal, AwsError)>,
    },
    /// A listing failed, so nothing is known.
    CannotProve(AwsError),
    /// It was told to stop.
    Stopped,
}

/// What happens while a deployment is taken away.
pub trait Observer: Sync {
    /// These will be removed now. Called again when a later listing shows more.
    fn planned(&self, removals: &[Removal]);
    /// A removal has begun.
    fn started(&self, index: usize);
    /// A running removal says what it waits for.
    fn progress(&self, index: usize) -> Progress;
    /// A removal has ended.
    fn ended(&self, index: usize, result: &Result<(), AwsError>);
    /// The account is being listed for the proof, for the first or the second time, after a wait.
    fn scanning(&self, scan: u32, after: Duration);
}

/// How often what a listing still shows is removed again: an answer that was lost can come to
/// light late.
const ROUNDS: usize = 5;
/// For so many polls a group that is in use is waited for before all is listed anew: what holds it may
/// have been made by a call whose answer was lost, after the listing. In the last round as long as it
/// takes.
const GROUP_POLLS: u32 = 40;

/// Removes everything that is ours, and looks twice whether it is gone. `quiet` is how long to wait
/// before the first of the two looks; see [`deployer_aws::Pace`].
pub async fn tear_down(
    account: &Account,
    scope: &Scope,
    quiet: Duration,
    stop: watch::Receiver<bool>,
    observer: &dyn Observer,
) -> Verdict {
    let mut failures = Vec::new();
    let mut waited = false;
    for round in 1..=ROUNDS {
        let is_last = round == ROUNDS;
        let inventory = match read::inventory(account, scope).await {
            Ok(inventory) => inventory,
            Err(error) => return Verdict::CannotProve(error),
        };
        if !inventory.is_empty() {
            let patience = if is_last {
                remove::GROUP_DEADLINE
            } else {
                account.target.pace.poll * GROUP_POLLS
            };
            let outcome = remove_all(account, &inventory, patience, stop.clone(), observer).await;
            if *stop.borrow() {
                return Verdict::Stopped;
            }
            failures = outcome;
            if !failures.is_empty() {
                if !is_last && failures.iter().all(is_a_held_group) {
                    continue;
                }
                break;
            }
        }
        if !waited {
            waited = true;
            observer.scanning(1, quiet);
            tokio::time::sleep(quiet).await;
        }
        match twice_empty(account, scope, observer).await {
            Ok(true) => return Verdict::Zero,
            Ok(false) => {}
            Err(error) => return Verdict::CannotProve(error),
        }
    }
    match read::inventory(account, scope).await {
        Ok(inventory) => Verdict::Remains {
            left: inventory.listed(),
            failures,
        },
        Err(error) => Verdict::CannotProve(error),
    }
}

/// Whether nothing else is wrong but that something that is not known yet uses a group.
fn is_a_held_group((removal, error): &(Removal, AwsError)) -> bool {
    matches!(removal.action, RemovalAction::SecurityGroup)
        && matches!(error, AwsError::NotReached { .. })
}

async fn twice_empty(
    account: &Account,
    scope: &Scope,
    observer: &dyn Observer,
) -> Result<bool, AwsError> {
    if !read::inventory(account, scope).await?.is_empty() {
        return Ok(false);
    }
    let between = account.target.pace.between_scans;
    observer.scanning(2, between);
    tokio::time::sleep(between).await;
    Ok(read::inventory(account, scope).await?.is_empty())
}

async fn remove_all(
    account: &Account,
    inventory: &Inventory,
    patience: Duration,
    stop: watch::Receiver<bool>,
    observer: &dyn Observer,
) -> Vec<(Removal, AwsError)> {
    let list = removals(inventory);
    observer.planned(&list);
    let needs: Vec<Vec<usize>> = list.iter().map(|r| r.needs.clone()).collect();
    let list_of_work = &list;
    let work = |index: usize| -> Work<'_> {
        Box::pin(async move {
            observer.started(index);
            let result = remove_one(
                account,
                &list_of_work[index],
                patience,
                &observer.progress(index),
            )
            .await;
            observer.ended(index, &result);
            result
        })
    };
    let Outcome { failed, .. } = run(&needs, AfterFailure::GoOn, stop, work).await;
    failed
        .into_iter()
        .map(|(index, error)| (list[index].clone(), error))
        .collect()
}

async fn remove_one(
    account: &Account,
    removal: &Removal,
    patience: Duration,
    progress: &Progress,
) -> Result<(), AwsError> {
    let id = &removal.id;
    match &removal.action {
        RemovalAction::Instance => {
            remove::instances(account, std::slice::from_ref(id), progress).await
        }
        RemovalAction::Database => remove::database(account, id, progress).await,
        RemovalAction::Image { snapshots } => remove::image(account, id, snapshots).await,
        RemovalAction::Snapshot => remove::snapshot(account, id).await,
        RemovalAction::Volume => remove::volume(account, id).await,
        RemovalAction::Interface => remove::interface(account, id).await,
        RemovalAction::Bucket => remove::bucket(account, id).await,
        RemovalAction::Rules => remove::rules(account, id).await,
        RemovalAction::SecurityGroup => {
            remove::security_group(account, id, patience, progress).await
        }
        RemovalAction::Role => remove::role(account, id).await,
        RemovalAction::Profile => remove::profile(account, id).await,
    }
}
