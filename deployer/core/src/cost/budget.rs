//! Whether a blueprint keeps to its budget at the worst, and what would make it keep to it.

use std::fmt;

use super::estimate::{Estimate, Line, Nodes, estimate};
use crate::blueprint::{Blueprint, Budget, CpuCredits, burst, memory, room};
use crate::expiry::Lifetime;
use crate::money::Microdollars;
use crate::names::ResourceName;
use crate::prices::{Prices, key};

/// A ttl that is suggested is a multiple of so many seconds, and not less.
const STEP: u64 = 600;
/// Sizes of types, each with the next smaller one.
const SMALLER: [(&str, &str); 6] = [
    ("2xlarge", "xlarge"),
    ("xlarge", "large"),
    ("large", "medium"),
    ("medium", "small"),
    ("small", "micro"),
    ("micro", "nano"),
];

/// All that a budget is held against.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What is asked for.
    pub blueprint: &'a Blueprint,
    /// At which prices.
    pub prices: &'a Prices,
    /// How many nodes there are already.
    pub nodes: &'a Nodes,
    /// For how many seconds from now on; `None` is for ever.
    pub seconds: Option<u64>,
    /// What has been spent on it already; `None` while nothing is made, and the blueprint's ttl
    /// still decides how long it lives.
    pub spent: Option<Microdollars>,
}

/// Why a blueprint does not keep to its budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overrun {
    /// It would cost more.
    Exceeded(Box<Exceeded>),
    /// It cannot be told, since there are no prices of these.
    WithoutPrice(Vec<String>),
    /// It cannot be told, since the prices are those of another region.
    OtherRegion(String),
    /// It has a budget for all of its life and never ends.
    Endless,
}

/// A limit that is exceeded at the worst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Which one.
    pub limit: Limit,
    /// What it allows.
    pub allowed: Microdollars,
    /// What it would come to.
    pub most: Microdollars,
    /// The three largest lines.
    pub largest: Vec<Line>,
    /// Edits of the blueprint after each of which it fits; the first is the smallest.
    pub ways: Vec<Vec<Edit>>,
    /// What the least is that it can cost in an hour at the worst, where nothing fits.
    pub least: Microdollars,
}

/// One of the two limits of a [`Budget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `per-hour`.
    PerHour,
    /// `total`.
    Total,
}

impl Limit {
    /// Its name in blueprints.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Limit::PerHour => "per-hour",
            Limit::Total => "total",
        }
    }
}

/// One edit of a blueprint that makes it cheaper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A smaller largest size of a pool.
    Max(ResourceName, u32),
    /// A shorter life.
    Ttl(Lifetime),
    /// No surplus credits for an instance.
    InstanceCredits(ResourceName),
    /// No surplus credits for the nodes of a pool.
    PoolCredits(ResourceName),
    /// A smaller type of an instance.
    InstanceType(ResourceName, String),
    /// A smaller type of the nodes of a pool.
    PoolType(ResourceName, String),
    /// A smaller class of a database.
    Class(ResourceName, String),
}

impl Edit {
    /// Carries it out.
    pub fn apply(&self, blueprint: &mut Blueprint) {
        match self {
            Edit::Ttl(ttl) => blueprint.ttl = Some(*ttl),
            Edit::Max(name, max) => {
                if let Some(pool) = blueprint.pools.get_mut(name) {
                    pool.size.max = *max;
                }
            }
            Edit::PoolCredits(name) => {
                if let Some(pool) = blueprint.pools.get_mut(name) {
                    pool.cpu_credits = Some(CpuCredits::Standard);
                }
            }
            Edit::PoolType(name, machine) => {
                if let Some(pool) = blueprint.pools.get_mut(name) {
                    pool.machine.clone_from(machine);
                }
            }
            Edit::InstanceCredits(name) => {
                if let Some(instance) = blueprint.instances.get_mut(name) {
                    instance.cpu_credits = Some(CpuCredits::Standard);
                }
            }
            Edit::InstanceType(name, machine) => {
                if let Some(instance) = blueprint.instances.get_mut(name) {
                    instance.machine.clone_from(machine);
                }
            }
            Edit::Class(name, class) => {
                if let Some(database) = blueprint.databases.get_mut(name) {
                    database.class.clone_from(class);
                }
            }
        }
    }
}

