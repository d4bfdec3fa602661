//! What AWS asks for one unit of each thing that a deployment is billed for: one table a region,
//! with its date. The tables that are built in lie in `data/prices/`; a newer one wins.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::money::UnitPrice;

pub mod offer;

/// The prices of one region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Prices {
    /// The region, for example `us-east-1`.
    pub region: String,
    /// The day of the newest of them.
    pub as_of: Date,
    /// Where they come from, for people.
    pub source: String,
    /// The price of each thing, for example of `ec2/t3.micro`.
    pub prices: BTreeMap<String, Price>,
}

/// The price of one unit, on demand, before taxes and free tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Price {
    /// US dollars for one unit.
    pub usd: UnitPrice,
    /// The unit.
    pub per: Unit,
    /// Whether it has not been compared with what AWS publishes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimate: bool,
    /// The day on which AWS published it, where it was read from AWS's own list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Date>,
}

/// What a price is for one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// An hour of one of them.
    Hour,
    /// An hour of one virtual processor at 100 %, above what the type includes.
    VcpuHour,
    /// A GiB for a month.
    GibMonth,
    /// A GiB once.
    Gib,
    /// A metric for a month.
    MetricMonth,
    /// A metric asked for once.
    Metric,
    /// An alarm for a month.
    AlarmMonth,
    /// A dashboard for a month.
    DashboardMonth,
    /// A call.
    Request,
}

impl Unit {
    /// The unit in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::Hour => "hour",
            Unit::VcpuHour => "vCPU-hour",
            Unit::GibMonth => "GiB-month",
            Unit::Gib => "GiB",
            Unit::MetricMonth => "metric-month",
            Unit::Metric => "metric asked for",
            Unit::AlarmMonth => "alarm-month",
            Unit::DashboardMonth => "dashboard-month",
            Unit::Request => "request",
        }
    }
}

/// Why a text is no price table.
#[derive(Debug, thiserror::Error)]
pub enum PricesError {
    /// It is not JSON of that form.
    #[error("it is not a price table: {0}")]
    Form(#[from] serde_json::Error),
    /// A price stands there for another unit than it is read for.
    #[error("the price of {key} is for one {has}, and not for one {wants}")]
    Unit {
        /// The thing.
        key: String,
        /// The unit that stands there.
        has: &'static str,
        /// The unit that it has to be.
        wants: &'static str,
    },
}

/// The tables that come with this program.
const BUILT_IN: [&str; 5] = [
    include_str!("../data/prices/eu-central-1.json"),
    include_str!("../data/prices/eu-west-1.json"),
    include_str!("../data/prices/us-east-1.json"),
    include_str!("../data/prices/us-east-2.json"),
    include_str!("../data/prices/us-west-2.json"),
];

impl Prices {
    /// Reads a table.
    ///
    /// # Errors
    /// When it is not one, or a price is for another unit than its kind of thing is billed by.
    pub fn read(text: &str) -> Result<Prices, PricesError> {
        let table: Prices = serde_json::from_str(text)?;
        for (key, price) in &table.prices {
            let wants = unit_of(key);
            if let Some(wants) = wants.filter(|wants| *wants != price.per) {
                return Err(PricesError::Unit {
                    key: key.clone(),
                    has: price.per.as_str(),
                    wants: wants.as_str(),
                });
            }
        }
        Ok(table)
    }

    /// The table of a region that comes with this program, if there is one.
    #[must_use]
    pub fn built_in(region: &str) -> Option<Prices> {
        Prices::all_built_in().find(|table| table.region == region)
    }

    /// Every table that comes with this program, by region.
    pub fn all_built_in() -> impl Iterator<Item = Prices> {
        BUILT_IN.iter().filter_map(|text| Prices::read(text).ok())
    }

    /// The price of one of those things; `None` where the table has none.
    #[must_use]
    pub fn of(&self, key: &str) -> Option<UnitPrice> {
        self.prices.get(key).map(|price| price.usd)
    }

    /// The newer of two tables of a region; this one where they have the same date.
    #[must_use]
    pub fn or_newer(self, other: Option<Prices>) -> Prices {
        match other {
            Some(other) if other.as_of > self.as_of => other,
            _ => self,
        }
    }
}

/// The names that prices have, so that nobody spells them twice.
pub mod key {
    /// A running instance of that type.
    #[must_use]
    pub fn instance(machine: &str) -> String {
        format!("ec2/{machine}")
    }

