//! What a teardown rests on: what was removed when, and what each look at the account has shown.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use deployer_aws::progress::Progress;
use deployer_aws::read::{Listing, Remembered, Scan, scan};
use deployer_aws::remove::Holder;
use deployer_aws::{Account, AwsError};
use deployer_core::destroy::Removal;
use deployer_core::names::Scope;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{Ended, Observer, Teardown, Verdict, failures, made, remove_all};

/// Something that was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Removed {
    /// What it was, for example `instance/manager`.
    pub resource: String,
    /// Its id or name.
    pub id: String,
    /// When it was made, RFC 3339, where AWS says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    /// When it was gone.
    pub gone: Timestamp,
    /// How long that took, in milliseconds.
    pub milliseconds: u64,
}

/// A look at the account: which listings were read, and how much of ours they showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Look {
    /// When it was begun.
    pub at: Timestamp,
    /// How many things of ours it showed.
    pub ours: usize,
    /// What was read.
    pub listings: Vec<Listing>,
    /// What could not be read, and why.
    pub unread: Vec<String>,
    /// How what was read was read, where that needs to be said.
    pub notes: Vec<String>,
}

impl Look {
    /// What a look at the account that was begun then has shown.
    #[must_use]
    pub fn of(at: Timestamp, scan: &Scan) -> Look {
        let unread = scan.unread.iter();
        Look {
            at,
            ours: scan.inventory.count(),
            listings: scan.listings.clone(),
            unread: unread.map(|u| format!("{}: {}", u.what, u.error)).collect(),
            notes: scan.notes.clone(),
        }
    }
}

/// Why something would not go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Blocked {
    /// What it is.
    pub resource: String,
    /// Its id or name.
    pub id: String,
    /// What AWS answered, or what was last seen of it.
    pub error: String,
    /// What holds it.
    pub holders: Vec<Holder>,
}

/// What is written down while a deployment is taken away.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    removed: Vec<Removed>,
    looks: Vec<Look>,
    made: BTreeMap<String, String>,
}

impl Ledger {
    pub(crate) async fn look(
        &mut self,
        account: &Account,
        scope: &Scope,
        remembered: &Remembered,
    ) -> Scan {
        let at = Timestamp::now();
        let scan = scan(account, scope, remembered).await;
        self.looks.push(Look::of(at, &scan));
        self.made.extend(made(&scan.inventory));
        scan
    }

    /// Carries removals out and writes down what has gone.
    pub(crate) async fn remove(
        &mut self,
        teardown: &Teardown<'_>,
        list: &[Removal],
        patience: Duration,
        stop: watch::Receiver<bool>,
        observer: &dyn Observer,
    ) -> Vec<(Removal, AwsError)> {
        let timed = Timed {
            observer,
            begun: Mutex::default(),
            gone: Mutex::default(),
        };
        let outcome = remove_all(teardown.account, list, patience, stop, &timed).await;
        for (index, (gone, took)) in unlocked(&timed.gone).iter() {
            let removal = &list[*index];
            self.removed.push(Removed {
                resource: removal.resource.clone(),
                id: removal.id.clone(),
                made: self.made.get(&removal.id).cloned(),
                gone: *gone,
                milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            });
        }
        failures(outcome, list)
    }

    pub(crate) fn ended(self, verdict: Verdict, blocked: Vec<Blocked>) -> Ended {
        Ended {
            verdict,
            removed: self.removed,
            blocked,
            looks: self.looks,
        }
    }
}

/// An observer that notes when each removal has ended.
struct Timed<'a> {
    observer: &'a dyn Observer,
    begun: Mutex<BTreeMap<usize, Instant>>,
    gone: Mutex<BTreeMap<usize, (Timestamp, Duration)>>,
}

fn unlocked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Observer for Timed<'_> {
    fn planned(&self, removals: &[Removal]) {
        self.observer.planned(removals);
    }

    fn started(&self, index: usize) {
        unlocked(&self.begun).insert(index, Instant::now());
        self.observer.started(index);
    }

    fn progress(&self, index: usize) -> Progress {
        self.observer.progress(index)
    }

    fn ended(&self, index: usize, result: &Result<(), AwsError>) {
        let begun = unlocked(&self.begun).get(&index).copied();
        if let (Ok(()), Some(begun)) = (result, begun) {
            unlocked(&self.gone).insert(index, (Timestamp::now(), begun.elapsed()));
        }
        self.observer.ended(index, result);
    }

    fn scanning(&self, scan: u32, after: Duration) {
        self.observer.scanning(scan, after);
    }
}