/// As it is written: the keys on the way, and the value.
impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Edit::Max(name, max) => write!(f, "pools.{name}.size.max: {max}"),
            Edit::Ttl(ttl) => write!(f, "ttl: {ttl}"),
            Edit::InstanceCredits(name) => write!(f, "instances.{name}.cpu-credits: standard"),
            Edit::PoolCredits(name) => write!(f, "pools.{name}.cpu-credits: standard"),
            Edit::InstanceType(name, machine) => write!(f, "instances.{name}.type: {machine}"),
            Edit::PoolType(name, machine) => write!(f, "pools.{name}.type: {machine}"),
            Edit::Class(name, class) => write!(f, "databases.{name}.class: {class}"),
        }
    }
}

/// Holds a blueprint against its budget.
///
/// # Errors
/// The limit that it does not keep to, or why that cannot be told.
pub fn check(question: &Question<'_>) -> Result<(), Overrun> {
    let Some(budget) = question.blueprint.budget else {
        return Ok(());
    };
    let region = &question.prices.region;
    if *region != question.blueprint.region {
        return Err(Overrun::OtherRegion(region.clone()));
    }
    let found = question.estimate(question.blueprint);
    if !found.without_price.is_empty() {
        let names = found.without_price.into_iter().collect();
        return Err(Overrun::WithoutPrice(names));
    }
    if budget.total.is_some() && question.seconds.is_none() {
        return Err(Overrun::Endless);
    }
    let Some((limit, allowed, most)) = question.exceeded(budget, &found, question.seconds) else {
        return Ok(());
    };
    let mut largest = found.lines;
    largest.sort_by_key(|line| std::cmp::Reverse(line.most));
    largest.truncate(3);
    let ways = question.ways(budget, limit);
    let least = question.with(&question.cheapest());
    Err(Overrun::Exceeded(Box::new(Exceeded {
        limit,
        allowed,
        most,
        largest,
        ways,
        least: question.estimate(&least).most(),
    })))
}