    /// Surplus CPU credits of a family such as `t3`.
    #[must_use]
    pub fn instance_surplus(family: &str) -> String {
        format!("ec2/surplus/{family}")
    }

    /// A running database of that class.
    #[must_use]
    pub fn database(class: &str) -> String {
        format!("rds/{class}")
    }

    /// Surplus CPU credits of databases of a family such as `t4g`.
    #[must_use]
    pub fn database_surplus(family: &str) -> String {
        format!("rds/surplus/db.{family}")
    }

    /// A volume of that type, such as `gp3`.
    #[must_use]
    pub fn volume(kind: &str) -> String {
        format!("ebs/{kind}")
    }

    /// A snapshot of a volume; an image is made of such.
    pub const SNAPSHOT: &str = "ebs/snapshot";
    /// The storage of a database, gp2.
    pub const DATABASE_STORAGE: &str = "rds/storage/gp2";
    /// A snapshot of a database that is not there any more.
    pub const DATABASE_SNAPSHOT: &str = "rds/snapshot";
    /// A public IPv4 address, in use or not.
    pub const PUBLIC_ADDRESS: &str = "public-ipv4";
    /// A custom metric.
    pub const METRIC: &str = "cloudwatch/metric";
    /// One PutMetricData.
    pub const PUT_METRIC_DATA: &str = "cloudwatch/put-metric-data";
    /// One metric in a GetMetricData.
    pub const GET_METRIC_DATA: &str = "cloudwatch/get-metric-data";
    /// An alarm.
    pub const ALARM: &str = "cloudwatch/alarm";
    /// A dashboard.
    pub const DASHBOARD: &str = "cloudwatch/dashboard";
    /// What a bucket holds.
    pub const STORED: &str = "s3/storage";
    /// A call that writes or lists.
    pub const S3_WRITE: &str = "s3/put";
    /// A call that reads.
    pub const S3_READ: &str = "s3/get";
    /// What goes out to the Internet.
    pub const TRANSFER_OUT: &str = "transfer/out";
}

/// The unit by which a thing is billed; `None` for what is not known here.
fn unit_of(key: &str) -> Option<Unit> {
    Some(match key {
        key::SNAPSHOT | key::DATABASE_STORAGE | key::DATABASE_SNAPSHOT | key::STORED => {
            Unit::GibMonth
        }
        key::PUBLIC_ADDRESS => Unit::Hour,
        key::METRIC => Unit::MetricMonth,
        key::PUT_METRIC_DATA | key::S3_WRITE | key::S3_READ => Unit::Request,
        key::GET_METRIC_DATA => Unit::Metric,
        key::ALARM => Unit::AlarmMonth,
        key::DASHBOARD => Unit::DashboardMonth,
        key::TRANSFER_OUT => Unit::Gib,
        _ if key.starts_with("ec2/surplus/") || key.starts_with("rds/surplus/") => Unit::VcpuHour,
        _ if key.starts_with("ec2/") || key.starts_with("rds/") => Unit::Hour,
        _ if key.starts_with("ebs/") => Unit::GibMonth,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_table_that_comes_along_is_one_and_has_the_same_things() {
        let tables: Vec<Prices> = BUILT_IN.iter().map(|t| Prices::read(t).unwrap()).collect();
        for table in &tables {
            let keys = |table: &Prices| table.prices.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(table), keys(&tables[0]), "{}", table.region);
            for key in table.prices.keys() {
                assert!(unit_of(key).is_some(), "{key}");
            }
        }
        assert!(Prices::built_in("us-east-1").is_some());
        assert!(Prices::built_in("mars-north-1").is_none());
    }

    #[test]
    fn a_price_for_another_unit_is_refused() {
        let table = r#"{"region":"r","as-of":"2026-01-01","source":"s","prices":{
            "ec2/t3.micro":{"usd":"0.01","per":"gib-month"}}}"#;
        let refused = Prices::read(table).unwrap_err().to_string();
        assert_eq!(
            refused,
            "the price of ec2/t3.micro is for one GiB-month, and not for one hour"
        );
    }

    #[test]
    fn the_newer_table_counts() {
        let built_in = Prices::built_in("us-east-1").unwrap();
        let mut newer = built_in.clone();
        newer.as_of = newer.as_of.tomorrow().unwrap();
        assert_eq!(built_in.clone().or_newer(Some(newer.clone())), newer);
        assert_eq!(newer.clone().or_newer(Some(built_in)), newer);
    }
}
