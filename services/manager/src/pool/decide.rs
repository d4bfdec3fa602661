//! One step of the pool towards what is wished for.

use catalog::{NodeRow, PoolState, Stage};
use jiff::SignedDuration;
use uuid::Uuid;

use super::{
    DRAIN, InstanceState, Now, REPLACE_AFTER, SILENCE, START_DEADLINE, Seen, count, hand_over,
    new_node, replace, serving_at, table,
};

/// The state the pool should have next; the same state if nothing is to change. `new_id` gives ids to
/// nodes that are wished for.
///
/// The epoch grows exactly when the table changes (or a node knows a newer one). What the stages mean is done elsewhere: a
/// `launching` node is launched, an `ending` one terminated, until this function sees that it was.
pub fn next(
    state: &PoolState,
    seen: &Seen,
    now: &Now,
    new_id: &mut dyn FnMut() -> Uuid,
) -> PoolState {
    let mut next = state.clone();
    learn_of_instances(&mut next, seen, now, new_id);
    leave_out_the_silent(&mut next, seen, now);
    give_up_the_lost(&mut next, seen, now);
    give_up_the_stillborn(&mut next, seen, now);
    replace::give_up_the_outdated(&mut next, seen, now);
    end_the_drained(&mut next, state, seen, now);
    end_the_surplus(&mut next, seen, now);
    bring_back_the_lost(&mut next, seen, now);
    fill_empty_places(&mut next, seen, now);
    hand_over::give_up(&mut next, state, seen, now);
    hand_over::conclude(&mut next, seen);
    let taken = hand_over::finish(&mut next, seen, now);
    hand_over::begin(&mut next, seen, now);
    replace::make_room(&mut next, seen, now);
    forget_the_gone(&mut next, seen);
    launch_the_missing(&mut next, seen, now, new_id);
    number_the_table(&mut next, state, seen, taken);
    next
}

/// Another table has another epoch. What was being handed over is right for one table only.
fn number_the_table(next: &mut PoolState, state: &PoolState, seen: &Seen, taken: Option<u64>) {
    if table(next).nodes != table(state).nodes {
        next.pool.epoch += 1;
        next.pool.taken = taken.unwrap_or(0);
        next.pool.coming = None;
    }
    if seen.newest_epoch > next.pool.epoch {
        // Nodes that outlived their database: a table they know nothing of must be newer than theirs.
        next.pool.epoch = seen.newest_epoch + 1;
        next.pool.taken = 0;
        next.pool.coming = None;
    }
}

pub(super) fn enter(node: &mut NodeRow, stage: Stage, now: &Now) {
    if node.stage != stage {
        node.stage = stage;
        node.since = now.wall;
    }
    if !matches!(stage, Stage::Serving | Stage::Lost) {
        node.place = None;
    }
}

fn age(node: &NodeRow, now: &Now) -> SignedDuration {
    now.wall.duration_since(node.since)
}

/// Instances that carry the pool's tags but are nobody's: a launch whose answer was lost, or a node
/// of a database that has forgotten it. They become nodes; what is too many is ended further down.
fn learn_of_instances(
    next: &mut PoolState,
    seen: &Seen,
    now: &Now,
    new_id: &mut dyn FnMut() -> Uuid,
) {
    for (id, instance) in &seen.instances {
        let known = |node: &&mut NodeRow| node.instance.as_ref() == Some(id);
        if let Some(node) = next.nodes.iter_mut().find(known) {
            node.address = node.address.take().or_else(|| instance.address.clone());
            continue;
        }
        let is_alive = matches!(
            instance.state,
            InstanceState::Pending | InstanceState::Running
        );
        if !is_alive {
            continue;
        }
        let launched = next
            .nodes
            .iter_mut()
            .find(|node| node.instance.is_none() && instance.token == Some(node.id));
        if let Some(node) = launched {
            node.instance = Some(id.clone());
            node.address = instance.address.clone();
            if node.stage == Stage::Launching {
                enter(node, Stage::Starting, now);
            }
            continue;
        }
        let mut node = new_node(new_id(), now);
        node.instance = Some(id.clone());
        node.address = instance.address.clone();
        enter(&mut node, Stage::Starting, now);
        next.nodes.push(node);
    }
}

/// A node that does not answer gets no requests; its place is kept for it or its successor.
fn leave_out_the_silent(next: &mut PoolState, seen: &Seen, now: &Now) {
    for node in &mut next.nodes {
        let is_silent = seen.silence(node.id, now.instant) >= SILENCE;
        if node.stage == Stage::Serving && (is_silent || seen.is_ending(node)) {
            enter(node, Stage::Lost, now);
        }
    }
}

