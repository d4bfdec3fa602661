//! What EC2 keeps: one region's resources, as they are on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ids;
use crate::network::Zone;

/// How long a terminated instance can still be described.
const TERMINATED_VISIBLE: SignedDuration = SignedDuration::from_hours(1);

pub(super) type Tags = BTreeMap<String, String>;

/// All regions of the account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Regions {
    pub(super) regions: BTreeMap<String, Region>,
}

/// One region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Region {
    pub(super) groups: BTreeMap<String, SecurityGroup>,
    pub(super) instances: BTreeMap<String, Instance>,
    pub(super) volumes: BTreeMap<String, Volume>,
    pub(super) snapshots: BTreeMap<String, Snapshot>,
    pub(super) images: BTreeMap<String, Image>,
    /// Elastic addresses.
    pub(super) addresses: BTreeMap<String, Address>,
    pub(super) key_pairs: BTreeMap<String, KeyPair>,
    pub(super) launch_templates: BTreeMap<String, LaunchTemplate>,
    /// Interfaces that belong to no instance.
    pub(super) interfaces: BTreeMap<String, LooseInterface>,
    /// Client tokens of RunInstances: what was asked with them and what was made.
    pub(super) tokens: BTreeMap<String, Launch>,
    /// Tags of what every region has: its VPC and subnets.
    pub(super) network_tags: BTreeMap<String, Tags>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct SecurityGroup {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) tags: Tags,
    pub(super) rules: Vec<Rule>,
}

/// One rule: one protocol, one range of ports, one source or destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) egress: bool,
    /// `tcp`, `udp`, `icmp`, a number, or `-1` for all.
    pub(super) protocol: String,
    /// First and last port; -1 where the protocol has none.
    pub(super) ports: (i64, i64),
    pub(super) peer: Peer,
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) tags: Tags,
}

