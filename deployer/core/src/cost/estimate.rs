//! What a blueprint costs: by the hour as it is now and at the worst, and once to make it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::HOURS_A_MONTH;
use crate::blueprint::{Blueprint, CpuCredits, Pool, Service, burst};
use crate::money::{Microdollars, UnitPrice};
use crate::names::ResourceName;
use crate::prices::{Prices, key};

/// The root volume of Amazon Linux 2023 and of Debian 12, in GiB; a baked image keeps the size.
pub const ROOT_GIB: u64 = 8;
/// The type of root volumes.
pub const ROOT_VOLUME: &str = "gp3";
/// The metrics that a node publishes, each for itself and once more for the pool.
const METRICS: u64 = 8;
/// How often a node publishes in an hour: every five seconds, all metrics in one call.
const PUBLISHED_AN_HOUR: u64 = 720;
/// The series that the charts read of the pool, and as many of each node.
const CHARTED: u64 = 6;
/// The series that the scaler reads.
const SCALED: u64 = 3;
/// How often charts and scaler read in an hour: each minute.
const READ_AN_HOUR: u64 = 60;
/// How long a builder may live, in seconds.
const BAKE: u64 = 15 * 60;
/// What RDS bills for a database at the least, in seconds.
/// <https://aws.amazon.com/rds/postgresql/pricing/>
const DATABASE_LEAST: u64 = 10 * 60;

/// What a deployment costs by list prices, without taxes and free tiers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Estimate {
    /// What is billed by the hour.
    pub lines: Vec<Line>,
    /// What is billed once, when it is made.
    pub creation: Vec<Once>,
    /// What there is no price of in the table: the sums lack it.
    pub without_price: BTreeSet<String>,
    /// What depends on use and is in no sum, in words.
    pub not_priced: Vec<String>,
}

/// One thing that is billed by the hour, in microdollars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Line {
    /// What it is, for people.
    pub what: String,
    /// As it is now.
    pub now: Microdollars,
    /// At the worst: the largest pool, every processor busy.
    pub most: Microdollars,
}

/// One thing that is billed once, in microdollars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Once {
    /// What it is, for people.
    pub what: String,
    /// What it costs at the most.
    pub most: Microdollars,
}

impl Estimate {
    /// In an hour, as it is now.
    #[must_use]
    pub fn now(&self) -> Microdollars {
        self.lines.iter().map(|line| line.now).sum()
    }

    /// In an hour, at the worst.
    #[must_use]
    pub fn most(&self) -> Microdollars {
        self.lines.iter().map(|line| line.most).sum()
    }

    /// Once, to make it.
    #[must_use]
    pub fn creation(&self) -> Microdollars {
        self.creation.iter().map(|once| once.most).sum()
    }

    /// To make it and to keep it for that many seconds, at the worst.
    #[must_use]
    pub fn most_for(&self, seconds: u64) -> Microdollars {
        self.creation() + self.most().for_seconds(seconds)
    }
}

/// How many nodes the pools have now; one that is not named has as many as it starts with.
pub type Nodes = BTreeMap<ResourceName, u32>;

/// What a blueprint costs at those prices.
#[must_use]
pub fn estimate(blueprint: &Blueprint, prices: &Prices, nodes: &Nodes) -> Estimate {
    let mut draft = Draft {
        prices,
        estimate: Estimate::default(),
    };
    draft.instances(blueprint);
    draft.databases(blueprint);
    draft.images(blueprint);
    for (name, pool) in &blueprint.pools {
        let now = nodes.get(name).copied().unwrap_or(pool.size.start);
        let count = Count {
            now: u64::from(now),
            most: u64::from(pool.size.max.max(now)),
        };
        draft.pool(name, pool, count);
        draft.metrics(blueprint, pool, count);
    }
    draft.not_priced(blueprint);
    draft.estimate
}

/// How many of something there are.
#[derive(Clone, Copy)]
struct Count {
    now: u64,
    most: u64,
}

impl Count {
    fn of(count: u64) -> Count {
        Count {
            now: count,
            most: count,
        }
    }

    fn times(self, factor: u64) -> Count {
        Count {
            now: self.now * factor,
            most: self.most * factor,
        }
    }

    /// Counts at the worst only.
    fn at_worst(self) -> Count {
        Count { now: 0, ..self }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.now == self.most {
            write!(f, "{}", self.most)
        } else {
            write!(f, "{} to {}", self.now, self.most)
        }
    }
}

struct Draft<'a> {
    prices: &'a Prices,
    estimate: Estimate,
}

