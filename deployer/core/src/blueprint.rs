//! A checked blueprint: every reference leads somewhere, every size is in range. It is made from
//! YAML by [`read`] alone, so whoever holds one need not look again.

mod check;
mod machine;
mod problem;
mod raw;
mod reader;
mod tree;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use check::{Files, LARGEST, read};
pub use machine::{Burst, burst};
pub(crate) use machine::{memory, room};
pub use problem::{Problem, Problems, nearest};

use crate::expiry::Lifetime;
use crate::money::Microdollars;
use crate::names::{DeploymentName, ResourceName};

/// What one YAML file asks for, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Blueprint {
    /// The deployment's name.
    pub name: DeploymentName,
    /// The AWS region, for example `us-east-1`.
    pub region: String,
    /// How long it lives from its first `up` on; its place decides when absent.
    pub ttl: Option<Lifetime>,
    /// What it may cost, at the worst; anything when absent.
    pub budget: Option<Budget>,
    /// How many instances may run in the account at once, whosever they are; its kind decides when
    /// absent.
    pub max_instances: Option<u32>,
    /// Security groups by name.
    pub security_groups: BTreeMap<ResourceName, SecurityGroup>,
    /// IAM roles by name.
    pub roles: BTreeMap<ResourceName, Role>,
    /// Databases by name.
    pub databases: BTreeMap<ResourceName, Database>,
    /// Buckets by name; a deployment has at least one, the first holds settings and artifacts.
    pub buckets: BTreeMap<ResourceName, Bucket>,
    /// Images by name.
    pub images: BTreeMap<ResourceName, Image>,
    /// Single instances by name.
    pub instances: BTreeMap<ResourceName, Instance>,
    /// Pools of equal instances by name.
    pub pools: BTreeMap<ResourceName, Pool>,
}

/// What a deployment may cost at the worst: with its largest pool, every processor busy. At least
/// one of both is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// In an hour.
    pub per_hour: Option<Microdollars>,
    /// From now on to its end.
    pub total: Option<Microdollars>,
}

/// A security group: what may come in. All may go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// The rules, in the blueprint's order.
    pub ingress: Vec<Ingress>,
}

/// One rule of a security group (TCP).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ingress {
    /// The first port that is open.
    pub first_port: u16,
    /// The last port that is open.
    pub last_port: u16,
    /// Who may come in.
    pub from: Source,
}

/// Who may come in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The address that this laptop shows to the world, found at each `up`.
    MyIp,
    /// A range of addresses, as CIDR.
    Range(String),
    /// Whoever is in that security group of the blueprint.
    Group(ResourceName),
}

/// An IAM role for instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Made by us, with the policy whose template stands in the blueprint's folder.
    Allow {
        /// The policy template's text (Handlebars over JSON), already read from its file.
        template: String,
        /// The file it was read from, as the blueprint names it.
        file: String,
    },
    /// An instance profile that the account already has.
    Existing(String),
}

/// An RDS PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// For example `db.t4g.micro`.
    pub class: String,
    /// Storage in GiB.
    pub storage_gib: u32,
    /// The major version of PostgreSQL asked for, for example `17`; AWS's default when absent.
    pub version: Option<String>,
    /// Its security group.
    pub security_group: ResourceName,
}

/// An S3 bucket. It has no settings of its own so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {}

/// A machine image that is baked from a base image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The system it starts from.
    pub base: BaseImage,
    /// The recipe, already read from its file and checked.
    pub recipe: Recipe,
}

/// A system that instances can start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BaseImage {
    /// Amazon Linux 2023.
    #[serde(rename = "amazon-linux-2023")]
    AmazonLinux2023,
    /// Debian 12.
    #[serde(rename = "debian-12")]
    Debian12,
}

impl BaseImage {
    /// The system's name in blueprints.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BaseImage::AmazonLinux2023 => "amazon-linux-2023",
            BaseImage::Debian12 => "debian-12",
        }
    }
}

/// What goes into an image: an `ami/*.yaml` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The programs of ours that are installed, for example `boot` and `cache-node`.
    pub programs: Vec<String>,
    /// Shell lines run on the builder after the programs are installed.
    pub run: Vec<String>,
}

/// A single instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// For example `t3.micro`.
    pub machine: String,
    /// The system it starts from.
    pub base: BaseImage,
    /// Its role.
    pub role: ResourceName,
    /// Its security group.
    pub security_group: ResourceName,
    /// The services it runs.
    pub services: Vec<Service>,
    /// Who may use the API of its services.
    pub api: Api,
    /// What happens when it has used up its CPU credits; AWS decides by the type when absent.
    pub cpu_credits: Option<CpuCredits>,
}

/// What happens when an instance of a burstable type needs more CPU than its type includes.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CpuCredits {
    /// It gets it, and what it needs beyond the included is billed. The default but of t2.
    Unlimited,
    /// It is slowed down to what is included.
    Standard,
}

