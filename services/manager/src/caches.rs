//! What is done to all nodes at once: clear, configure, count.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use kit::pool::{Counts, Member, Statistics};
use tokio::time::Instant;

use crate::heart;
use crate::keeper::Keeper;
use crate::nodes::{NodeError, Nodes};
use crate::pool;

/// Long enough for a node that died to be left out of the table.
const DEADLINE: Duration = Duration::from_secs(9);
const RETRY: Duration = Duration::from_millis(200);

/// Why not every cache that somebody may be reading was told.
#[derive(Debug, thiserror::Error)]
pub enum CachesError {
    /// Nodes that front-ends may be using could not be reached in time; their instances.
    #[error("no answer from {}", .0.join(", "))]
    Silent(Vec<String>),
    /// Which nodes front-ends may be using is not known here.
    #[error("this manager has not published a table yet, or does not lead the pool")]
    Unknown,
}

/// Empties every cache that anybody may be reading. A node that cannot be reached counts once the
/// table has left it out; it comes back empty.
///
/// # Errors
/// When a node is neither reached nor left out in time, or when it is not known who is read.
pub async fn clear(keeper: &Keeper, nodes: &Nodes) -> Result<(), CachesError> {
    // From now on no hand-over is begun: what one carries is void by its number.
    let _clearing = Clearing::begin(keeper);
    keeper.settled().await;
    published(keeper).await?;
    all(keeper, nodes, Work::Clear).await
}

/// Waits until a table was published here: before that, nodes may serve by one that an earlier manager
/// published, and that is not known any more.
async fn published(keeper: &Keeper) -> Result<(), CachesError> {
    let mut published = keeper.watch_published();
    let first = published.wait_for(|table| table.epoch > 0);
    match tokio::time::timeout(DEADLINE, first).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(CachesError::Unknown),
    }
}

/// Somebody is clearing caches.
struct Clearing<'a>(&'a Keeper);

impl<'a> Clearing<'a> {
    fn begin(keeper: &'a Keeper) -> Self {
        keeper.seen().clearing += 1;
        Self(keeper)
    }
}

impl Drop for Clearing<'_> {
    fn drop(&mut self) {
        self.0.seen().clearing -= 1;
        self.0.stir();
    }
}

/// Tells every node in use the capacity and policy that the state wishes.
///
/// # Errors
/// When a node is neither reached nor left out in time; it is told when it answers again.
pub async fn configure(keeper: &Keeper, nodes: &Nodes) -> Result<(), CachesError> {
    all(keeper, nodes, Work::Configure).await
}

#[derive(Clone, Copy)]
enum Work {
    Clear,
    Configure,
}

impl Work {
    async fn at(self, keeper: &Keeper, nodes: &Nodes, address: &str) -> Result<(), NodeError> {
        match (self, keeper.state()) {
            (Self::Clear, state) => {
                let void_through = state.map_or(0, |state| state.pool.hand_over);
                nodes.clear(address, void_through).await
            }
            (Self::Configure, Some(state)) => {
                nodes
                    .configure(address, &heart::configuration(&state))
                    .await
            }
            (Self::Configure, None) => Ok(()),
        }
    }
}

async fn all(keeper: &Keeper, nodes: &Nodes, work: Work) -> Result<(), CachesError> {
    let deadline = Instant::now() + DEADLINE;
    let mut done = BTreeSet::new();
    loop {
        let mut left = members(keeper).ok_or(CachesError::Unknown)?;
        left.retain(|member| !done.contains(&member.instance));
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let instances = left.into_iter().map(|member| member.instance);
            return Err(CachesError::Silent(instances.collect()));
        }
        let visits = left
            .iter()
            .map(|member| work.at(keeper, nodes, &member.address));
        let outcomes = join_all(visits).await;
        let reached = left.iter().zip(&outcomes).filter(|(_, done)| done.is_ok());
        done.extend(reached.map(|(member, _)| member.instance.clone()));
        if outcomes.iter().any(Result::is_err) {
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Nodes of the published table, of the one about to be, and of the one that is being prepared; `None`
/// while another manager may lead.
fn members(keeper: &Keeper) -> Option<Vec<Member>> {
    let state = keeper.state()?;
    let mut members: Vec<Member> = keeper.published().nodes.iter().flatten().cloned().collect();
    let coming = pool::hand_over(&state).map(|coming| coming.nodes);
    let others = pool::table(&state)
        .nodes
        .into_iter()
        .chain(coming.into_iter().flatten());
    for member in others.flatten() {
        if !members.contains(&member) {
            members.push(member);
        }
    }
    Some(members)
}

/// The statistics of every node that has an address, by its instance; nodes that do not answer are
/// left out.
pub async fn statistics(keeper: &Keeper, nodes: &Nodes) -> Vec<Statistics> {
    let Some(state) = keeper.state() else {
        return Vec::new();
    };
    let asked = state
        .nodes
        .iter()
        .filter_map(|node| node.address.as_deref())
        .map(|address| nodes.statistics(address));
    join_all(asked).await.into_iter().flatten().collect()
}

/// The pool's counts of the last minute: of all nodes together, not the mean of their rates.
pub async fn last_minute(keeper: &Keeper, nodes: &Nodes) -> Counts {
    let mut pool = Counts::default();
    for node in statistics(keeper, nodes).await {
        pool.requests += node.last_minute.requests;
        pool.hits += node.last_minute.hits;
        pool.misses += node.last_minute.misses;
        pool.lookups += node.last_minute.lookups;
    }
    pool
}
