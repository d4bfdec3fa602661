//! What this process has observed of nodes and instances. A restart begins with nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use catalog::NodeRow;
use kit::pool::{Configuration, Progress};
use uuid::Uuid;

use super::{ANSWER_TIME, LEASE};

/// Between a node's clock and ours nothing is shared but the rate: a little room for its error.
const SLACK: Duration = Duration::from_millis(100);

/// Everything observed.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When this process began to lead. What another one said before has effects until its last
    /// message has arrived and the lease in it is over.
    pub started: Instant,
    /// Since when it has looked without a break: while it hung itself, nobody was silent.
    pub listening: Instant,
    /// The nodes, by id.
    pub nodes: BTreeMap<Uuid, NodeSeen>,
    /// The newest listing of the pool's instances, by instance id.
    pub instances: BTreeMap<String, Instance>,
    /// The blueprint by which that listing tells what is outdated, by its hash; `None` before the first.
    pub judged: Option<String>,
    /// EC2 refused the last launch because the account has as many instances as it may.
    pub is_full: bool,
    /// The newest epoch that any node claims to have: ours must be beyond it.
    pub newest_epoch: u64,
    /// The newest hand-over that any node has heard of: ours must be beyond it.
    pub newest_hand_over: u64,
    /// How many are clearing caches at the moment.
    pub clearing: u32,
    /// The epoch that front-ends were told of, and when.
    pub published: Option<(u64, Instant)>,
}

/// What was observed of a node.
#[derive(Clone, Debug, Default)]
pub struct NodeSeen {
    /// Its newest answer.
    pub answered: Option<Instant>,
    /// The newest epoch it took in.
    pub acknowledged: u64,
    /// It serves no longer than this, whatever message is still on its way.
    pub lease_until: Option<Instant>,
    /// Since when it is empty, configured and holds no lease: fit for a place.
    pub ready: Option<Instant>,
    /// What it was last known to be configured as.
    pub configured: Option<Configuration>,
    /// How far it has come with handing over.
    pub progress: Option<Progress>,
}

/// An instance of the pool, as EC2 lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its state.
    pub state: InstanceState,
    /// `address:port` of its service, once it has an address.
    pub address: Option<String>,
    /// The client token it was launched with, if EC2 tells.
    pub token: Option<Uuid>,
    /// Why it is not what would be launched now.
    pub outdated: Option<Outdated>,
}

/// What of a node is not as the blueprint says any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outdated {
    /// It runs from another image.
    Image,
    /// It is of another type.
    Type,
    /// Both.
    ImageAndType,
    /// It has another role, or other security groups.
    Access,
}

impl Outdated {
    /// Why the node is replaced, for people.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::Image => "new image",
            Self::Type => "new type",
            Self::ImageAndType => "new image and type",
            Self::Access => "new role or security groups",
        }
    }
}

/// The states of EC2 that matter to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// `pending`.
    Pending,
    /// `running`.
    Running,
    /// `stopping` or `stopped`: still there, will not come back by itself.
    Stopped,
    /// `shutting-down`: will be gone.
    Terminating,
    /// `terminated`.
    Terminated,
}

impl Seen {
    /// Nothing yet.
    #[must_use]
    pub fn new(started: Instant) -> Self {
        Self {
            started,
            listening: started,
            nodes: BTreeMap::new(),
            instances: BTreeMap::new(),
            judged: None,
            is_full: false,
            newest_epoch: 0,
            newest_hand_over: 0,
            clearing: 0,
            published: None,
        }
    }

    /// Begins to lead: what was seen before says nothing of how the nodes stand.
    pub fn lead(&mut self, now: Instant) {
        (self.started, self.listening) = (now, now);
        self.nodes.clear();
        self.published = None;
    }

    /// Notes a listing, judged by the blueprint of that hash.
    pub fn listed(&mut self, instances: BTreeMap<String, Instance>, blueprint: &str) {
        self.instances = instances;
        self.judged = Some(blueprint.to_owned());
    }

    /// Why the node is not what would be launched now, as far as EC2 has told.
    #[must_use]
    pub fn outdated(&self, node: &NodeRow) -> Option<Outdated> {
        self.instance(node)?.outdated
    }

    /// The newest epoch that the node took in, 0 if none.
    #[must_use]
    pub fn acknowledged(&self, id: Uuid) -> u64 {
        self.nodes.get(&id).map_or(0, |node| node.acknowledged)
    }