impl Rule {
    /// Whether both open the same thing; description and tags are not part of that.
    pub(super) fn same_permission(&self, other: &Self) -> bool {
        self.egress == other.egress
            && self.protocol == other.protocol
            && self.ports == other.ports
            && self.peer == other.peer
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Peer {
    V4(String),
    V6(String),
    Group(String),
    PrefixList(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// On its way out, or gone.
    pub(super) fn is_ending(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

/// What becomes of an instance that powers itself off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ShutdownBehavior {
    Stop,
    Terminate,
}

impl ShutdownBehavior {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "stop" => Some(Self::Stop),
            "terminate" => Some(Self::Terminate),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Terminate => "terminate",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct MetadataOptions {
    pub(super) tokens_required: bool,
    pub(super) hop_limit: i64,
    pub(super) enabled: bool,
    pub(super) tags: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) reservation: String,
    pub(super) launch_index: usize,
    pub(super) image: String,
    pub(super) root_snapshot: String,
    pub(super) root_device: String,
    pub(super) instance_type: String,
    pub(super) architecture: String,
    pub(super) zone: Zone,
    pub(super) address: Ipv4Addr,
    /// Whether it has a public address while it is up.
    pub(super) public: bool,
    /// That address: another one after each stop and start.
    #[serde(default)]
    pub(super) public_address: Option<Ipv4Addr>,
    pub(super) groups: Vec<String>,
    pub(super) profile: Option<Profile>,
    pub(super) client_token: Option<String>,
    pub(super) launched_at: Timestamp,
    pub(super) state: InstanceState,
    pub(super) changed_at: Timestamp,
    pub(super) reason: Option<Reason>,
    pub(super) shutdown: ShutdownBehavior,
    /// Base64, as it came.
    pub(super) user_data: Option<String>,
    pub(super) metadata: MetadataOptions,
    pub(super) credits: Option<String>,
    pub(super) detailed_monitoring: bool,
    pub(super) termination_protection: bool,
    pub(super) interface: Interface,
    pub(super) tags: Tags,
}

impl Instance {
    /// Where the world reaches it: nowhere once it is on its way out or stopped.
    pub(super) fn public_address(&self) -> Option<Ipv4Addr> {
        self.public_address
            .filter(|_| matches!(self.state, InstanceState::Pending | InstanceState::Running))
    }
}

/// The instance profile an instance was launched with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Profile {
    pub(super) arn: String,
    pub(super) id: String,
}

/// Why an instance is in its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Reason {
    pub(super) code: String,
    pub(super) message: String,
}

impl Reason {
    pub(super) fn new(code: &str, text: impl std::fmt::Display) -> Self {
        Self {
            code: code.to_owned(),
            message: format!("{code}: {text}"),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Interface {
    pub(super) id: String,
    pub(super) mac: String,
    pub(super) description: String,
    pub(super) tags: Tags,
}

/// An interface that belongs to no instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct LooseInterface {
    pub(super) interface: Interface,
    pub(super) zone: Zone,
    pub(super) address: Ipv4Addr,
    pub(super) groups: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Address {
    pub(super) id: String,
    pub(super) ip: Ipv4Addr,
    pub(super) tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct KeyPair {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) fingerprint: String,
    pub(super) created_at: Timestamp,
    pub(super) tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct LaunchTemplate {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created_at: Timestamp,
    /// An ARN.
    pub(super) created_by: String,
    pub(super) tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Volume {
    pub(super) id: String,
    pub(super) size_gib: i64,
    pub(super) volume_type: String,
    pub(super) snapshot: Option<String>,
    pub(super) zone: Zone,
    pub(super) encrypted: bool,
    pub(super) created_at: Timestamp,
    pub(super) attachment: Option<Attachment>,
    pub(super) tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Attachment {
    pub(super) instance: String,
    pub(super) device: String,
    pub(super) delete_on_termination: bool,
    pub(super) attached_at: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Snapshot {
    pub(super) id: String,
    pub(super) volume: String,
    pub(super) size_gib: i64,
    pub(super) description: String,
    pub(super) started_at: Timestamp,
    pub(super) completed: bool,
    pub(super) tags: Tags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ImageState {
    Pending,
    Available,
    Failed,
}

impl ImageState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Image {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) owner: String,
    pub(super) owner_alias: Option<String>,
    pub(super) architecture: String,
    pub(super) created_at: Timestamp,
    pub(super) state: ImageState,
    pub(super) failure: Option<String>,
    pub(super) root_device: String,
    pub(super) snapshot: String,
    pub(super) size_gib: i64,
    pub(super) source_instance: Option<String>,
    pub(super) tags: Tags,
}

/// A launch that had a client token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Launch {
    /// Hash of the request's parameters.
    pub(super) fingerprint: String,
    pub(super) reservation: String,
    pub(super) instances: BTreeSet<String>,
}

impl Regions {
    /// A region as it is; one never used has its defaults.
    pub(super) fn region(&self, account: &str, name: &str) -> Region {
        self.regions
            .get(name)
            .cloned()
            .unwrap_or_else(|| Region::new(account, name))
    }

    pub(super) fn region_mut(&mut self, account: &str, name: &str) -> &mut Region {
        let region = self
            .regions
            .entry(name.to_owned())
            .or_insert_with(|| Region::new(account, name));
        region.forget_terminated(Timestamp::now());
        region
    }
}

impl Region {
    fn new(account: &str, name: &str) -> Self {
        let id = ids::default_group(account, name);
        let mut rules = vec![Rule::all_outward(ids::derived(
            "sgr", account, name, "egress",
        ))];
        rules.push(Rule {
            egress: false,
            peer: Peer::Group(id.clone()),
            id: ids::derived("sgr", account, name, "ingress"),
            ..rules[0].clone()
        });
        let group = SecurityGroup {
            id: id.clone(),
            name: "default".to_owned(),
            description: "default VPC security group".to_owned(),
            tags: Tags::new(),
            rules,
        };
        Self {
            groups: BTreeMap::from([(id, group)]),
            ..Self::default()
        }
    }

    pub(super) fn forget_terminated(&mut self, now: Timestamp) {
        self.instances.retain(|_, instance| {
            instance.state != InstanceState::Terminated
                || now.duration_since(instance.changed_at) < TERMINATED_VISIBLE
        });
        let instances = &self.instances;
        self.tokens
            .retain(|_, launch| launch.instances.iter().any(|id| instances.contains_key(id)));
    }

    /// Instances that exist: not terminated ones.
    pub(super) fn live_instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances
            .values()
            .filter(|instance| instance.state != InstanceState::Terminated)
    }

    /// The volumes attached to an instance, its root first.
    pub(super) fn volumes_of(&self, instance: &Instance) -> Vec<(&Volume, &Attachment)> {
        let mut found: Vec<_> = self
            .volumes
            .values()
            .filter_map(|volume| Some((volume, volume.attachment.as_ref()?)))
            .filter(|(_, attachment)| attachment.instance == instance.id)
            .collect();
        found.sort_by_key(|(_, attachment)| {
            (
                attachment.device != instance.root_device,
                attachment.device.clone(),
            )
        });
        found
    }
}

impl Rule {
    /// What every new group lets out: everything.
    pub(super) fn all_outward(id: String) -> Self {
        Self {
            id,
            egress: true,
            protocol: "-1".to_owned(),
            ports: (-1, -1),
            peer: Peer::V4("0.0.0.0/0".to_owned()),
            description: None,
            tags: Tags::new(),
        }
    }
}
