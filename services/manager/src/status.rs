//! `status/manager.json` in the bucket: how the deployer, which cannot ask the manager, learns that
//! the pool works.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Choices, NodeRow, PoolRow, PoolState, Stage};
use jiff::Timestamp;
use serde_json::json;

use crate::bucket::Bucket;
use crate::heart;
use crate::keeper::Keeper;
use crate::manager::Manager;
use crate::pool;
use crate::reconcile::chain;

const KEY: &str = "status/manager.json";
const RETRY: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(250);

/// What is told; written again when it changes.
#[derive(Clone, PartialEq)]
struct Status {
    is_ready: bool,
    wanted: u32,
    nodes: u32,
    epoch: u64,
    blueprint: Option<String>,
    replacing: Option<String>,
    hold: Option<String>,
    choices: Choices,
}

/// Writes the status when the pool is first as wished, and at each change after that, for ever.
pub async fn write<B: Bucket>(manager: Arc<Manager<B>>) {
    let mut state = manager.keeper.watch_state();
    let mut published = manager.keeper.watch_published();
    let mut written = None;
    loop {
        tokio::select! {
            _ = state.changed() => {}
            _ = published.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
        let Some(status) = current(&manager) else {
            continue;
        };
        let is_first = written.is_none();
        if written.as_ref() == Some(&status) || (is_first && !status.is_ready) {
            continue;
        }
        match put(&manager, &status).await {
            Ok(()) => written = Some(status),
            Err(error) => {
                tracing::warn!(error = chain(&error), "writing {KEY}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

fn current<B>(manager: &Manager<B>) -> Option<Status> {
    let keeper = &manager.keeper;
    let state = keeper.state()?;
    let epoch = keeper.published().epoch;
    let replacing = pool::replacing(&state, &keeper.seen());
    let is_ready = epoch == state.pool.epoch && pool::serving(&state) == state.pool.wanted;
    Some(Status {
        is_ready,
        wanted: state.pool.wanted,
        nodes: pool::serving(&state),
        epoch,
        blueprint: in_effect(keeper, &state).filter(|_| is_ready && replacing.is_none()),
        replacing: replacing.map(|replacing| replacing.to_string()),
        hold: keeper.hold().filter(|_| !pool::is_steady(&state)),
        choices: choices(&state.pool),
    })
}

/// The hash of the blueprint, if all that it says was taken in: by the pool, by what is known of its
/// instances, and by every node that serves.
fn in_effect(keeper: &Keeper, state: &PoolState) -> Option<String> {
    let version = keeper.blueprint()?;
    if version.blueprint.take_in(&state.pool) != state.pool {
        return None;
    }
    let seen = keeper.seen();
    let wish = heart::configuration(state);
    let serving = |node: &&NodeRow| node.stage == Stage::Serving;
    let mut serving = state.nodes.iter().filter(serving);
    let is_told = serving.all(|node| seen.is_configured(node.id, wish));
    let is_judged = seen.judged.as_ref() == Some(&version.hash);
    (is_told && is_judged).then(|| version.hash.clone())
}

/// What of a pool can be chosen.
pub(crate) fn choices(pool: &PoolRow) -> Choices {
    Choices {
        capacity: pool.capacity,
        policy: pool.policy,
        mode: pool.mode,
        exp_ratio: pool.exp_ratio,
        shrink_ratio: pool.shrink_ratio,
        max_miss: pool.max_miss,
        min_miss: pool.min_miss,
    }
}

async fn put<B: Bucket>(
    manager: &Manager<B>,
    status: &Status,
) -> Result<(), crate::bucket::BucketError> {
    let content = json!({
        "ready": status.is_ready,
        "wanted": status.wanted,
        "nodes": status.nodes,
        "epoch": status.epoch,
        "settings": manager.settings.settings_hash,
        "blueprint": status.blueprint,
        "replacing": status.replacing,
        "hold": status.hold,
        "choices": status.choices,
        "instance": manager.settings.instance.id,
        "at": Timestamp::now().to_string(),
    });
    let content = content.to_string().into_bytes();
    manager.bucket.put(KEY, content).await
}