    /// Whether the node surely holds no lease any more: neither one of this process nor one that
    /// another gave before it, whose last message may have been on its way when this one began.
    #[must_use]
    pub fn lease_is_over(&self, id: Uuid, now: Instant) -> bool {
        let until = self.nodes.get(&id).and_then(|node| node.lease_until);
        let others = self.started + ANSWER_TIME + LEASE + SLACK;
        now >= until.map_or(others, |until| until.max(others))
    }

    /// How long the node has been silent.
    #[must_use]
    pub fn silence(&self, id: Uuid, now: Instant) -> Duration {
        let answered = self.nodes.get(&id).and_then(|node| node.answered);
        now.saturating_duration_since(answered.unwrap_or(self.started).max(self.listening))
    }

    /// Since when the node is fit for a place.
    #[must_use]
    pub fn ready(&self, id: Uuid) -> Option<Instant> {
        self.nodes.get(&id).and_then(|node| node.ready)
    }

    /// Its instance, if EC2 lists it.
    #[must_use]
    pub fn instance(&self, node: &NodeRow) -> Option<&Instance> {
        self.instances.get(node.instance.as_ref()?)
    }

    /// Whether EC2 says that its instance runs no more.
    #[must_use]
    pub fn is_gone(&self, node: &NodeRow) -> bool {
        self.instance(node)
            .is_some_and(|instance| instance.state == InstanceState::Terminated)
    }

    /// Whether EC2 says that its instance ends, has ended, or was stopped.
    #[must_use]
    pub fn is_ending(&self, node: &NodeRow) -> bool {
        self.instance(node).is_some_and(|instance| {
            !matches!(
                instance.state,
                InstanceState::Pending | InstanceState::Running
            )
        })
    }

    /// Notes that a heartbeat is about to be sent; answers the bound on the lease before it.
    pub fn heartbeat_sent(&mut self, id: Uuid, timeout: Duration, now: Instant) -> Option<Instant> {
        let node = self.nodes.entry(id).or_default();
        let before = node.lease_until;
        node.ready = None;
        node.lease_until = before.max(Some(now + timeout + LEASE + SLACK));
        before
    }

    /// Notes that a node has taken in an epoch and renewed its lease.
    pub fn heartbeat_answered(&mut self, id: Uuid, epoch: u64, now: Instant) {
        let node = self.nodes.entry(id).or_default();
        node.answered = Some(now);
        node.acknowledged = node.acknowledged.max(epoch);
        node.lease_until = Some(now + LEASE + SLACK);
    }

    /// Notes that a heartbeat surely never arrived: there was no connection.
    pub fn heartbeat_refused(&mut self, id: Uuid, before: Option<Instant>) {
        self.nodes.entry(id).or_default().lease_until = before;
    }

    /// Notes that a node answered anything at all.
    pub fn answered(&mut self, id: Uuid, now: Instant) {
        self.nodes.entry(id).or_default().answered = Some(now);
    }

    /// Whether the node was last known to be configured so.
    #[must_use]
    pub fn is_configured(&self, id: Uuid, wish: Configuration) -> bool {
        let node = self.nodes.get(&id);
        node.is_some_and(|node| node.configured == Some(wish))
    }

    /// Notes what a node is configured as.
    pub fn configured(&mut self, id: Uuid, configuration: Configuration) {
        self.nodes.entry(id).or_default().configured = Some(configuration);
    }

    /// Notes that a node is fit for a place, or is not.
    pub fn set_ready(&mut self, id: Uuid, ready: bool, now: Instant) {
        let node = self.nodes.entry(id).or_default();
        node.ready = ready.then(|| node.ready.unwrap_or(now));
    }

    /// Notes how far a node has come with a hand-over.
    pub fn progressed(&mut self, id: Uuid, progress: Progress) {
        self.nodes.entry(id).or_default().progress = Some(progress);
    }

    /// How far a node has come with hand-over `number`; `None` if it has not told.
    #[must_use]
    pub fn progress(&self, id: Uuid, number: u64) -> Option<Progress> {
        let progress = self.nodes.get(&id)?.progress;
        progress.filter(|progress| progress.number == number)
    }

    /// Whether a node has handed over everything.
    #[must_use]
    pub fn has_handed_over(&self, id: Uuid, number: u64) -> bool {
        self.progress(id, number)
            .is_some_and(|progress| progress.left == 0)
    }

    /// Forgets nodes that are no more.
    pub fn keep_only(&mut self, nodes: &[NodeRow]) {
        self.nodes
            .retain(|id, _| nodes.iter().any(|node| node.id == *id));
    }
}
