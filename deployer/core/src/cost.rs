//! What things cost.

use serde::Serialize;

use crate::money::Microdollars;
use crate::prices::{Prices, key};

pub mod budget;
pub mod estimate;
pub mod rates;
pub mod so_far;
pub mod words;

/// The hours of a month by which AWS turns monthly prices into hourly ones.
pub const HOURS_A_MONTH: u64 = 730;
/// A GiB in bytes.
const GIB: u64 = 1 << 30;

/// One thing that exists, as far as its price depends on it. What a thing is made of is billed on
/// its own: an instance and its volume and its address are three.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Billed {
    /// An instance. One that is stopped costs nothing itself, its volume does.
    Instance {
        /// Its type, for example `t3.micro`.
        machine: String,
        /// Whether it runs, or is on its way there.
        runs: bool,
    },
    /// A volume.
    Volume {
        /// Its type, for example `gp3`.
        volume: String,
        /// Its size.
        gib: u64,
    },
    /// A snapshot of a volume, at the most all of the volume.
    Snapshot {
        /// The volume's size.
        gib: u64,
    },
    /// A public IPv4 address.
    PublicAddress,
    /// A database and its storage, stopped or not: RDS starts a stopped one again by itself.
    Database {
        /// Its class, for example `db.t4g.micro`.
        class: String,
        /// Its storage.
        gib: u64,
    },
    /// A snapshot of a database, or an automated backup that was kept.
    DatabaseSnapshot {
        /// The database's storage.
        gib: u64,
    },
    /// What a bucket holds.
    Stored {
        /// Bytes of all its objects.
        bytes: u64,
    },
    /// A custom metric that somebody publishes.
    Metric,
    /// A CloudWatch alarm.
    Alarm,
    /// A CloudWatch dashboard.
    Dashboard,
    /// What is free: groups, roles, profiles, key pairs, launch templates, interfaces.
    Free,
}

/// What a thing costs in an hour; `None` where the table has no price for it.
#[must_use]
pub fn per_hour(billed: &Billed, prices: &Prices) -> Option<Microdollars> {
    let hourly = |key: &str| prices.of(key).map(|price| price.of(1, 1));
    let monthly = |key: &str, count: u64| Some(prices.of(key)?.of(count, HOURS_A_MONTH));
    match billed {
        Billed::Instance { runs: false, .. } | Billed::Free => Some(Microdollars::ZERO),
        Billed::Instance { machine, .. } => hourly(&key::instance(machine)),
        Billed::Volume { volume, gib } => monthly(&key::volume(volume), *gib),
        Billed::Snapshot { gib } => monthly(key::SNAPSHOT, *gib),
        Billed::PublicAddress => hourly(key::PUBLIC_ADDRESS),
        Billed::Database { class, gib } => {
            Some(hourly(&key::database(class))? + monthly(key::DATABASE_STORAGE, *gib)?)
        }
        Billed::DatabaseSnapshot { gib } => monthly(key::DATABASE_SNAPSHOT, *gib),
        Billed::Stored { bytes } => {
            let price = prices.of(key::STORED)?;
            Some(price.of(*bytes, HOURS_A_MONTH * GIB))
        }
        Billed::Metric => monthly(key::METRIC, 1),
        Billed::Alarm => monthly(key::ALARM, 1),
        Billed::Dashboard => monthly(key::DASHBOARD, 1),
    }
}

/// What a thing costs in a day; `None` where the table has no price for it.
#[must_use]
pub fn per_day(billed: &Billed, prices: &Prices) -> Option<Microdollars> {
    per_hour(billed, prices).map(Microdollars::per_day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn day(billed: &Billed) -> Option<String> {
        let prices = Prices::built_in("us-east-1").unwrap();
        per_day(billed, &prices).map(|amount| amount.to_string())
    }

    #[test]
    fn a_forgotten_database_costs_half_a_dollar_a_day() {
        let database = Billed::Database {
            class: "db.t3.micro".into(),
            gib: 20,
        };
        assert_eq!(day(&database).unwrap(), "$0.508");
    }

    #[test]
    fn what_is_stopped_or_free_costs_nothing_and_what_has_no_price_is_told() {
        let instance = |machine: &str, runs| Billed::Instance {
            machine: machine.into(),
            runs,
        };
        assert_eq!(day(&instance("t3.micro", true)).unwrap(), "$0.250");
        assert_eq!(day(&instance("t3.micro", false)).unwrap(), "$0.000");
        assert_eq!(day(&Billed::Free).unwrap(), "$0.000");
        assert_eq!(day(&instance("x9.huge", true)), None);
        let gib = Billed::Stored { bytes: 1 << 30 };
        assert_eq!(day(&gib).unwrap(), "$0.001");
    }
}