impl CpuCredits {
    /// Its name in blueprints, tags and EC2's API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CpuCredits::Unlimited => "unlimited",
            CpuCredits::Standard => "standard",
        }
    }

    /// What is in effect for a type: as the blueprint says, else AWS's own choice; `None` where the
    /// type is not burstable.
    #[must_use]
    pub fn in_effect(chosen: Option<CpuCredits>, machine: &str) -> Option<CpuCredits> {
        let burst = machine::burst(machine)?;
        Some(chosen.unwrap_or(match burst.family {
            "t2" => CpuCredits::Standard,
            _ => CpuCredits::Unlimited,
        }))
    }
}

/// Who may use the API of a front-end and its manager.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// Whoever reaches its port.
    #[default]
    Open,
    /// Whoever shows the deployment's token; the photo pages need a login then.
    Token,
}

impl Api {
    /// Its name in blueprints and settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Api::Open => "open",
            Api::Token => "token",
        }
    }
}

/// A service that we ship.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// The photo front-end, port 5000.
    FrontEnd,
    /// The pool's manager, port 5001.
    Manager,
    /// A cache node, port 5003.
    CacheNode,
    /// What decides the pool's size in mode auto; nobody calls it.
    Scaler,
}

impl Service {
    /// The name of the service and of its program.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Service::FrontEnd => "front-end",
            Service::Manager => "manager",
            Service::CacheNode => "cache-node",
            Service::Scaler => "scaler",
        }
    }

    /// Whom it calls. Each needs a rule that opens the callee's port to the caller's group, unless both
    /// are on one instance. AWS's own services are not among them: all may go out.
    #[must_use]
    pub fn calls(self) -> &'static [Callee] {
        match self {
            // The table and its changes come from the manager beside it.
            Service::FrontEnd => &[
                Callee::Service(Service::Manager),
                Callee::Service(Service::CacheNode),
                Callee::Database,
            ],
            Service::Manager => &[Callee::Service(Service::CacheNode), Callee::Database],
            // A node hands over to others what will be theirs.
            Service::CacheNode => &[Callee::Service(Service::CacheNode)],
            Service::Scaler => &[Callee::Service(Service::Manager)],
        }
    }

    /// The TCP port it listens on, if it does.
    #[must_use]
    pub fn port(self) -> Option<u16> {
        match self {
            Service::FrontEnd => Some(5000),
            Service::Manager => Some(5001),
            Service::CacheNode => Some(5003),
            Service::Scaler => None,
        }
    }
}

/// Whom a service calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// A service of ours, on its port.
    Service(Service),
    /// The database, on PostgreSQL's port.
    Database,
}

/// A pool of equal instances that a manager makes and removes.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// The image its nodes start from.
    pub image: ResourceName,
    /// For example `t3.micro`.
    pub machine: String,
    /// What happens when a node has used up its CPU credits; AWS decides by the type when absent.
    pub cpu_credits: Option<CpuCredits>,
    /// The nodes' role.
    pub role: ResourceName,
    /// The nodes' security group.
    pub security_group: ResourceName,
    /// The service each node runs.
    pub service: Service,
    /// How many nodes there may be.
    pub size: Size,
    /// What each node's cache holds, in bytes.
    pub capacity: u64,
    /// What a full cache drops.
    pub policy: Policy,
    /// Whether nodes hand their entries over when the table changes.
    pub hand_over: bool,
    /// When the pool grows and shrinks.
    pub scaling: Scaling,
}

/// How many nodes a pool has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The fewest nodes.
    pub min: u32,
    /// The most nodes.
    pub max: u32,
    /// How many there are at the first start.
    pub start: u32,
}

/// What a full cache drops to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The entry whose last use is longest ago.
    Lru,
    /// Any entry.
    Random,
    /// The longest there of those not asked for lately, as SIEVE finds it.
    Sieve,
}

impl Policy {
    /// The policy's name in blueprints and settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Policy::Lru => "lru",
            Policy::Random => "random",
            Policy::Sieve => "sieve",
        }
    }
}

/// Who decides the size, and by which numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// `true`: by the miss rate; `false`: by hand.
    pub automatic: bool,
    /// The miss rate above which the pool grows, 0 to 1.
    pub grow_above: f64,
    /// The miss rate below which it shrinks, 0 to 1, less than `grow_above`.
    pub shrink_below: f64,
    /// The factor by which it grows, above 1.
    pub expand: f64,
    /// The factor by which it shrinks, between 0 and 1.
    pub shrink: f64,
}

impl Scaling {
    /// Who decides the size, as blueprints and settings say it.
    #[must_use]
    pub fn mode(&self) -> &'static str {
        if self.automatic { "auto" } else { "manual" }
    }
}

/// The JSON Schema (2020-12) of a blueprint, for editors: made from the types that read it.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(raw::RawBlueprint).into()
}

/// The JSON Schema (2020-12) of an image recipe.
#[must_use]
pub fn recipe_schema() -> serde_json::Value {
    schemars::schema_for!(raw::RawRecipe).into()
}
