//! What exists in an account and is ours, and what the account offers to build on. It is read by
//! `deployer-aws` and is all that a plan knows of the world.

use std::collections::BTreeMap;

use crate::blueprint::{BaseImage, Blueprint};
use crate::names::{Kind, ResourceId, ResourceName};

mod keep;
mod listed;
#[cfg(test)]
pub(crate) mod samples;
mod stray;

pub use keep::Keep;
pub use listed::Listed;
pub use stray::{Stray, StrayKind};

/// What the account offers: the same for every deployment in the region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    /// The default VPC.
    pub vpc: String,
    /// The subnets of the default VPC that can hold the blueprint's machines, by zone.
    pub subnets: Vec<Subnet>,
    /// The newest image of each base system that the blueprint names.
    pub bases: BTreeMap<BaseImage, Base>,
    /// The address that this laptop shows to the region, when it was asked for.
    pub my_ip: Option<std::net::IpAddr>,
    /// AWS's words, where these credentials may not list roles, as in a Learner Lab: nor may they make
    /// any there.
    pub roles_refused: Option<String>,
}

/// So many instances may run at once in a Learner Lab; it ends the newest of more, and at twenty the
/// lab itself is taken away.
const LAB_INSTANCES: u32 = 9;

impl Ground {
    /// How many instances may run in the account at once, where that is known.
    #[must_use]
    pub fn most_instances(&self, blueprint: &Blueprint) -> Option<u32> {
        let is_lab = self.roles_refused.is_some();
        blueprint.max_instances.or(is_lab.then_some(LAB_INSTANCES))
    }
}

/// A subnet of the default VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// For example `subnet-0a1b`.
    pub id: String,
    /// For example `us-east-1a`.
    pub zone: String,
}

/// A base image as found by DescribeImages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// For example `ami-0a1b`.
    pub id: String,
    /// Its name, which tells its date.
    pub name: String,
    /// The device name its root volume has to be asked for by.
    pub root_device: String,
}

/// All that is ours in one region of an account, found by tag or by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Security groups.
    pub security_groups: Vec<FoundSecurityGroup>,
    /// Roles with their profiles.
    pub roles: Vec<FoundRole>,
    /// Instance profiles whose role is gone: what a teardown that was cut off leaves.
    pub lone_profiles: Vec<String>,
    /// Databases.
    pub databases: Vec<FoundDatabase>,
    /// Buckets.
    pub buckets: Vec<FoundBucket>,
    /// Images that were baked.
    pub images: Vec<FoundImage>,
    /// Instances in every state but terminated.
    pub instances: Vec<FoundInstance>,
    /// Volumes that no instance of ours takes with it.
    pub volumes: Vec<String>,
    /// Snapshots that no image of ours holds.
    pub snapshots: Vec<String>,
    /// Network interfaces that no instance of ours takes with it.
    pub interfaces: Vec<String>,
    /// What no section of a blueprint stands for.
    pub strays: Vec<Stray>,
}

/// A security group that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSecurityGroup {
    /// For example `sg-0a1b`.
    pub id: String,
    /// Its name in the blueprint.
    pub resource: ResourceName,
    /// What may come in.
    pub rules: Vec<Rule>,
}

/// One ingress rule as AWS keeps it (TCP), its source resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// The first open port.
    pub first_port: u16,
    /// The last open port.
    pub last_port: u16,
    /// Who may come in.
    pub from: RuleSource,
}

/// Who may come in by a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleSource {
    /// A range of addresses, as CIDR.
    Range(String),
    /// A security group of this deployment.
    Group(ResourceName),
    /// A security group that is not ours, by its id.
    Foreign(String),
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.first_port == self.last_port {
            write!(f, "port {}", self.first_port)?;
        } else {
            write!(f, "ports {}-{}", self.first_port, self.last_port)?;
        }
        match &self.from {
            RuleSource::Range(range) => write!(f, " from {range}"),
            RuleSource::Group(name) => write!(f, " from {name}"),
            RuleSource::Foreign(id) => write!(f, " from {id}"),
        }
    }
}

/// A role that exists, with its inline policy and its profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRole {
    /// The role's name in IAM, which is its profile's too.
    pub name: String,
    /// Its name in the blueprint.
    pub resource: ResourceName,
    /// The text of its inline policy; `None` when it has none yet.
    pub policy: Option<String>,
    /// Whether the profile exists and holds the role.
    pub profile: Profile,
}

/// How far a role's instance profile has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// There is none.
    Missing,
    /// It exists, and the role is not in it.
    Empty,
    /// It exists and holds the role.
    Ready,
}

