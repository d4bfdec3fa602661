//! A receipt held against the account again: every id gone, every listing empty. Read-only.

use std::collections::BTreeMap;

use deployer_aws::Account;
use deployer_aws::read::{Remembered, Unread, scan};
use deployer_core::inventory::Listed;
use deployer_core::names::Scope;
use jiff::Timestamp;

use crate::Look;
use crate::receipt::Receipt;

/// What a second look has shown.
#[derive(Debug)]
pub struct Audit {
    /// Every id of the receipt, in its order, and whether there is still something of it.
    pub rows: Vec<Row>,
    /// What is there that the receipt does not name.
    pub others: Vec<Listed>,
    /// The listings that failed.
    pub unread: Vec<Unread>,
    /// The look itself.
    pub look: Look,
}

/// One id of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it was.
    pub resource: String,
    /// Its id or name.
    pub id: String,
    /// Whether it was to be kept.
    pub kept: bool,
    /// What is there of it.
    pub there: Option<Listed>,
}

impl Audit {
    /// Whether anything is there that should be gone.
    #[must_use]
    pub fn remains(&self) -> bool {
        !self.others.is_empty() || self.rows.iter().any(|r| !r.kept && r.there.is_some())
    }

    /// All that is there and should be gone.
    #[must_use]
    pub fn there(&self) -> Vec<Listed> {
        let rows = self.rows.iter().filter(|r| !r.kept);
        let rows = rows.filter_map(|r| r.there.clone());
        rows.chain(self.others.iter().cloned()).collect()
    }
}

/// Looks again for everything that a receipt names, and for everything of the deployment.
pub async fn audit(account: &Account, scope: &Scope, receipt: &Receipt) -> Audit {
    let named = named(receipt);
    let remembered: Remembered = named
        .iter()
        .map(|(id, what)| (id.clone(), what.clone()))
        .collect();
    let at = Timestamp::now();
    let scan = scan(account, scope, &remembered).await;
    let listed = scan.inventory.listed();
    let there: BTreeMap<&String, &Listed> = listed.iter().map(|l| (&l.id, l)).collect();
    let is_kept = |id: &String| receipt.kept.iter().any(|k| k.id == *id);
    let row = |(id, resource): (&String, &String)| Row {
        resource: resource.clone(),
        id: id.clone(),
        kept: is_kept(id),
        there: there.get(id).map(|l| (*l).clone()),
    };
    Audit {
        rows: named.iter().map(row).collect(),
        others: listed
            .iter()
            .filter(|l| !named.contains_key(&l.id))
            .cloned()
            .collect(),
        look: Look::of(at, &scan),
        unread: scan.unread,
    }
}

/// Every id that a receipt names, and what it was.
fn named(receipt: &Receipt) -> BTreeMap<String, String> {
    let made = receipt.made.iter().map(|m| (&m.id, &m.resource));
    let removed = receipt.removed.iter().map(|r| (&r.id, &r.resource));
    let kept = receipt.kept.iter().map(|k| (&k.id, &k.resource));
    let left = receipt.left.iter().map(|l| (&l.id, &l.resource));
    removed
        .chain(made)
        .chain(kept)
        .chain(left)
        .map(|(id, resource)| (id.clone(), resource.trim_end_matches(" rules").to_owned()))
        .collect()
}
