//! Nodes that are not what the blueprint says any more are replaced, one at a time: a spare one is
//! launched, is handed what the old one holds, takes its place in the table, and the old one drains
//! and ends. Only then comes the next. Resizing and the replacement of dead nodes go first.

use catalog::{NodeRow, PoolState, Stage};
use uuid::Uuid;

use super::decide::{enter, is_on_its_way, ready_nodes};
use super::{Now, Outdated, Seen, count, serving};

/// How far the replacement of outdated nodes has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacing {
    /// The how manyth is being replaced, counted from 1.
    pub nth: u32,
    /// Of how many.
    pub of: u32,
    /// What of it is outdated.
    pub why: Outdated,
}

impl std::fmt::Display for Replacing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}: {}", self.nth, self.of, self.why.why())
    }
}

/// The replacement that is under way, if any. One that has left the table counts until its instance
/// is gone.
#[must_use]
pub fn replacing(state: &PoolState, seen: &Seen) -> Option<Replacing> {
    let mut outdated = state.nodes.iter().filter_map(|node| seen.outdated(node));
    let left = u32::try_from(outdated.clone().count()).unwrap_or(u32::MAX);
    let of = state.pool.wanted.max(left);
    Some(Replacing {
        why: outdated.next_back()?,
        nth: of - left + 1,
        of,
    })
}

/// One that does not serve yet need not begin to.
pub(super) fn give_up_the_outdated(next: &mut PoolState, seen: &Seen, now: &Now) {
    for node in &mut next.nodes {
        if node.stage == Stage::Starting && seen.outdated(node).is_some() {
            enter(node, Stage::Ending, now);
        }
    }
}

/// Whether one node more than the places need may be on its way. Before the first listing nobody
/// knows what is outdated: what an earlier process launched is left to be.
pub(super) fn may_have_a_spare(next: &PoolState, seen: &Seen) -> bool {
    let is_outdated = |node: &NodeRow| node.place.is_some() && seen.outdated(node).is_some();
    seen.judged.is_none() || next.nodes.iter().any(is_outdated)
}

/// Whether one is to be launched now.
pub(super) fn needs_a_spare(next: &PoolState, seen: &Seen) -> bool {
    !seen.is_full && outdated_in_a_whole_pool(next, seen).is_some()
}

/// The place of the outdated node that is next, and the spare node that takes it.
pub(super) fn next_replacement(next: &PoolState, seen: &Seen) -> Option<(u32, Uuid)> {
    let old = outdated_in_a_whole_pool(next, seen)?;
    let new = ready_nodes(next, seen).first().copied()?;
    Some((next.nodes[old].place?, next.nodes[new].id))
}

/// In a full account the old node has to go before a new one can come: its place is empty until then.
pub(super) fn make_room(next: &mut PoolState, seen: &Seen, now: &Now) {
    let is_launched = |node: &NodeRow| is_on_its_way(node.stage) && node.instance.is_some();
    if !seen.is_full || next.nodes.iter().any(is_launched) {
        return;
    }
    if let Some(old) = outdated_in_a_whole_pool(next, seen) {
        enter(&mut next.nodes[old], Stage::Leaving, now);
    }
}

/// The outdated node that is next, while every place that is wished for is served and nobody leaves.
fn outdated_in_a_whole_pool(next: &PoolState, seen: &Seen) -> Option<usize> {
    let is_going = |stage| matches!(stage, Stage::Leaving | Stage::Ending);
    let is_whole = next.pool.size == next.pool.wanted && serving(next) == next.pool.wanted;
    if !is_whole || count(next, is_going) > 0 {
        return None;
    }
    let nodes = next.nodes.iter().enumerate();
    nodes
        .filter(|(_, node)| node.stage == Stage::Serving && seen.outdated(node).is_some())
        .min_by_key(|(_, node)| node.place)
        .map(|(index, _)| index)
}
