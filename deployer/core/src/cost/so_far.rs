//! What the things that exist have cost so far, and cost by the hour.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::estimate::ROOT_GIB;
use super::rates::{of_database, of_instance};
use super::{Billed, per_hour};
use crate::inventory::Inventory;
use crate::money::Microdollars;
use crate::prices::Prices;

/// What a deployment has cost and costs. What has ended already is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SoFar {
    /// Each thing.
    pub lines: Vec<Costing>,
    /// Types and classes that the table has no price of: the sums lack them.
    pub without_price: BTreeSet<String>,
}

/// One thing that exists, in microdollars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Costing {
    /// What it is in the blueprint, for example `instance/manager`.
    pub resource: String,
    /// Its id in AWS.
    pub id: String,
    /// For how many seconds it has been there; `None` where AWS does not say.
    pub seconds: Option<u64>,
    /// What it costs in an hour, as it is now.
    pub per_hour: Microdollars,
    /// What it has cost, had it always been as it is now.
    pub so_far: Microdollars,
}

impl SoFar {
    /// All of it in an hour.
    #[must_use]
    pub fn per_hour(&self) -> Microdollars {
        self.lines.iter().map(|line| line.per_hour).sum()
    }

    /// All of it until now.
    #[must_use]
    pub fn total(&self) -> Microdollars {
        self.lines.iter().map(|line| line.so_far).sum()
    }

    fn add(
        &mut self,
        resource: String,
        id: &str,
        born: Option<&str>,
        now: Timestamp,
    ) -> Adding<'_> {
        let born = born.and_then(|born| born.parse::<Timestamp>().ok());
        let seconds = born.map(|born| now.duration_since(born).as_secs());
        self.lines.push(Costing {
            resource,
            id: id.to_owned(),
            seconds: seconds.map(|seconds| u64::try_from(seconds).unwrap_or(0)),
            per_hour: Microdollars::ZERO,
            so_far: Microdollars::ZERO,
        });
        Adding { all: self }
    }
}

/// The line that was added last, whose parts are added up.
struct Adding<'a> {
    all: &'a mut SoFar,
}

impl Adding<'_> {
    fn parts(self, parts: &[Billed], prices: &Prices) {
        for billed in parts {
            match per_hour(billed, prices) {
                None => drop(self.all.without_price.insert(name(billed))),
                Some(amount) => {
                    if let Some(line) = self.all.lines.last_mut() {
                        line.per_hour = line.per_hour + amount;
                        let so_far = line.per_hour.for_seconds(line.seconds.unwrap_or(0));
                        line.so_far = so_far;
                    }
                }
            }
        }
    }
}

/// What a price is missed of.
fn name(billed: &Billed) -> String {
    match billed {
        Billed::Instance { machine, .. } => machine.clone(),
        Billed::Volume { volume, .. } => volume.clone(),
        Billed::Database { class, .. } => class.clone(),
        Billed::PublicAddress => "public IPv4".to_owned(),
        _ => "snapshot".to_owned(),
    }
}

/// What there is of a deployment has cost until `now`.
#[must_use]
pub fn so_far(inventory: &Inventory, prices: &Prices, now: Timestamp) -> SoFar {
    let mut found = SoFar::default();
    for instance in &inventory.instances {
        let (resource, born) = (instance.resource.to_string(), instance.launched.as_deref());
        found
            .add(resource, &instance.id, born, now)
            .parts(&of_instance(instance), prices);
    }
    for database in &inventory.databases {
        let (resource, born) = (
            format!("database/{}", database.resource),
            database.created.as_deref(),
        );
        found
            .add(resource, &database.id, born, now)
            .parts(&[of_database(database)], prices);
    }
    for image in &inventory.images {
        let snapshot = Billed::Snapshot { gib: ROOT_GIB };
        let resource = format!("image/{}", image.resource);
        found
            .add(resource, &image.id, None, now)
            .parts(&[snapshot], prices);
    }
    found
}
