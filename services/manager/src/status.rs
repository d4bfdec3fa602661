//! `status/manager.json` in the bucket: how the deployer, which cannot ask the manager, learns that
//! the pool works.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::bucket::Bucket;
use crate::manager::Manager;
use crate::pool;
use crate::reconcile::chain;

const KEY: &str = "status/manager.json";
const RETRY: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(250);

/// What is told; written again when it changes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Status {
    is_ready: bool,
    wanted: u32,
    nodes: u32,
    epoch: u64,
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
        if written == Some(status) || (is_first && !status.is_ready) {
            continue;
        }
        match put(&manager, status).await {
            Ok(()) => written = Some(status),
            Err(error) => {
                tracing::warn!(error = chain(&error), "writing {KEY}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

fn current<B>(manager: &Manager<B>) -> Option<Status> {
    let state = manager.keeper.state()?;
    let epoch = manager.keeper.published().epoch;
    Some(Status {
        is_ready: epoch == state.pool.epoch && pool::serving(&state) == state.pool.wanted,
        wanted: state.pool.wanted,
        nodes: pool::serving(&state),
        epoch,
    })
}

async fn put<B: Bucket>(
    manager: &Manager<B>,
    status: Status,
) -> Result<(), crate::bucket::BucketError> {
    let content = json!({
        "ready": status.is_ready,
        "wanted": status.wanted,
        "nodes": status.nodes,
        "epoch": status.epoch,
        "settings": manager.settings.settings_hash,
        "instance": manager.settings.instance.id,
        "at": Timestamp::now().to_string(),
    });
    let content = content.to_string().into_bytes();
    manager.bucket.put(KEY, content).await
}
