//! A look at everything of ours that can bill or block, whatever made it. Listings that fail do not
//! keep the others from being read, and are named: they are not empty ones.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use deployer_core::inventory::{Inventory, StrayKind};
use deployer_core::names::{Kind, ResourceId, Scope};
use futures::future::join_all;

use super::listing::{Listing, Part};
use super::{databases, extras, machines, network, roles};
use crate::account::Account;
use crate::error::{AwsError, Meaning};

/// What a journal says was made: ids and names in the account, and what each is in the blueprint, for
/// example `i-0a1b` and `instance/manager`. Empty where there is no journal.
pub type Remembered = BTreeMap<String, String>;

/// What a look at the account has shown.
#[derive(Debug, Default)]
pub struct Scan {
    /// All that is ours.
    pub inventory: Inventory,
    /// The listings that were read.
    pub listings: Vec<Listing>,
    /// The listings that could not be read, by what they would have shown.
    pub unread: Vec<Unread>,
    /// How what was read was read, where that needs to be said.
    pub notes: Vec<String>,
}

/// A listing that failed.
#[derive(Debug)]
pub struct Unread {
    /// What it would have shown.
    pub what: &'static str,
    /// Why it failed.
    pub error: AwsError,
}

impl Scan {
    /// Whether everything was read, and nothing of ours was there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unread.is_empty() && self.inventory.is_empty()
    }
}

/// What IAM has of a deployment.
pub(super) const ROLES: &str = "roles";

/// One part of a look at the account.
pub(super) type Reading<'a> = (
    &'static str,
    Pin<Box<dyn Future<Output = Result<Part, AwsError>> + Send + 'a>>,
);

/// What a blueprint's sections stand for, and what goes with it.
pub(super) fn sections<'a>(
    account: &'a Account,
    scope: &'a Scope,
    remembered: &'a Remembered,
) -> Vec<Reading<'a>> {
    vec![
        (
            "security groups",
            Box::pin(network::security_groups(account, scope, remembered)),
        ),
        (ROLES, Box::pin(roles::roles(account, scope))),
        ("databases", Box::pin(databases::databases(account, scope))),
        ("buckets", Box::pin(crate::stored::buckets(account, scope))),
        (
            "images",
            Box::pin(machines::images(account, scope, remembered)),
        ),
        (
            "instances",
            Box::pin(machines::all_instances(account, scope, remembered)),
        ),
        ("volumes", Box::pin(machines::volumes(account, scope))),
        ("snapshots", Box::pin(machines::snapshots(account, scope))),
        (
            "network interfaces",
            Box::pin(network::interfaces(account, scope)),
        ),
    ]
}

/// What no section stands for and bills or blocks all the same.
fn others<'a>(account: &'a Account, scope: &'a Scope) -> Vec<Reading<'a>> {
    vec![
        (
            "elastic addresses",
            Box::pin(extras::addresses(account, scope)),
        ),
        ("key pairs", Box::pin(extras::key_pairs(account, scope))),
        (
            "launch templates",
            Box::pin(extras::launch_templates(account, scope)),
        ),
        (
            "database snapshots",
            Box::pin(databases::snapshots(account, scope)),
        ),
        (
            "automated backups of databases",
            Box::pin(databases::backups(account, scope)),
        ),
        (
            "DB subnet groups",
            Box::pin(databases::subnet_groups(account, scope)),
        ),
        (
            "DB parameter groups",
            Box::pin(databases::parameter_groups(account, scope)),
        ),
        ("alarms", Box::pin(extras::alarms(account, scope))),
        ("dashboards", Box::pin(extras::dashboards(account, scope))),
        ("log groups", Box::pin(extras::log_groups(account, scope))),
    ]
}

/// Looks at all that is ours, found by tag, by hashed name, and by what a journal remembers.
pub async fn scan(account: &Account, scope: &Scope, remembered: &Remembered) -> Scan {
    let mut readings = sections(account, scope, remembered);
    readings.extend(others(account, scope));
    let mut merged = Merged::of(readings).await;
    roles_by_name(account, scope, remembered, &mut merged).await;
    merged.settled()
}

/// The same of some parts only.
pub(super) async fn all_of(readings: Vec<Reading<'_>>) -> Scan {
    Merged::of(readings).await.settled()
}

/// Where roles may not be listed, those that are known of are asked for by their names: that there is
/// none of a name is as good as an empty list.
async fn roles_by_name(
    account: &Account,
    scope: &Scope,
    remembered: &Remembered,
    merged: &mut Merged,
) {
    let refused =
        |unread: &Unread| unread.what == ROLES && unread.error.meaning() == Meaning::NotAllowed;
    let Some(at) = merged.scan.unread.iter().position(refused) else {
        return;
    };
    let is_role = |what: &String| {
        what.parse::<ResourceId>()
            .is_ok_and(|id| id.kind == Kind::Role)
    };
    let journal = remembered.iter().filter(|(_, what)| is_role(what));
    let profiles = merged.scan.inventory.instances.iter();
    let profiles = profiles.filter_map(|i| i.profile.as_ref());
    let names: BTreeSet<&String> = journal
        .map(|(name, _)| name)
        .chain(profiles)
        .filter(|name| name.starts_with(&scope.prefix()))
        .collect();
    let part = roles::by_name(account, scope, &names).await;
    merged.scan.unread.remove(at);
    merged.take(ROLES, part);
}

/// Parts put together.
#[derive(Debug, Default)]
struct Merged {
    scan: Scan,
    held: Vec<(String, String)>,
}

impl Merged {
    async fn of(readings: Vec<Reading<'_>>) -> Merged {
        let read = readings
            .into_iter()
            .map(|(what, reading)| async move { (what, reading.await) });
        let mut merged = Merged::default();
        for (what, result) in join_all(read).await {
            merged.take(what, result);
        }
        merged
    }

    fn take(&mut self, what: &'static str, read: Result<Part, AwsError>) {
        match read {
            Ok(part) => {
                self.scan.inventory.absorb(part.inventory);
                self.scan.listings.extend(part.listings);
                self.scan.notes.extend(part.notes);
                self.held.extend(part.held);
            }
            Err(error) => self.scan.unread.push(Unread { what, error }),
        }
    }

    /// Without what goes with something else that is ours.
    fn settled(self) -> Scan {
        let Merged { mut scan, held } = self;
        let inventory = &mut scan.inventory;
        let is_holder = |kind: StrayKind| matches!(kind, StrayKind::Instance | StrayKind::Database);
        let holders: BTreeSet<String> = (inventory.instances.iter().map(|i| i.id.clone()))
            .chain(inventory.databases.iter().map(|d| d.id.clone()))
            .chain(inventory.images.iter().map(|i| i.id.clone()))
            .chain(
                inventory
                    .strays
                    .iter()
                    .filter(|s| is_holder(s.kind))
                    .map(|s| s.id.clone()),
            )
            .collect();
        let goes_along: BTreeSet<&String> = held
            .iter()
            .filter(|(_, holder)| holders.contains(holder))
            .map(|(thing, _)| thing)
            .collect();
        let stays = |id: &String| !goes_along.contains(id);
        inventory.volumes.retain(stays);
        inventory.snapshots.retain(stays);
        inventory.interfaces.retain(stays);
        inventory.strays.retain(|s| stays(&s.id));
        scan
    }
}
