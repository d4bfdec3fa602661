//! Reads AWS's published price lists: one file an offer and a region, up to hundreds of megabytes,
//! of which a few dozen prices are kept. What is not kept is never held in memory.
//! <https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/reading-service-price-list-file-for-services.html>

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::{Price, Prices, key, unit_of};
use crate::money::UnitPrice;

/// The prices that were found in a file, by region and by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// When AWS published them.
    pub published: Option<Date>,
    /// The prices.
    pub prices: BTreeMap<String, BTreeMap<String, UnitPrice>>,
}

/// A price that is another than before.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Changed {
    /// Its name.
    pub key: String,
    /// What it was; `None` where there was none.
    pub was: Option<UnitPrice>,
    /// What it is now.
    pub is: UnitPrice,
}

/// Why a file is no price list.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// It is not JSON of that form, or cannot be read to its end.
    #[error("it is not a price list of AWS in JSON")]
    Form(#[from] serde_json::Error),
    /// It holds none of the prices that are wanted.
    #[error(
        "it holds none of our prices; it has to be the JSON price list of AmazonEC2, AmazonRDS, \
         AmazonVPC, AmazonCloudWatch, AmazonS3 or AWSDataTransfer"
    )]
    Nothing,
}

/// Reads an offer file and keeps the prices of those names.
///
/// # Errors
/// When it is not one, ends early, or holds none of them.
pub fn read(source: impl Read, wanted: &BTreeSet<String>) -> Result<Offer, OfferError> {
    let mut text = serde_json::Deserializer::from_reader(source);
    let offer = File { wanted }.deserialize(&mut text)?;
    text.end()?;
    if offer.prices.is_empty() {
        return Err(OfferError::Nothing);
    }
    Ok(offer)
}

impl Prices {
    /// Takes in what an offer says of this region, and tells what is another now.
    pub fn take_in(&mut self, offer: &Offer) -> Vec<Changed> {
        let mut changed = Vec::new();
        let Some(found) = offer.prices.get(&self.region) else {
            return changed;
        };
        for (name, usd) in found {
            let Some(per) = unit_of(name) else { continue };
            let price = Price {
                usd: *usd,
                per,
                estimate: false,
                as_of: offer.published,
            };
            let was = self.prices.insert(name.clone(), price).map(|was| was.usd);
            if was != Some(*usd) {
                let (key, is) = (name.clone(), *usd);
                changed.push(Changed { key, was, is });
            }
        }
        self.as_of = offer.published.unwrap_or(self.as_of).max(self.as_of);
        changed
    }
}

/// The whole file.
struct File<'a> {
    wanted: &'a BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for File<'_> {
    type Value = Offer;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Offer, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for File<'_> {
    type Value = Offer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a price list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Offer, A::Error> {
        let mut offer = Offer::default();
        let mut products = None;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "publicationDate" => {
                    let date: Timestamp = map.next_value()?;
                    offer.published = Some(date.to_zoned(TimeZone::UTC).date());
                }
                "products" => products = Some(map.next_value_seed(Products(self.wanted))?),
                "terms" => {
                    let products = products
                        .as_ref()
                        .ok_or_else(|| A::Error::custom("`terms` stands before `products`"))?;
                    map.next_value_seed(Terms(products, &mut offer))?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(offer)
    }
}

/// The region and the name of the price of each product that is wanted, by its number.
type Skus = BTreeMap<String, (String, String)>;

struct Products<'a>(&'a BTreeSet<String>);

impl<'de> DeserializeSeed<'de> for Products<'_> {
    type Value = Skus;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Skus, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Products<'_> {
    type Value = Skus;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("products by their SKU")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Skus, A::Error> {
        let mut skus = Skus::new();
        while let Some((sku, product)) = map.next_entry::<String, Product>()? {
            let attributes = product.attributes;
            let name = attributes.name(&product.family);
            if let Some(name) = name.filter(|name| self.0.contains(name)) {
                // Of data that goes out it says where from.
                let place = [attributes.region, attributes.from];
                let region = place.into_iter().find(|region| !region.is_empty());
                skus.extend(region.map(|region| (sku, (region, name))));
            }
        }
        Ok(skus)
    }
}

#[derive(Deserialize)]
struct Product {
    #[serde(default, rename = "productFamily")]
    family: String,
    #[serde(default)]
    attributes: Attributes,
}

/// What tells one product from another, as far as it is looked at. Each offer has others.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Attributes {
    #[serde(rename = "regionCode")]
    region: String,
    #[serde(rename = "usagetype")]
    usage: String,
    #[serde(rename = "instanceType")]
    machine: String,
    #[serde(rename = "operatingSystem")]
    system: String,
    tenancy: String,
    #[serde(rename = "preInstalledSw")]
    software: String,
    #[serde(rename = "capacitystatus")]
    capacity: String,
    #[serde(rename = "volumeApiName")]
    volume: String,
    #[serde(rename = "databaseEngine")]
    engine: String,
    #[serde(rename = "deploymentOption")]
    deployment: String,
    #[serde(rename = "fromRegionCode")]
    from: String,
}