/// A database that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDatabase {
    /// The DB instance identifier.
    pub id: String,
    /// Its name in the blueprint.
    pub resource: ResourceName,
    /// Its state in AWS's words, for example `available`.
    pub state: String,
    /// Where it answers, once it does.
    pub endpoint: Option<Endpoint>,
    /// For example `db.t4g.micro`.
    pub class: String,
    /// Storage in GiB.
    pub storage_gib: u32,
    /// What RDS is about to change of it, or will in the next maintenance window.
    pub pending: Pending,
    /// The ids of its security groups.
    pub groups: Vec<String>,
    /// When it was made, RFC 3339.
    pub created: Option<String>,
}

/// Changes of a database that are not in effect yet.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_PendingModifiedValues.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// The class it will have.
    pub class: Option<String>,
    /// The storage it will have, in GiB.
    pub storage_gib: Option<u32>,
}

impl FoundDatabase {
    /// Whether it answers. Storage that has grown is optimised for hours while it does.
    #[must_use]
    pub fn is_available(&self) -> bool {
        ["available", "storage-optimization"].contains(&self.state.as_str())
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// A TCP port.
    pub port: u16,
}

/// A bucket that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundBucket {
    /// Its global name.
    pub name: String,
    /// Its name in the blueprint.
    pub resource: ResourceName,
    /// Whether it holds the deployment's settings and programs.
    pub is_home: bool,
}

/// An image that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundImage {
    /// For example `ami-0a1b`.
    pub id: String,
    /// Its name, which ends in the hash of what it was made from.
    pub name: String,
    /// Its name in the blueprint.
    pub resource: ResourceName,
    /// Its state in AWS's words, for example `available`.
    pub state: String,
    /// The snapshots behind it.
    pub snapshots: Vec<String>,
    /// The hash of the programs in it ([`crate::names::TAG_PROGRAMS`]).
    pub programs: Option<String>,
    /// The hash of its recipe's lines ([`crate::names::TAG_RECIPE`]).
    pub recipe: Option<String>,
}

/// An instance that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundInstance {
    /// For example `i-0a1b`.
    pub id: String,
    /// What it is in the blueprint.
    pub resource: ResourceId,
    /// Its state.
    pub state: InstanceState,
    /// For example `t3.micro`.
    pub machine: String,
    /// The address within the VPC; `None` once it is gone.
    pub private_address: Option<String>,
    /// The address that the world reaches it by; `None` where it has none.
    pub public_address: Option<String>,
    /// The zone it is in.
    pub zone: String,
    /// When it was launched, RFC 3339.
    pub launched: Option<String>,
    /// When its deployment expires, as it is told ([`crate::names::TAG_EXPIRES_AT`]).
    pub expires_at: Option<String>,
    /// The hash of the settings it was given ([`crate::names::TAG_SETTINGS`]).
    pub settings: Option<String>,
    /// The hash of the programs it was launched with ([`crate::names::TAG_PROGRAMS`]).
    pub programs: Option<String>,
    /// The system it was launched with ([`crate::names::TAG_BASE`]).
    pub base: Option<String>,
    /// What it was launched with of CPU credits ([`crate::names::TAG_CPU_CREDITS`]).
    pub cpu_credits: Option<String>,
    /// The name of its instance profile.
    pub profile: Option<String>,
    /// The ids of its security groups.
    pub groups: Vec<String>,
}

/// The states of an instance that EC2 tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Booting.
    Pending,
    /// Running.
    Running,
    /// On its way to stopped.
    Stopping,
    /// Stopped: its volume still bills.
    Stopped,
    /// On its way to gone.
    ShuttingDown,
}

impl InstanceState {
    /// The state in AWS's words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            InstanceState::Pending => "pending",
            InstanceState::Running => "running",
            InstanceState::Stopping => "stopping",
            InstanceState::Stopped => "stopped",
            InstanceState::ShuttingDown => "shutting-down",
        }
    }
}

impl Inventory {
    /// Whether nothing at all is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self == &Inventory::default()
    }

    /// The bucket that holds settings, secrets and programs.
    #[must_use]
    pub fn home(&self) -> Option<&FoundBucket> {
        let first = || {
            self.buckets
                .iter()
                .min_by(|a, b| a.resource.cmp(&b.resource))
        };
        self.buckets.iter().find(|b| b.is_home).or_else(first)
    }

    /// The instances that are one resource of the blueprint and not on their way out.
    pub fn living<'a>(
        &'a self,
        kind: Kind,
        name: &'a ResourceName,
    ) -> impl Iterator<Item = &'a FoundInstance> {
        self.instances.iter().filter(move |i| {
            i.resource.kind == kind
                && &i.resource.name == name
                && i.state != InstanceState::ShuttingDown
        })
    }
}
