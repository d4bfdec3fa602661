//! Leading the pool: one manager at a time moves the state step by step towards what is wished for,
//! and publishes each table when nobody can be serving by an older one.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Leadership, PoolState, Stage};
use uuid::Uuid;

use crate::keeper::{ChangeError, Keeper};
use crate::pool::{self, Now};

const RETRY: Duration = Duration::from_millis(500);
const LEADER_CHECK: Duration = Duration::from_secs(2);
/// The longest time between two looks at the clock.
const LOOK: Duration = Duration::from_millis(250);

/// After a break as long as this the manager itself was away, not the nodes it heard nothing of.
const HUNG: Duration = Duration::from_millis(1500);

/// Leads whenever it can, for ever.
pub async fn lead(keeper: Keeper) {
    let mut said = None;
    loop {
        match take_over(&keeper).await {
            Ok(Some(leadership)) => {
                tracing::info!(pool = keeper.pool_name(), "leading the pool");
                said = None;
                while_leading(&keeper, &leadership).await;
                tracing::warn!(pool = keeper.pool_name(), "not leading the pool any more");
            }
            Ok(None) => {
                // What was known here may be old: leases by it would keep alive what the other left out.
                keeper.unload().await;
                say_once(&mut said, "another manager leads the pool; waiting");
            }
            Err(error) => say_once(&mut said, &chain(&error)),
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn say_once(said: &mut Option<String>, what: &str) {
    if said.as_deref() != Some(what) {
        tracing::warn!("{what}");
        *said = Some(what.to_owned());
    }
}

/// An error with its causes, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

async fn take_over(keeper: &Keeper) -> Result<Option<Leadership>, ChangeError> {
    let mut blueprint = keeper.watch_blueprint();
    if blueprint.wait_for(Option::is_some).await.is_err() {
        return Err(ChangeError::NoBlueprint);
    }
    keeper.catalog().migrate().await?;
    let leadership = keeper.catalog().lead(keeper.pool_name()).await?;
    if leadership.is_some() {
        keeper.begin();
        keeper.load().await?;
    }
    Ok(leadership)
}

async fn while_leading(keeper: &Keeper, leadership: &Leadership) {
    let mut checked = tokio::time::Instant::now();
    let mut looked = checked;
    while keeper.state().is_some() {
        if looked.elapsed() >= HUNG {
            tracing::warn!(for_ms = looked.elapsed().as_millis(), "this manager hung");
            keeper.seen().listening = std::time::Instant::now();
        }
        looked = tokio::time::Instant::now();
        if checked.elapsed() >= LEADER_CHECK {
            if !leadership.is_held().await {
                // The nodes go on by the last state: nobody else can lead without the database.
                return;
            }
            checked = tokio::time::Instant::now();
        }
        if let Err(error) = step(keeper).await {
            tracing::warn!(error = chain(&error), "could not move the pool forward");
            tokio::time::sleep(RETRY).await;
        }
        publish_if_due(keeper);
        let _stirred = tokio::time::timeout(LOOK, keeper.stirred()).await;
    }
}

async fn step(keeper: &Keeper) -> Result<(), ChangeError> {
    let before = keeper.state();
    let after = keeper
        .change(|state| {
            let version = keeper.blueprint().ok_or(ChangeError::NoBlueprint)?;
            let told = PoolState {
                pool: version.blueprint.take_in(&state.pool),
                nodes: state.nodes.clone(),
            };
            let seen = keeper.seen();
            let next = pool::next(&told, &seen, &Now::read(), &mut Uuid::new_v4);
            Ok::<_, ChangeError>(next)
        })
        .await?;
    if let Some(before) = before {
        tell(&before, &after);
        tell_hand_over(keeper, &before, &after);
    }
    Ok(())
}

fn publish_if_due(keeper: &Keeper) {
    let Some(state) = keeper.state() else { return };
    if keeper.published().epoch >= state.pool.epoch {
        return;
    }
    let is_due = pool::may_publish(&state, &keeper.seen(), &Now::read());
    if is_due {
        let table = pool::table(&state);
        tracing::info!(
            epoch = table.epoch,
            places = table.nodes.len(),
            empty = ?pool::empty_places(&state),
            "published a table"
        );
        keeper.publish(table);
    }
}

/// One log line when a hand-over begins, and one when it ends.
fn tell_hand_over(keeper: &Keeper, before: &Arc<PoolState>, after: &Arc<PoolState>) {
    let (was, is) = (&before.pool, &after.pool);
    if was.coming == is.coming {
        return;
    }
    if let Some(coming) = &was.coming {
        let progress = pool::progress(before, &keeper.seen()).unwrap_or_default();
        let took = jiff::Timestamp::now().duration_since(coming.since);
        tracing::info!(
            number = was.hand_over,
            took_ms = took.as_millis(),
            entries = progress.moved,
            bytes = progress.moved_bytes,
            left = progress.left,
            was_given_up = is.taken != was.hand_over,
            "a hand-over ended"
        );
    }
    if let Some(coming) = &is.coming {
        tracing::info!(
            number = is.hand_over,
            from = is.size,
            to = coming.nodes.len(),
            "a hand-over began"
        );
    }
}

/// One log line for each node whose stage changed.
fn tell(before: &Arc<PoolState>, after: &Arc<PoolState>) {
    for node in &after.nodes {
        let was = before.nodes.iter().find(|old| old.id == node.id);
        let stage_was = was.map(|old| old.stage);
        if stage_was != Some(node.stage) {
            tracing::info!(
                node = %node.id,
                instance = node.instance,
                place = node.place,
                was = stage_was.map(Stage::as_str),
                stage = node.stage.as_str(),
                "a node changed its stage"
            );
        }
    }
}
