//! The walk that every benchmark of this cache does: from one node to eight and back, a step too
//! far at both ends, readers at work all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;

use super::Mismatch;
use super::api::{Api, Outcome};
use super::configuration::{current, has_nodes, restore};
use super::run::Run;
use super::samples;

/// Enough keys for each of the sixteen partitions to hold some.
const KEYS: u32 = 48;

pub(super) async fn check(run: &mut Run<'_>) {
    run.about("/api/configure_cache");
    let mut before = None;
    run.check("photos for the walk are uploaded", async |api: &Api| {
        before = Some(current(api).await?);
        for number in 0..KEYS {
            api.store(&key(number), &content(number)).await?;
        }
        Ok(())
    })
    .await;
    let Some(before) = before else { return };
    let reader = Reader::start(run.api.apart());
    for nodes in (1..=8).chain((1..8).rev()) {
        run.check(
            format!("the pool resizes to {nodes}"),
            async move |api: &Api| {
                resize(api, nodes).await?;
                all_read(api).await
            },
        )
        .await;
        if nodes == 8 {
            overshoot(run, 9, 8).await;
        }
    }
    overshoot(run, 0, 1).await;
    run.check(
        "no read failed and none was stale during the walk",
        async move |_: &Api| reader.finish().await,
    )
    .await;
    run.check(
        format!("the pool resizes back to {}", before.nodes),
        async move |api: &Api| {
            resize(api, before.nodes).await?;
            all_read(api).await?;
            restore(api, &before).await
        },
    )
    .await;
}

async fn overshoot(run: &mut Run<'_>, asked: u64, stays: u64) {
    run.check(
        format!("a size of {asked} is refused and changes nothing"),
        async move |api: &Api| {
            let target = format!("/api/configure_cache?numNodes={asked}");
            api.post(&target).await?.is_failure(&[400])?;
            has_nodes(api, stays).await
        },
    )
    .await;
}

async fn resize(api: &Api, nodes: u64) -> Outcome {
    let reply = api
        .post(&format!(
            "/api/configure_cache?mode=manual&numNodes={nodes}"
        ))
        .await?;
    if reply.status != 200 {
        return Err(Mismatch::new(
            format!("200 with numNodes {nodes}"),
            reply.to_string(),
        ));
    }
    has_nodes(api, nodes).await?;
    let told = current(api).await?.nodes;
    if told == nodes {
        Ok(())
    } else {
        Err(Mismatch::new(
            format!("numNodes {nodes}"),
            format!("numNodes {told}"),
        ))
    }
}

async fn all_read(api: &Api) -> Outcome {
    for number in 0..KEYS {
        api.reads_as(&key(number), &content(number)).await?;
    }
    Ok(())
}

fn key(number: u32) -> String {
    format!("walk {number}")
}

fn content(number: u32) -> Vec<u8> {
    samples::bytes(number, 4096)
}

/// Reads and replaces photos until told to stop; the first failure ends it.
struct Reader {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Outcome>,
}

impl Reader {
    fn start(api: Api) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            for round in 0_u32.. {
                let changed = samples::bytes(1000 + round, 4096);
                api.store("walk changed", &changed).await?;
                for number in 0..KEYS {
                    if stopped.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    api.reads_as(&key(number), &content(number)).await?;
                    api.reads_as("walk changed", &changed).await?;
                }
            }
            Ok(())
        });
        Self { stop, task }
    }

    async fn finish(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        match self.task.await {
            Ok(outcome) => outcome,
            Err(error) => Err(Mismatch::new("a reader that ends", error.to_string())),
        }
    }
}