fn give_up_the_lost(next: &mut PoolState, seen: &Seen, now: &Now) {
    for node in &mut next.nodes {
        let is_silent = seen.silence(node.id, now.instant) >= SILENCE + REPLACE_AFTER;
        if node.stage == Stage::Lost && (is_silent || seen.is_ending(node)) {
            enter(node, Stage::Ending, now);
        }
    }
}

fn give_up_the_stillborn(next: &mut PoolState, seen: &Seen, now: &Now) {
    for node in &mut next.nodes {
        let is_late = age(node, now).unsigned_abs() >= START_DEADLINE
            && seen.silence(node.id, now.instant) >= SILENCE;
        if node.stage == Stage::Starting && (is_late || seen.is_ending(node)) {
            enter(node, Stage::Ending, now);
        }
    }
}

/// A leaving node ends once front-ends know and their requests in flight had time to end.
fn end_the_drained(next: &mut PoolState, state: &PoolState, seen: &Seen, now: &Now) {
    let is_drained = seen.published.is_some_and(|(epoch, at)| {
        epoch == state.pool.epoch && now.instant.saturating_duration_since(at) >= DRAIN
    });
    for (node, before) in next.nodes.iter_mut().zip(&state.nodes) {
        let was_leaving = before.id == node.id && before.stage == Stage::Leaving;
        if node.stage == Stage::Leaving && was_leaving && is_drained {
            enter(node, Stage::Ending, now);
        }
    }
}

/// How many nodes without a place are needed.
fn needed(next: &PoolState) -> u32 {
    let placed = count(next, |stage| matches!(stage, Stage::Serving | Stage::Lost));
    next.pool.wanted.saturating_sub(placed)
}

pub(super) fn is_on_its_way(stage: Stage) -> bool {
    matches!(stage, Stage::Launching | Stage::Starting)
}

/// Too many are on their way: the youngest go, those first whose launch was never attempted.
fn end_the_surplus(next: &mut PoolState, seen: &Seen, now: &Now) {
    let spare = replace::may_have_a_spare(next, seen);
    while count(next, is_on_its_way) > needed(next) + u32::from(spare) {
        let youngest = next
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| is_on_its_way(node.stage))
            .max_by_key(|(index, node)| {
                let is_launching = node.stage == Stage::Launching;
                (is_launching, node.subnet.is_none(), *index)
            });
        let Some((index, _)) = youngest else { return };
        let node = &mut next.nodes[index];
        if node.stage == Stage::Launching && node.subnet.is_none() {
            next.nodes.remove(index);
        } else {
            enter(node, Stage::Ending, now);
        }
    }
}

/// A node that was left out and answers again, emptied, takes its place back.
fn bring_back_the_lost(next: &mut PoolState, seen: &Seen, now: &Now) {
    for node in &mut next.nodes {
        if node.stage == Stage::Lost && seen.ready(node.id).is_some() {
            enter(node, Stage::Serving, now);
        }
    }
}

/// Nodes that are ready and have no place, in the order in which they were launched.
pub(super) fn ready_nodes(next: &PoolState, seen: &Seen) -> Vec<usize> {
    let is_ready = |node: &NodeRow| {
        node.stage == Stage::Starting && node.address.is_some() && seen.ready(node.id).is_some()
    };
    (0..next.nodes.len())
        .filter(|index| is_ready(&next.nodes[*index]))
        .collect()
}

/// The successor of a dead node takes its place in the order.
fn fill_empty_places(next: &mut PoolState, seen: &Seen, now: &Now) {
    let is_taken =
        |next: &PoolState, place| next.nodes.iter().any(|node| node.place == Some(place));
    let mut ready = ready_nodes(next, seen).into_iter();
    for place in 0..next.pool.size {
        if is_taken(next, place) {
            continue;
        }
        let Some(index) = ready.next() else { return };
        join(&mut next.nodes[index], place, now);
    }
}

pub(super) fn join(node: &mut NodeRow, place: u32, now: &Now) {
    node.place = Some(place);
    enter(node, Stage::Serving, now);
}

fn launch_the_missing(
    next: &mut PoolState,
    seen: &Seen,
    now: &Now,
    new_id: &mut dyn FnMut() -> Uuid,
) {
    let spare = replace::needs_a_spare(next, seen);
    while count(next, is_on_its_way) < needed(next) + u32::from(spare) {
        next.nodes.push(new_node(new_id(), now));
    }
}

fn forget_the_gone(next: &mut PoolState, seen: &Seen) {
    let was_launched = |node: &NodeRow| node.instance.is_some() || node.subnet.is_some();
    next.nodes
        .retain(|node| node.stage != Stage::Ending || (was_launched(node) && !seen.is_gone(node)));
}

/// The places that are empty, for messages.
#[must_use]
pub fn empty_places(state: &PoolState) -> Vec<u32> {
    (0..state.pool.size)
        .filter(|place| serving_at(state, *place).is_none())
        .collect()
}