impl Draft<'_> {
    fn price(&mut self, key: &str) -> Option<UnitPrice> {
        let price = self.prices.of(key);
        if price.is_none() {
            self.estimate.without_price.insert(key.to_owned());
        }
        price
    }

    /// Adds a line: `count` things, each of which is `units` divided by `by` of what has a price.
    fn line(&mut self, what: String, key: &str, count: Count, units: u64, by: u64) {
        if let Some(price) = self.price(key)
            && count.most > 0
        {
            self.estimate.lines.push(Line {
                what,
                now: price.of(count.now * units, by),
                most: price.of(count.most * units, by),
            });
        }
    }

    fn once(&mut self, what: String, hourly: Microdollars, seconds: u64) {
        self.estimate.creation.push(Once {
            what,
            most: hourly.for_seconds(seconds),
        });
    }

    fn instances(&mut self, blueprint: &Blueprint) {
        for (name, instance) in &blueprint.instances {
            let (what, credits) = (format!("instance/{name}"), instance.cpu_credits);
            self.machines(&what, &instance.machine, credits, Count::of(1));
        }
    }

    fn pool(&mut self, name: &ResourceName, pool: &Pool, count: Count) {
        let what = format!("pool/{name}");
        self.machines(&what, &pool.machine, pool.cpu_credits, count);
    }

    /// Instances with what each of them brings: its volume, its address, its surplus credits.
    fn machines(&mut self, whose: &str, machine: &str, credits: Option<CpuCredits>, count: Count) {
        let instance = key::instance(machine);
        self.line(
            format!("{whose}: {count} {machine}"),
            &instance,
            count,
            1,
            1,
        );
        if let Some(burst) = burst(machine)
            && CpuCredits::in_effect(credits, machine) == Some(CpuCredits::Unlimited)
        {
            let what = format!("{whose}: CPU credits, all processors busy");
            let surplus = key::instance_surplus(burst.family);
            let beyond = burst.vcpus * (1000 - burst.included);
            self.line(what, &surplus, count.at_worst(), beyond, 1000);
        }
        let volume = key::volume(ROOT_VOLUME);
        let what = format!("{whose}: {count} volume of {ROOT_GIB} GiB");
        self.line(what, &volume, count, ROOT_GIB, HOURS_A_MONTH);
        let what = format!("{whose}: {count} public IPv4 address");
        self.line(what, key::PUBLIC_ADDRESS, count, 1, 1);
    }

    fn databases(&mut self, blueprint: &Blueprint) {
        for (name, database) in &blueprint.databases {
            let (one, class) = (Count::of(1), &database.class);
            let hourly = key::database(class);
            self.line(format!("database/{name}: {class}"), &hourly, one, 1, 1);
            let gib = u64::from(database.storage_gib);
            let what = format!("database/{name}: {gib} GiB");
            self.line(what, key::DATABASE_STORAGE, one, gib, HOURS_A_MONTH);
            // Databases of these families are unlimited always.
            if let Some(burst) = class.strip_prefix("db.").and_then(burst)
                && burst.family != "t2"
            {
                let what = format!("database/{name}: CPU credits, all processors busy");
                let surplus = key::database_surplus(burst.family);
                let beyond = burst.vcpus * (1000 - burst.included);
                self.line(what, &surplus, one.at_worst(), beyond, 1000);
            }
            if let Some(price) = self.prices.of(&hourly) {
                let what = format!("database/{name}: ten minutes, what RDS bills at least");
                self.once(what, price.of(1, 1), DATABASE_LEAST);
            }
        }
    }

    fn images(&mut self, blueprint: &Blueprint) {
        for name in blueprint.images.keys() {
            let what = format!("image/{name}: its snapshot, {ROOT_GIB} GiB at most");
            let one = Count::of(1);
            self.line(what, key::SNAPSHOT, one, ROOT_GIB, HOURS_A_MONTH);
            let Some(pool) = blueprint.pools.values().find(|pool| &pool.image == name) else {
                continue;
            };
            let volume = self.prices.of(&key::volume(ROOT_VOLUME));
            let hourly = [
                self.prices
                    .of(&key::instance(&pool.machine))
                    .map(|p| p.of(1, 1)),
                self.prices.of(key::PUBLIC_ADDRESS).map(|p| p.of(1, 1)),
                volume.map(|p| p.of(ROOT_GIB, HOURS_A_MONTH)),
            ];
            let what = format!("image/{name}: its builder, a quarter of an hour at most");
            self.once(what, hourly.into_iter().flatten().sum(), BAKE);
        }
    }

    /// What CloudWatch bills for the figures of nodes. Each call and each series counts.
    fn metrics(&mut self, blueprint: &Blueprint, pool: &Pool, nodes: Count) {
        let with_pool = Count {
            now: nodes.now + 1,
            most: nodes.most + 1,
        };
        let metrics = with_pool.times(METRICS);
        let what = format!("CloudWatch: {metrics} metrics");
        self.line(what, key::METRIC, metrics, 1, HOURS_A_MONTH);
        let what = "CloudWatch: nodes publish every 5 s".to_owned();
        self.line(what, key::PUT_METRIC_DATA, nodes, PUBLISHED_AN_HOUR, 1);
        let what = "CloudWatch: charts, while somebody looks".to_owned();
        let charted = with_pool.at_worst().times(CHARTED);
        self.line(what, key::GET_METRIC_DATA, charted, READ_AN_HOUR, 1);
        let scaled = blueprint
            .instances
            .values()
            .any(|instance| instance.services.contains(&Service::Scaler));
        let reads = Count {
            now: SCALED * u64::from(scaled && pool.scaling.automatic),
            most: SCALED * u64::from(scaled),
        };
        let what = "CloudWatch: the scaler reads each minute".to_owned();
        self.line(what, key::GET_METRIC_DATA, reads, READ_AN_HOUR, 1);
    }

    fn not_priced(&mut self, blueprint: &Blueprint) {
        let of = |key: &str, count: u64| {
            let price = self.prices.of(key).map(|price| price.of(count, 1));
            price.map_or_else(|| "no price known".to_owned(), |p| p.to_string())
        };
        let million = 1_000_000;
        let mut words = vec![
            format!("what buckets hold ({} a GiB-month)", of(key::STORED, 1)),
            format!(
                "requests to S3 ({} a million writes, {} a million reads)",
                of(key::S3_WRITE, million),
                of(key::S3_READ, million)
            ),
            format!("data to the Internet ({} a GiB)", of(key::TRANSFER_OUT, 1)),
        ];
        if !blueprint.pools.is_empty() {
            words
                .push("a spare node while nodes are replaced, metrics of earlier nodes".to_owned());
        }
        self.estimate.not_priced = words;
    }
}
