//! What the things of an inventory cost by the day and by the hour, each with its parts.

use std::collections::BTreeMap;

use super::estimate::{ROOT_GIB, ROOT_VOLUME};
use super::{Billed, HOURS_A_MONTH, per_hour};
use crate::inventory::{FoundDatabase, FoundInstance, InstanceState, Listed, Stray, StrayKind};
use crate::money::Microdollars;
use crate::prices::Prices;

/// What things cost by a price table, where things are billed.
#[derive(Clone, Debug)]
pub struct Rates {
    prices: Prices,
    region: String,
    /// The bytes in buckets, where they were counted.
    stored: BTreeMap<String, u64>,
}

/// What several things cost together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// In an hour, of what has a price.
    pub per_hour: Microdollars,
    /// How many things have no price that is known.
    pub without_price: usize,
}

impl Rates {
    /// Those of a region, by a table that may be another region's.
    #[must_use]
    pub fn new(prices: Prices, region: &str) -> Rates {
        Rates {
            prices,
            region: region.to_owned(),
            stored: BTreeMap::new(),
        }
    }

    /// The table.
    #[must_use]
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// Says how many bytes a bucket holds.
    pub fn count(&mut self, bucket: &str, bytes: u64) {
        self.stored.insert(bucket.to_owned(), bytes);
    }

    /// What a thing costs in an hour; `None` where no price is known, or not how large it is.
    #[must_use]
    pub fn per_hour(&self, listed: &Listed) -> Option<Microdollars> {
        let counted = || {
            let bytes = *self.stored.get(&listed.id)?;
            Some(vec![Billed::Stored { bytes }])
        };
        let parts = listed.billed.clone().or_else(counted)?;
        parts.iter().map(|part| per_hour(part, &self.prices)).sum()
    }

    /// What a thing costs in a day.
    #[must_use]
    pub fn per_day(&self, listed: &Listed) -> Option<Microdollars> {
        self.per_hour(listed).map(Microdollars::per_day)
    }

    /// What all of it costs.
    #[must_use]
    pub fn sum(&self, listed: &[Listed]) -> Sum {
        let mut sum = Sum::default();
        for amount in listed.iter().map(|line| self.per_hour(line)) {
            match amount {
                Some(amount) => sum.per_hour = sum.per_hour + amount,
                None => sum.without_price += 1,
            }
        }
        sum
    }

    /// The line below things that stay.
    #[must_use]
    pub fn in_all(&self, listed: &[Listed]) -> String {
        let sum = self.sum(listed);
        let a_month = sum.per_hour.for_seconds(HOURS_A_MONTH * 3600);
        let unknown = match sum.without_price {
            0 => String::new(),
            1 => "; of 1 thing no price is known".to_owned(),
            count => format!("; of {count} things no price is known"),
        };
        format!(
            "In all {} a day, {a_month} a month{unknown}. An estimate by {}.",
            sum.per_hour.per_day(),
            super::words::of_prices(&self.prices, &self.region)
        )
    }
}

/// What an instance is billed for: itself while it runs, its volume, its address.
#[must_use]
pub fn of_instance(instance: &FoundInstance) -> Vec<Billed> {
    let runs = matches!(
        instance.state,
        InstanceState::Pending | InstanceState::Running
    );
    let mut parts = vec![
        Billed::Instance {
            machine: instance.machine.clone(),
            runs,
        },
        Billed::Volume {
            volume: ROOT_VOLUME.to_owned(),
            gib: ROOT_GIB,
        },
    ];
    parts.extend(
        instance
            .public_address
            .iter()
            .map(|_| Billed::PublicAddress),
    );
    parts
}

/// What a database is billed for.
#[must_use]
pub fn of_database(database: &FoundDatabase) -> Billed {
    Billed::Database {
        class: database.class.clone(),
        gib: u64::from(database.storage_gib),
    }
}

/// What a thing is billed for that no section of a blueprint stands for; `None` where its type or
/// size is not known.
#[must_use]
pub fn of_stray(stray: &Stray) -> Option<Vec<Billed>> {
    let gib = stray.gib.map(u64::from);
    Some(match stray.kind {
        StrayKind::Instance | StrayKind::Database | StrayKind::Bucket | StrayKind::LogGroup => {
            return None;
        }
        StrayKind::Image => vec![Billed::Snapshot { gib: ROOT_GIB }],
        StrayKind::Address => vec![Billed::PublicAddress],
        StrayKind::DatabaseSnapshot | StrayKind::DatabaseBackup => {
            vec![Billed::DatabaseSnapshot { gib: gib? }]
        }
        StrayKind::Alarm => vec![Billed::Alarm],
        StrayKind::Dashboard => vec![Billed::Dashboard],
        StrayKind::SecurityGroup
        | StrayKind::Role
        | StrayKind::KeyPair
        | StrayKind::LaunchTemplate
        | StrayKind::SubnetGroup
        | StrayKind::ParameterGroup => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inventory::{FoundBucket, FoundSecurityGroup, Inventory, samples};

    fn rates() -> Rates {
        Rates::new(Prices::built_in("us-east-1").unwrap(), "us-east-1")
    }

    fn stray(kind: StrayKind, gib: Option<u32>) -> Stray {
        Stray {
            kind,
            id: "it".to_owned(),
            state: String::new(),
            created: None,
            gib,
        }
    }

    fn left() -> Inventory {
        Inventory {
            databases: vec![samples::database("d")],
            security_groups: vec![FoundSecurityGroup {
                id: "sg-1".to_owned(),
                resource: "data".parse().unwrap(),
                rules: Vec::new(),
            }],
            buckets: vec![FoundBucket {
                name: "photos".to_owned(),
                resource: "photos".parse().unwrap(),
                is_home: true,
            }],
            volumes: vec!["vol-1".to_owned()],
            ..Inventory::default()
        }
    }

    #[test]
    fn what_has_no_price_is_counted_and_not_free() {
        let (rates, listed) = (rates(), left().listed());
        let price = |id: &str| rates.per_day(listed.iter().find(|l| l.id == id).unwrap());
        assert_eq!(price("d").unwrap().to_string(), "$0.508");
        assert_eq!(price("sg-1"), Some(Microdollars::ZERO));
        assert_eq!((price("photos"), price("vol-1")), (None, None));
        assert_eq!(rates.sum(&listed).without_price, 2);
        let told = rates.in_all(&listed);
        assert!(
            told.starts_with("In all $0.508 a day, $15.45 a month; of 2 things"),
            "{told}"
        );
        assert!(told.contains("estimate"), "{told}");
    }

    #[test]
    fn a_bucket_that_was_counted_has_a_price() {
        let mut rates = rates();
        rates.count("photos", 100 << 30);
        let listed = left().listed();
        let photos = listed.iter().find(|l| l.id == "photos").unwrap();
        assert_eq!(rates.per_day(photos).unwrap().to_string(), "$0.076");
    }

    #[test]
    fn strays_bill_by_their_kind_and_size() {
        let day = |kind, gib| {
            let inventory = Inventory {
                strays: vec![stray(kind, gib)],
                ..Inventory::default()
            };
            rates()
                .per_day(&inventory.listed()[0])
                .map(|a| a.to_string())
        };
        assert_eq!(day(StrayKind::Address, None).unwrap(), "$0.120");
        assert_eq!(day(StrayKind::KeyPair, None).unwrap(), "$0.000");
        assert!(day(StrayKind::DatabaseSnapshot, Some(20)).is_some());
        assert_eq!(day(StrayKind::DatabaseSnapshot, None), None);
        assert_eq!(day(StrayKind::Instance, None), None);
    }
}
