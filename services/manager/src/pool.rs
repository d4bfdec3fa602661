//! The pool's pure core: what the state of the pool should be next, given what was seen and the
//! clock. Nothing here waits, calls or stores.

mod decide;
mod hand_over;
mod replace;
mod seen;

pub use decide::{empty_places, next};
pub use hand_over::HAND_OVER_LIMIT;
pub use replace::{Replacing, replacing};
pub use seen::{Instance, InstanceState, NodeSeen, Outdated, Seen};

use std::time::{Duration, Instant};

use catalog::{NodeRow, PoolState, Stage};
use jiff::Timestamp;
use kit::pool::{HandOver, Member, Progress, Table};
use uuid::Uuid;

/// The smallest and the largest pool (partitions are sixteen; a pool has 1 to 8 nodes).
pub const SIZES: std::ops::RangeInclusive<u32> = 1..=8;
/// For how long a node may serve after it heard from the manager.
pub const LEASE: Duration = Duration::from_millis(2000);
/// How long a node has for one answer.
pub const ANSWER_TIME: Duration = Duration::from_millis(450);
/// How often each node hears from the manager.
pub const HEARTBEAT: Duration = Duration::from_millis(500);
/// How often while entries are handed over, so that the table changes as soon as they are.
pub const HAND_OVER_HEARTBEAT: Duration = Duration::from_millis(100);
/// A node that has been silent for so long is left out of the table.
pub const SILENCE: Duration = Duration::from_secs(3);
/// A node that has been left out for so long is replaced.
pub const REPLACE_AFTER: Duration = Duration::from_secs(10);
/// An instance that does not become a working node in this time is replaced.
pub const START_DEADLINE: Duration = Duration::from_secs(300);
/// How long a new node waits for others on their way, so that they join in one epoch.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How long requests in flight have to end at a node that left the table.
pub const DRAIN: Duration = Duration::from_secs(3);

/// The two clocks: one that only goes forward, one that survives a restart.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For everything seen by this process.
    pub instant: Instant,
    /// For what is stored.
    pub wall: Timestamp,
}

impl Now {
    /// The time it is.
    #[must_use]
    pub fn read() -> Self {
        Self {
            instant: Instant::now(),
            wall: Timestamp::now(),
        }
    }
}

/// A node at the stage of being wished for.
#[must_use]
pub fn new_node(id: Uuid, now: &Now) -> NodeRow {
    NodeRow {
        id,
        instance: None,
        address: None,
        subnet: None,
        place: None,
        stage: Stage::Launching,
        since: now.wall,
    }
}

/// The table that a state means: each place with its node, or empty while that is being replaced.
#[must_use]
pub fn table(state: &PoolState) -> Table {
    let nodes = (0..state.pool.size)
        .map(|place| member(serving_at(state, place)?))
        .collect();
    Table {
        epoch: state.pool.epoch,
        nodes,
    }
}

/// The hand-over that is under way, as nodes are told.
#[must_use]
pub fn hand_over(state: &PoolState) -> Option<HandOver> {
    let coming = state.pool.coming.as_ref()?;
    let nodes = coming.nodes.iter().map(|id| {
        let node = state.nodes.iter().find(|node| Some(node.id) == *id)?;
        member(node)
    });
    Some(HandOver {
        number: state.pool.hand_over,
        nodes: nodes.collect(),
    })
}

/// How far all nodes together have come with the hand-over that is under way, as far as they have
/// told.
#[must_use]
pub fn progress(state: &PoolState, seen: &Seen) -> Option<Progress> {
    state.pool.coming.as_ref()?;
    let number = state.pool.hand_over;
    let mut all = Progress {
        number,
        ..Progress::default()
    };
    for node in &state.nodes {
        if let Some(progress) = seen.progress(node.id, number) {
            all.moved += progress.moved;
            all.moved_bytes += progress.moved_bytes;
            all.left += progress.left;
        }
    }
    Some(all)
}

/// The node that serves a place.
#[must_use]
pub fn serving_at(state: &PoolState, place: u32) -> Option<&NodeRow> {
    state
        .nodes
        .iter()
        .find(|node| node.stage == Stage::Serving && node.place == Some(place))
}

fn member(node: &NodeRow) -> Option<Member> {
    Some(Member {
        instance: node.instance.clone()?,
        address: node.address.clone()?,
    })
}

/// How many nodes serve.
#[must_use]
pub fn serving(state: &PoolState) -> u32 {
    count(state, |stage| stage == Stage::Serving)
}

/// Whether the pool is as wished: every place served, nothing coming or going.
#[must_use]
pub fn is_steady(state: &PoolState) -> bool {
    state.pool.size == state.pool.wanted
        && serving(state) == state.pool.wanted
        && state.nodes.len() == state.pool.wanted as usize
}

pub(crate) fn count(state: &PoolState, wanted: impl Fn(Stage) -> bool) -> u32 {
    let count = state.nodes.iter().filter(|node| wanted(node.stage)).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Whether front-ends may be told of the state's table: everybody in it has taken it in, and nobody
/// can still be serving by an older one. And nobody is told any more to take in what was handed over.
#[must_use]
pub fn may_publish(state: &PoolState, seen: &Seen, now: &Now) -> bool {
    if state.pool.taken != 0 {
        return false;
    }
    state.nodes.iter().all(|node| {
        let epoch = state.pool.epoch;
        if node.stage == Stage::Serving {
            return seen.acknowledged(node.id) >= epoch;
        }
        seen.acknowledged(node.id) >= epoch
            || seen.lease_is_over(node.id, now.instant)
            || seen.is_gone(node)
    })
}