impl Attributes {
    /// The name that our tables have for the price; `None` for what they do not have.
    fn name(&self, family: &str) -> Option<String> {
        let usage = self.usage.as_str();
        match family {
            "Compute Instance" if self.is_plain_linux() => Some(key::instance(&self.machine)),
            "Database Instance" if self.is_plain_postgres() => Some(key::database(&self.machine)),
            "CPU Credits" => self.credits(),
            "Storage" if !self.volume.is_empty() => Some(key::volume(&self.volume)),
            _ => BY_USAGE
                .iter()
                .find(|(named, _)| is(usage, named))
                .map(|(_, name)| (*name).to_owned()),
        }
    }

    fn is_plain_linux(&self) -> bool {
        self.system == "Linux"
            && self.tenancy == "Shared"
            && self.software == "NA"
            && self.capacity == "Used"
            && is(&self.usage, &format!("BoxUsage:{}", self.machine))
    }

    fn is_plain_postgres(&self) -> bool {
        self.engine == "PostgreSQL"
            && self.deployment == "Single-AZ"
            && is(&self.usage, &format!("InstanceUsage:{}", self.machine))
    }

    /// `CPUCredits:t3` of EC2, `CPUCredits:db.t3` of RDS.
    fn credits(&self) -> Option<String> {
        let (_, family) = self.usage.split_once("CPUCredits:")?;
        match family.strip_prefix("db.") {
            Some(family) if ["", "PostgreSQL"].contains(&self.engine.as_str()) => {
                Some(key::database_surplus(family))
            }
            None if ["", "Linux"].contains(&self.system.as_str()) => {
                Some(key::instance_surplus(family))
            }
            _ => None,
        }
    }
}

/// What is told by its usage type alone.
const BY_USAGE: [(&str, &str); 12] = [
    ("EBS:SnapshotUsage", key::SNAPSHOT),
    ("PublicIPv4:InUseAddress", key::PUBLIC_ADDRESS),
    ("RDS:GP2-Storage", key::DATABASE_STORAGE),
    ("RDS:ChargedBackupUsage", key::DATABASE_SNAPSHOT),
    ("CW:MetricMonitorUsage", key::METRIC),
    ("CW:Requests", key::PUT_METRIC_DATA),
    ("CW:GMD-Metrics", key::GET_METRIC_DATA),
    ("CW:AlarmMonitorUsage", key::ALARM),
    ("TimedStorage-ByteHrs", key::STORED),
    ("Requests-Tier1", key::S3_WRITE),
    ("Requests-Tier2", key::S3_READ),
    ("DataTransfer-Out-Bytes", key::TRANSFER_OUT),
];

/// Outside us-east-1 the region stands before a usage type: `EUC1-BoxUsage:t3.micro`.
fn is(usage: &str, named: &str) -> bool {
    let region = usage.strip_suffix(named);
    region.is_some_and(|region| {
        region.is_empty()
            || region.strip_suffix('-').is_some_and(|region| {
                region
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            })
    })
}

/// `terms`: those on demand; the reserved ones are most of the file.
struct Terms<'a>(&'a Skus, &'a mut Offer);

impl<'de> DeserializeSeed<'de> for Terms<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Terms<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("terms by their kind")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(kind) = map.next_key::<String>()? {
            if kind == "OnDemand" {
                map.next_value_seed(OnDemand(self.0, self.1))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct OnDemand<'a>(&'a Skus, &'a mut Offer);

impl<'de> DeserializeSeed<'de> for OnDemand<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OnDemand<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("terms by the SKU of their product")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(sku) = map.next_key::<String>()? {
            let Some((region, name)) = self.0.get(&sku) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let terms: BTreeMap<String, Term> = map.next_value()?;
            let tiers = terms.values().flat_map(|term| term.tiers.values());
            // Of prices that fall with the amount, and of products that share a name, the highest.
            let highest = tiers.filter_map(|tier| tier.price.usd).max();
            if let Some(highest) = highest {
                let prices = self.1.prices.entry(region.clone()).or_default();
                let price = prices.entry(name.clone()).or_insert(highest);
                *price = highest.max(*price);
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Term {
    #[serde(default, rename = "priceDimensions")]
    tiers: BTreeMap<String, Tier>,
}

#[derive(Deserialize)]
struct Tier {
    #[serde(rename = "pricePerUnit")]
    price: PerUnit,
}

#[derive(Deserialize)]
struct PerUnit {
    #[serde(default, rename = "USD")]
    usd: Option<UnitPrice>,
}