impl Question<'_> {
    /// What was spent, or has to be to make it, and all that comes to its end at the worst.
    fn total(&self, found: &Estimate, seconds: u64) -> Microdollars {
        let first = self.spent.unwrap_or_else(|| found.creation());
        first + found.most().for_seconds(seconds)
    }

    fn exceeded(
        &self,
        budget: Budget,
        found: &Estimate,
        seconds: Option<u64>,
    ) -> Option<(Limit, Microdollars, Microdollars)> {
        let hour = budget.per_hour.map(|b| (Limit::PerHour, b, found.most()));
        let whole = budget.total.zip(seconds);
        let whole = whole.map(|(b, seconds)| (Limit::Total, b, self.total(found, seconds)));
        let mut limits = [hour, whole].into_iter().flatten();
        limits.find(|(_, allowed, most)| most > allowed)
    }

    fn estimate(&self, blueprint: &Blueprint) -> Estimate {
        estimate(blueprint, self.prices, self.nodes)
    }

    fn with(&self, edits: &[Edit]) -> Blueprint {
        let mut blueprint = self.blueprint.clone();
        edits.iter().for_each(|edit| edit.apply(&mut blueprint));
        blueprint
    }

    fn fits(&self, budget: Budget, edits: &[Edit]) -> bool {
        let blueprint = self.with(edits);
        let ttl = edits.iter().rev().find_map(|edit| match edit {
            Edit::Ttl(ttl) => Some(ttl.seconds()),
            _ => None,
        });
        let found = self.estimate(&blueprint);
        let seconds = ttl.or(self.seconds);
        found.without_price.is_empty() && self.exceeded(budget, &found, seconds).is_none()
    }

    /// Up to three edits each of which is enough; else the edits that are enough together.
    fn ways(&self, budget: Budget, limit: Limit) -> Vec<Vec<Edit>> {
        let mut ways = self.small_ways(budget, limit, &[]);
        ways.truncate(3);
        let mut edits = Vec::new();
        for more in self.stages() {
            if !ways.is_empty() {
                break;
            }
            edits.extend(more);
            if self.fits(budget, &edits) {
                return vec![edits];
            }
            ways = self.small_ways(budget, limit, &edits);
            ways.truncate(1);
        }
        ways
    }

    /// The ways that begin with `first` and add one thing that is enough.
    fn small_ways(&self, budget: Budget, limit: Limit, first: &[Edit]) -> Vec<Vec<Edit>> {
        let blueprint = self.with(first);
        let mut candidates: Vec<Vec<Edit>> = Vec::new();
        for (name, pool) in &blueprint.pools {
            let has = self.nodes.get(name).copied().unwrap_or_default();
            let least = pool.size.min.max(pool.size.start).max(has);
            let fits = |max: &u32| {
                let edit = Edit::Max(name.clone(), *max);
                self.fits(budget, &[first, &[edit]].concat())
            };
            let max = (least..pool.size.max).rev().find(fits);
            candidates.extend(max.map(|max| vec![Edit::Max(name.clone(), max)]));
        }
        if limit == Limit::Total && self.spent.is_none() {
            let ttl = self.ttl_that_fits(budget, &blueprint);
            candidates.extend(ttl.map(|ttl| vec![Edit::Ttl(ttl)]));
        }
        candidates.push(credits(&blueprint));
        candidates.extend(self.smaller(&blueprint).into_iter().map(|edit| vec![edit]));
        candidates
            .into_iter()
            .filter(|edits| !edits.is_empty())
            .map(|edits| [first, &edits].concat())
            .filter(|edits| self.fits(budget, edits))
            .collect()
    }

    fn ttl_that_fits(&self, budget: Budget, blueprint: &Blueprint) -> Option<Lifetime> {
        let found = self.estimate(blueprint);
        let left = budget.total?.less(found.creation());
        let seconds = u128::from(left.0) * 3600 / u128::from(found.most().0.max(1));
        let seconds = u64::try_from(seconds).ok()?.min(self.seconds?);
        Lifetime::of_seconds(seconds / STEP * STEP)
    }

    /// What is given up one after the other where one thing is not enough.
    fn stages(&self) -> Vec<Vec<Edit>> {
        let least = self.blueprint.pools.iter().map(|(name, pool)| {
            let has = self.nodes.get(name).copied().unwrap_or_default();
            Edit::Max(name.clone(), pool.size.min.max(pool.size.start).max(has))
        });
        let least: Vec<Edit> = least.collect();
        let mut stages = vec![credits(self.blueprint), least];
        let mut blueprint = self.blueprint.clone();
        loop {
            let smaller = self.smaller(&blueprint);
            if smaller.is_empty() {
                return stages;
            }
            smaller.iter().for_each(|edit| edit.apply(&mut blueprint));
            stages.push(smaller);
        }
    }

    fn cheapest(&self) -> Vec<Edit> {
        self.stages().concat()
    }

    /// Everything one size smaller that has a price, and memory for what it holds.
    fn smaller(&self, blueprint: &Blueprint) -> Vec<Edit> {
        let machine = |machine: &str| {
            let smaller = smaller(machine)?;
            let has_price = self.prices.of(&key::instance(&smaller)).is_some();
            has_price.then_some(smaller)
        };
        let instances = blueprint.instances.iter().filter_map(|(name, instance)| {
            // What runs on a single instance wants 1 GiB.
            let smaller = machine(&instance.machine).filter(|m| memory(m) >= memory("t3.micro"))?;
            Some(Edit::InstanceType(name.clone(), smaller))
        });
        let pools = blueprint.pools.iter().filter_map(|(name, pool)| {
            let holds = |m: &String| memory(m).is_some_and(|memory| room(memory) >= pool.capacity);
            let smaller = machine(&pool.machine).filter(holds)?;
            Some(Edit::PoolType(name.clone(), smaller))
        });
        let databases = blueprint.databases.iter().filter_map(|(name, database)| {
            let smaller = smaller(&database.class)?;
            self.prices.of(&key::database(&smaller))?;
            Some(Edit::Class(name.clone(), smaller))
        });
        instances.chain(pools).chain(databases).collect()
    }
}

/// The next smaller size of the same family.
fn smaller(machine: &str) -> Option<String> {
    let (family, size) = machine.rsplit_once('.')?;
    let (_, smaller) = SMALLER.iter().find(|(larger, _)| *larger == size)?;
    Some(format!("{family}.{smaller}"))
}

/// No surplus credits for anything that has them.
fn credits(blueprint: &Blueprint) -> Vec<Edit> {
    let is_unlimited = |chosen, machine: &str| {
        burst(machine).is_some()
            && CpuCredits::in_effect(chosen, machine) == Some(CpuCredits::Unlimited)
    };
    let instances = blueprint.instances.iter();
    let instances = instances
        .filter(|(_, instance)| is_unlimited(instance.cpu_credits, &instance.machine))
        .map(|(name, _)| Edit::InstanceCredits(name.clone()));
    let pools = blueprint.pools.iter();
    let pools = pools
        .filter(|(_, pool)| is_unlimited(pool.cpu_credits, &pool.machine))
        .map(|(name, _)| Edit::PoolCredits(name.clone()));
    pools.chain(instances).collect()
}
