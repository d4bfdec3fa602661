//! Takes a deployment away and proves that it went. It needs the deployment's name and nothing
//! else: no blueprint and no state of the laptop's.

pub mod audit;
pub mod everywhere;
pub mod journaled;
mod proof;
pub mod reap;
pub mod receipt;
pub mod terminal;

use std::collections::BTreeMap;
use std::time::Duration;

use deployer_aws::graph::{AfterFailure, Outcome, Work, run};
use deployer_aws::progress::Progress;
use deployer_aws::read::{Remembered, Unread};
use deployer_aws::{Account, AwsError, Meaning, remove};
use deployer_core::destroy::{Removal, RemovalAction, removals_beside};
use deployer_core::inventory::{Inventory, Keep, Listed, Stray, StrayKind};
use deployer_core::names::Scope;
use jiff::Timestamp;
use tokio::sync::watch;

use proof::Ledger;
pub use proof::{Blocked, Look, Removed};

/// What a teardown has come to.
#[derive(Debug)]
pub enum Verdict {
    /// Two listings after one another were empty.
    Zero,
    /// They showed what was to be kept, and nothing else.
    Kept(Vec<Listed>),
    /// This is left, and these removals failed.
    Remains {
        /// What the last listing showed.
        left: Vec<Listed>,
        /// What could not be removed, and why.
        failures: Vec<(Removal, AwsError)>,
    },
    /// These listings failed, so nothing is known of what they would have shown.
    CannotProve(Vec<Unread>),
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

/// What there is to take away, and how.
#[derive(Clone, Copy, Debug)]
pub struct Teardown<'a> {
    /// Where it is.
    pub account: &'a Account,
    /// Its names there.
    pub scope: &'a Scope,
    /// What a journal says was made.
    pub remembered: &'a Remembered,
    /// What stays.
    pub keep: Keep,
    /// What a database's last snapshot is called, after the database; none is made where it is absent.
    pub last_snapshot: Option<&'a str>,
    /// When the last thing was made, as far as a journal says.
    pub last_made: Option<Timestamp>,
    /// For how long nothing may have been made before an empty listing counts.
    pub quiet: Duration,
}

/// What a teardown has come to, and what it rests on.
#[derive(Debug)]
pub struct Ended {
    /// What it has come to.
    pub verdict: Verdict,
    /// What was removed.
    pub removed: Vec<Removed>,
    /// Why what is left would not go.
    pub blocked: Vec<Blocked>,
    /// The looks at the account, in their order.
    pub looks: Vec<Look>,
}

/// Removes everything that is ours, and looks twice whether it is gone. `quiet` is how long nothing may
/// have been made before the first of the two looks; see [`deployer_aws::Pace`].
pub async fn tear_down(
    account: &Account,
    scope: &Scope,
    quiet: Duration,
    stop: watch::Receiver<bool>,
    observer: &dyn Observer,
) -> Verdict {
    let teardown = Teardown {
        account,
        scope,
        remembered: &Remembered::new(),
        keep: Keep::default(),
        last_snapshot: None,
        last_made: None,
        quiet,
    };
    teardown.run(stop, observer).await.verdict
}

/// What the look that a proof ends with has shown.
enum Proof {
    /// Nothing but what is kept.
    Empty(Vec<Listed>),
    SomethingLeft,
    Unread(Vec<Unread>),
    Stopped,
}

