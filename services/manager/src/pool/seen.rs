//! What this process has observed of nodes and instances. A restart begins with nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use catalog::NodeRow;
use uuid::Uuid;

use super::LEASE;

/// Between a node's clock and ours nothing is shared but the rate: a little room for its error.
const SLACK: Duration = Duration::from_millis(100);

/// Everything observed.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When this process began to look. What an earlier one did may have effects until a lease later.
    pub started: Instant,
    /// The nodes, by id.
    pub nodes: BTreeMap<Uuid, NodeSeen>,
    /// The newest listing of the pool's instances, by instance id.
    pub instances: BTreeMap<String, Instance>,
    /// The newest epoch that any node claims to have: ours must be beyond it.
    pub newest_epoch: u64,
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
            nodes: BTreeMap::new(),
            instances: BTreeMap::new(),
            newest_epoch: 0,
            published: None,
        }
    }

    /// The newest epoch that the node took in, 0 if none.
    #[must_use]
    pub fn acknowledged(&self, id: Uuid) -> u64 {
        self.nodes.get(&id).map_or(0, |node| node.acknowledged)
    }

    /// Whether the node surely holds no lease any more. One that this process never talked to may
    /// have got one from the process before it.
    #[must_use]
    pub fn lease_is_over(&self, id: Uuid, now: Instant) -> bool {
        let until = self.nodes.get(&id).and_then(|node| node.lease_until);
        now >= until.unwrap_or(self.started + LEASE + SLACK)
    }

    /// How long the node has been silent.
    #[must_use]
    pub fn silence(&self, id: Uuid, now: Instant) -> Duration {
        let answered = self.nodes.get(&id).and_then(|node| node.answered);
        now.saturating_duration_since(answered.unwrap_or(self.started))
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
        let started = self.started;
        let node = self.nodes.entry(id).or_default();
        node.lease_until = Some(before.unwrap_or(started + LEASE + SLACK));
    }

    /// Notes that a node answered anything at all.
    pub fn answered(&mut self, id: Uuid, now: Instant) {
        self.nodes.entry(id).or_default().answered = Some(now);
    }

    /// Notes that a node is fit for a place, or is not.
    pub fn set_ready(&mut self, id: Uuid, ready: bool, now: Instant) {
        let node = self.nodes.entry(id).or_default();
        node.ready = ready.then(|| node.ready.unwrap_or(now));
    }

    /// Forgets nodes that are no more.
    pub fn keep_only(&mut self, nodes: &[NodeRow]) {
        self.nodes
            .retain(|id, _| nodes.iter().any(|node| node.id == *id));
    }
}
