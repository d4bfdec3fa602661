//! Changing the table on purpose: growing, shrinking, and replacing a node that serves. Before the
//! table changes its nodes hand over to each other what will be another's; a newer wish, or a change
//! that nobody wished for, ends that, and it is begun anew.

use std::time::Duration;

use catalog::{Coming, NodeRow, PoolState, Stage};
use uuid::Uuid;

use super::decide::{enter, is_on_its_way, join, ready_nodes};
use super::{Now, PATIENCE, SILENCE, Seen, count, replace, serving, serving_at, table};

/// The table changes after so long, even if not everything was handed over: the rest is read from the
/// bucket again.
pub const HAND_OVER_LIMIT: Duration = Duration::from_secs(120);

/// Ends a hand-over that leads nowhere: the table is another than when it began, a node of the coming
/// table is lost, or something else is wished for by now.
pub(super) fn give_up(next: &mut PoolState, before: &PoolState, seen: &Seen, now: &Now) {
    let Some(coming) = &next.pool.coming else {
        return;
    };
    let is_here = |id: &Uuid| {
        next.nodes.iter().any(|node| {
            node.id == *id
                && match node.stage {
                    Stage::Serving => true,
                    Stage::Starting => seen.silence(node.id, now.instant) < SILENCE,
                    _ => false,
                }
        })
    };
    let is_wished_for = match coming.nodes.len().cmp(&(next.pool.size as usize)) {
        std::cmp::Ordering::Greater => next.pool.wanted as usize >= coming.nodes.len(),
        std::cmp::Ordering::Less => next.pool.wanted as usize <= coming.nodes.len(),
        std::cmp::Ordering::Equal => next.pool.wanted == next.pool.size,
    };
    let is_same_table = table(next).nodes == table(before).nodes;
    if !is_same_table || !is_wished_for || !coming.nodes.iter().flatten().all(is_here) {
        next.pool.coming = None;
    }
}

/// Changes the table once everything was handed over. Answers the number of the hand-over.
pub(super) fn finish(next: &mut PoolState, seen: &Seen, now: &Now) -> Option<u64> {
    let coming = next.pool.coming.as_ref()?;
    let number = next.pool.hand_over;
    let mut serving = next
        .nodes
        .iter()
        .filter(|node| node.stage == Stage::Serving);
    let is_done = serving.all(|node| seen.has_handed_over(node.id, number));
    let age = now.wall.duration_since(coming.since).unsigned_abs();
    if !is_done && age < HAND_OVER_LIMIT {
        return None;
    }
    let nodes = next.pool.coming.take()?.nodes;
    apply(next, &nodes, now);
    Some(number)
}

/// Once every node has taken in what it was handed, none is told to do so again: one that starts anew
/// would take in what an old owner that has not heard of the table yet still sends.
pub(super) fn conclude(next: &mut PoolState, seen: &Seen) {
    let epoch = next.pool.epoch;
    let mut serving = next
        .nodes
        .iter()
        .filter(|node| node.stage == Stage::Serving);
    if serving.all(|node| seen.acknowledged(node.id) >= epoch) {
        next.pool.taken = 0;
    }
}

/// Begins what is to be done next. With nobody who could hand anything over the table changes at once.
pub(super) fn begin(next: &mut PoolState, seen: &Seen, now: &Now) {
    if next.pool.coming.is_some() {
        return;
    }
    let Some(nodes) = wished_for(next, seen, now) else {
        return;
    };
    if serving(next) == 0 || !next.pool.hands_over {
        apply(next, &nodes, now);
        return;
    }
    // Everybody must know this table, and no old entry may be on its way while caches are cleared.
    let is_published = seen
        .published
        .is_some_and(|(epoch, _)| epoch == next.pool.epoch);
    if is_published && seen.clearing == 0 {
        next.pool.hand_over = next.pool.hand_over.max(seen.newest_hand_over) + 1;
        next.pool.coming = Some(Coming {
            since: now.wall,
            nodes,
        });
    }
}

/// The nodes of the table that should be next; `None` if that is the one that there is.
fn wished_for(next: &PoolState, seen: &Seen, now: &Now) -> Option<Vec<Option<Uuid>>> {
    let mut nodes: Vec<_> = (0..next.pool.size)
        .map(|place| serving_at(next, place).map(|node| node.id))
        .collect();
    let (size, wanted) = (next.pool.size, next.pool.wanted);
    if wanted < size {
        nodes.truncate(wanted as usize);
    } else if wanted > size {
        nodes.extend(joining(next, seen, now)?.into_iter().map(Some));
        nodes.truncate(wanted as usize);
    } else {
        let (place, new) = replace::next_replacement(next, seen)?;
        *nodes.get_mut(place as usize)? = Some(new);
    }
    Some(nodes)
}

/// Those that join at the end: all that are on their way at once if they come together, as each change
/// of the table moves entries.
fn joining(next: &PoolState, seen: &Seen, now: &Now) -> Option<Vec<Uuid>> {
    let ready = ready_nodes(next, seen);
    let all_are_ready = ready.len() as u32 == count(next, is_on_its_way);
    let has_waited = ready.iter().any(|index| {
        let since = seen.ready(next.nodes[*index].id).unwrap_or(now.instant);
        now.instant.saturating_duration_since(since) >= PATIENCE
    });
    if ready.is_empty() || !(all_are_ready || has_waited) {
        return None;
    }
    Some(
        ready
            .into_iter()
            .map(|index| next.nodes[index].id)
            .collect(),
    )
}

fn apply(next: &mut PoolState, nodes: &[Option<Uuid>], now: &Now) {
    let size = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
    for node in &mut next.nodes {
        let place = nodes.iter().position(|id| *id == Some(node.id));
        match place.and_then(|place| u32::try_from(place).ok()) {
            Some(place) => join(node, place, now),
            None => leave(node, size, now),
        }
    }
    next.pool.size = size;
}

/// A node that serves drains; the place of one that is lost may go with it.
fn leave(node: &mut NodeRow, size: u32, now: &Now) {
    match node.stage {
        Stage::Serving => enter(node, Stage::Leaving, now),
        Stage::Lost if node.place.is_some_and(|place| place >= size) => {
            enter(node, Stage::Ending, now);
        }
        _ => {}
    }
}