impl Teardown<'_> {
    /// Takes it away.
    pub async fn run(&self, stop: watch::Receiver<bool>, observer: &dyn Observer) -> Ended {
        let mut ledger = Ledger::default();
        let verdict = self.go(&mut ledger, stop, observer).await;
        let mut blocked = Vec::new();
        if let Verdict::Remains { failures, .. } = &verdict {
            for (removal, error) in failures {
                blocked.push(Blocked {
                    resource: removal.resource.clone(),
                    id: removal.id.clone(),
                    error: error.to_string(),
                    holders: remove::holders(self.account, removal).await,
                });
            }
        }
        ledger.ended(verdict, blocked)
    }

    async fn go(
        &self,
        ledger: &mut Ledger,
        stop: watch::Receiver<bool>,
        observer: &dyn Observer,
    ) -> Verdict {
        let began = Timestamp::now();
        let mut newest: Option<Timestamp> = self.last_made;
        for round in 1..=ROUNDS {
            let is_last = round == ROUNDS;
            let scan = ledger.look(self.account, self.scope, self.remembered).await;
            if scan.listings.is_empty() {
                return Verdict::CannotProve(scan.unread);
            }
            newest = newest.or_else(|| scan.inventory.newest()?.parse().ok());
            let (goes, kept) = self.part(scan.inventory);
            if !goes.is_empty() {
                let patience = if is_last {
                    remove::GROUP_DEADLINE
                } else {
                    let pace = self.account.target.pace;
                    pace.on_aws(pace.poll * GROUP_POLLS)
                };
                let list = self.removals(&goes, &kept);
                let failures = ledger
                    .remove(self, &list, patience, stop.clone(), observer)
                    .await;
                if *stop.borrow() {
                    return Verdict::Stopped;
                }
                let is_hopeless = !failures.iter().all(may_go_yet);
                if is_hopeless || (is_last && !failures.is_empty()) {
                    return self.what_remains(ledger, failures).await;
                }
                if !failures.is_empty() {
                    // Not after the first: an instance of ours that was listed late may hold a group.
                    if round > 1 && self.are_held_for_good(&failures).await {
                        return self.what_remains(ledger, failures).await;
                    }
                    continue;
                }
            }
            let since_made = newest.unwrap_or(began);
            match self.prove(ledger, since_made, stop.clone(), observer).await {
                Proof::Empty(kept) if kept.is_empty() => return Verdict::Zero,
                Proof::Empty(kept) => return Verdict::Kept(kept),
                Proof::SomethingLeft => {}
                Proof::Unread(unread) => return Verdict::CannotProve(unread),
                Proof::Stopped => return Verdict::Stopped,
            }
        }
        self.what_remains(ledger, Vec::new()).await
    }

    /// Parts what goes from what stays; a snapshot that is made on the way stays.
    fn part(&self, inventory: Inventory) -> (Inventory, Inventory) {
        let (mut goes, mut kept) = inventory.part(self.keep);
        if let Some(last) = self.last_snapshot {
            let is_last = |s: &Stray| {
                s.kind == StrayKind::DatabaseSnapshot && s.id.ends_with(&format!("-{last}"))
            };
            let (stay, go) = goes.strays.into_iter().partition(is_last);
            goes.strays = go;
            kept.strays.extend::<Vec<Stray>>(stay);
        }
        (goes, kept)
    }

    fn removals(&self, goes: &Inventory, kept: &Inventory) -> Vec<Removal> {
        let mut list = removals_beside(goes, kept);
        for removal in &mut list {
            if let (RemovalAction::Database, Some(last)) = (&removal.action, self.last_snapshot) {
                removal.action = RemovalAction::DatabaseAfter {
                    snapshot: format!("{}-{last}", removal.id),
                };
            }
        }
        list
    }

    /// Whether something that does not go by itself holds what would not go: to wait for it is no use.
    async fn are_held_for_good(&self, failures: &[(Removal, AwsError)]) -> bool {
        for (removal, _) in failures {
            let holders = remove::holders(self.account, removal).await;
            if holders.iter().any(|holder| holder.stays) {
                return true;
            }
        }
        false
    }

    async fn what_remains(
        &self,
        ledger: &mut Ledger,
        failures: Vec<(Removal, AwsError)>,
    ) -> Verdict {
        let scan = ledger.look(self.account, self.scope, self.remembered).await;
        let (left, _) = self.part(scan.inventory);
        // What is known to be left counts for more than what is not known.
        if left.is_empty() && !scan.unread.is_empty() {
            return Verdict::CannotProve(scan.unread);
        }
        Verdict::Remains {
            left: left.listed(),
            failures,
        }
    }

    /// Looks twice, the first time when nothing has been made for long enough that a listing shows it.
    async fn prove(
        &self,
        ledger: &mut Ledger,
        last_made: Timestamp,
        mut stop: watch::Receiver<bool>,
        observer: &dyn Observer,
    ) -> Proof {
        let since = Duration::try_from(Timestamp::now().duration_since(last_made));
        let wait = self.quiet.saturating_sub(since.unwrap_or_default());
        let waits = [(1, wait), (2, self.account.target.pace.between_scans)];
        let mut kept = Vec::new();
        for (scan, wait) in waits {
            observer.scanning(scan, wait);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = told(&mut stop) => return Proof::Stopped,
            }
            let scan = ledger.look(self.account, self.scope, self.remembered).await;
            let (left, stays) = self.part(scan.inventory);
            if !left.is_empty() {
                return Proof::SomethingLeft;
            }
            if !scan.unread.is_empty() {
                return Proof::Unread(scan.unread);
            }
            kept = stays.listed();
        }
        Proof::Empty(kept)
    }
}

/// Waits until it is told to stop; for ever, once nobody is left who could say it.
async fn told(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|told| *told).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Whether a removal failed only because something that is not known yet, or not gone yet, uses it.
fn may_go_yet((removal, error): &(Removal, AwsError)) -> bool {
    match removal.action {
        RemovalAction::SecurityGroup | RemovalAction::Stray(StrayKind::SecurityGroup) => {
            matches!(error, AwsError::NotReached { .. })
        }
        RemovalAction::Volume | RemovalAction::Interface | RemovalAction::Snapshot => {
            error.meaning() == Meaning::InUse
        }
        _ => false,
    }
}

/// Carries removals out, each as soon as what it needs is gone, and goes on after a failure.
pub(crate) async fn remove_all(
    account: &Account,
    list: &[Removal],
    patience: Duration,
    stop: watch::Receiver<bool>,
    observer: &dyn Observer,
) -> Outcome {
    observer.planned(list);
    let needs: Vec<Vec<usize>> = list.iter().map(|r| r.needs.clone()).collect();
    let work = |index: usize| -> Work<'_> {
        Box::pin(async move {
            observer.started(index);
            let result =
                remove_one(account, &list[index], patience, &observer.progress(index)).await;
            observer.ended(index, &result);
            result
        })
    };
    run(&needs, AfterFailure::GoOn, stop, work).await
}

/// The removals that failed, and why.
pub(crate) fn failures(outcome: Outcome, list: &[Removal]) -> Vec<(Removal, AwsError)> {
    let failed = outcome.failed.into_iter();
    failed
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
        RemovalAction::Database => remove::database(account, id, None, progress).await,
        RemovalAction::DatabaseAfter { snapshot } => {
            remove::database(account, id, Some(snapshot), progress).await
        }
        RemovalAction::Image { snapshots } => remove::image(account, id, snapshots).await,
        RemovalAction::Snapshot => remove::snapshot(account, id).await,
        RemovalAction::Volume => remove::volume(account, id).await,
        RemovalAction::Interface => remove::interface(account, id).await,
        RemovalAction::Bucket => remove::bucket(account, id, progress).await,
        RemovalAction::Rules => remove::rules(account, id).await,
        RemovalAction::SecurityGroup => {
            remove::security_group(account, id, patience, progress).await
        }
        RemovalAction::Role => remove::role(account, id).await,
        RemovalAction::Profile => remove::profile(account, id).await,
        RemovalAction::Stray(kind) => remove::stray(account, *kind, id, patience, progress).await,
    }
}

/// When each thing of an inventory was made, RFC 3339, by its id, as far as AWS says.
fn made(inventory: &Inventory) -> BTreeMap<String, String> {
    let instances = inventory.instances.iter();
    let databases = inventory.databases.iter();
    let strays = inventory.strays.iter();
    instances
        .map(|i| (&i.id, &i.launched))
        .chain(databases.map(|d| (&d.id, &d.created)))
        .chain(strays.map(|s| (&s.id, &s.created)))
        .filter_map(|(id, at)| Some((id.clone(), at.clone()?)))
        .collect()
}
