//! The heartbeat: every node hears from the manager twice a second, which renews its lease, tells it
//! the epoch, and shows whether it answers.

use std::sync::Arc;
use std::time::Instant;

use catalog::{NodeRow, Policy, PoolState, Stage};
use futures::future::join_all;
use kit::pool::{Configuration, Place};

use crate::keeper::Keeper;
use crate::nodes::{NodeError, Nodes};
use crate::pool::{self, ANSWER_TIME, HAND_OVER_HEARTBEAT, HEARTBEAT, LEASE};

/// A node is asked for its statistics when it should be configured anew, and at every so many
/// heartbeats: one that was restarted has lost its configuration.
const CHECK_EVERY: u64 = 4;

/// Beats for ever. It goes on while the database is down: nodes keep serving.
pub async fn beat(keeper: Keeper, nodes: Nodes) {
    let mut state = keeper.watch_state();
    let mut round = 0;
    loop {
        let is_handing_over = state
            .borrow()
            .as_ref()
            .is_some_and(|state| state.pool.coming.is_some());
        let pause = if is_handing_over {
            HAND_OVER_HEARTBEAT
        } else {
            HEARTBEAT
        };
        // A change of the state goes out at once.
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = state.changed() => if changed.is_err() { return },
        }
        round += 1;
        let current = state.borrow_and_update().clone();
        if let Some(current) = current {
            once(&keeper, &nodes, &current, round).await;
        }
    }
}

async fn once(keeper: &Keeper, nodes: &Nodes, state: &Arc<PoolState>, round: u64) {
    keeper.seen().keep_only(&state.nodes);
    let visits = state.nodes.iter().map(|node| async move {
        let Some(address) = &node.address else { return };
        let visit = Visit {
            keeper,
            nodes,
            state,
            node,
            address,
        };
        match node.stage {
            Stage::Serving => visit.serving(round).await,
            Stage::Leaving => visit.leaving().await,
            Stage::Starting => visit.starting().await,
            Stage::Lost => visit.lost().await,
            Stage::Launching | Stage::Ending => {}
        }
    });
    join_all(visits).await;
    keeper.stir();
}

/// The configuration that all nodes should have.
#[must_use]
pub fn configuration(state: &PoolState) -> Configuration {
    Configuration {
        capacity: state.pool.capacity,
        policy: match state.pool.policy {
            Policy::Lru => kit::pool::Policy::Lru,
            Policy::Random => kit::pool::Policy::Random,
            Policy::Sieve => kit::pool::Policy::Sieve,
        },
    }
}

struct Visit<'a> {
    keeper: &'a Keeper,
    nodes: &'a Nodes,
    state: &'a PoolState,
    node: &'a NodeRow,
    address: &'a str,
}

impl Visit<'_> {
    async fn serving(&self, round: u64) {
        let Some(place) = self.node.place else { return };
        let told = self.tell_place(place, self.state.pool.size).await;
        let wish = configuration(self.state);
        let is_configured = self.keeper.seen().is_configured(self.node.id, wish);
        if told.is_ok() && (!is_configured || round.is_multiple_of(CHECK_EVERY)) {
            let checked = self.check_configuration().await;
            self.note("checking a node's configuration", &checked);
        }
    }

    /// Told once of the new epoch, so that it refuses requests of the old one. Nobody has it in the new
    /// table, so that the place it is given there means nothing.
    async fn leaving(&self) {
        let acknowledged = self.keeper.seen().acknowledged(self.node.id);
        if acknowledged < self.state.pool.epoch {
            let _told = self.tell_place(0, 1).await;
        }
    }

    async fn starting(&self) {
        let ready = self.check_configuration().await;
        self.note("preparing a node", &ready);
        self.set_ready(matches!(ready, Ok(true)));
    }

    /// It may come back only empty: it has missed what was invalidated while it was left out. Before
    /// its lease is over it could still be filled by an old table.
    async fn lost(&self) {
        let lease_is_over = self
            .keeper
            .seen()
            .lease_is_over(self.node.id, Instant::now());
        let ready = async {
            let is_it = self.check_configuration().await?;
            if is_it && lease_is_over {
                let void_through = self.state.pool.hand_over;
                self.nodes.clear(self.address, void_through).await?;
            }
            Ok::<_, NodeError>(is_it && lease_is_over)
        }
        .await;
        self.set_ready(matches!(ready, Ok(true)));
    }

    async fn tell_place(&self, position: u32, nodes: u32) -> Result<(), NodeError> {
        let pool = &self.state.pool;
        let epoch = pool.epoch;
        let place = Place {
            instance: self.node.instance.clone(),
            epoch,
            revision: pool.revision.unsigned_abs(),
            position: position as usize,
            nodes: nodes as usize,
            lease_ms: u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX),
            taken: pool.taken,
            hand_over: pool::hand_over(self.state),
        };
        let id = self.node.id;
        let before = self
            .keeper
            .seen()
            .heartbeat_sent(id, ANSWER_TIME, Instant::now());
        let told = self.nodes.put_table(self.address, &place).await;
        let mut seen = self.keeper.seen();
        match &told {
            Ok(progress) => {
                seen.heartbeat_answered(id, epoch, Instant::now());
                if let Some(progress) = progress {
                    seen.progressed(id, *progress);
                }
            }
            Err(error) if error.never_arrived() => seen.heartbeat_refused(id, before),
            Err(_) => {}
        }
        drop(seen);
        self.note("sending a heartbeat", &told);
        told.map(|_| ())
    }

    /// Asks the node who it is and sets what it should be; false if another node has its address now.
    async fn check_configuration(&self) -> Result<bool, NodeError> {
        let statistics = self.nodes.statistics(self.address).await?;
        if Some(&statistics.instance) != self.node.instance.as_ref() {
            return Ok(false);
        }
        let wish = configuration(self.state);
        if (statistics.capacity, statistics.policy) != (wish.capacity, wish.policy) {
            self.nodes.configure(self.address, &wish).await?;
        }
        let mut seen = self.keeper.seen();
        seen.answered(self.node.id, Instant::now());
        seen.configured(self.node.id, wish);
        seen.newest_epoch = seen.newest_epoch.max(statistics.epoch);
        seen.newest_hand_over = seen.newest_hand_over.max(statistics.hand_over);
        Ok(true)
    }

    fn set_ready(&self, ready: bool) {
        self.keeper
            .seen()
            .set_ready(self.node.id, ready, Instant::now());
    }

    fn note<T>(&self, what: &str, outcome: &Result<T, NodeError>) {
        if let Err(error) = outcome {
            tracing::debug!(
                instance = self.node.instance,
                address = self.address,
                error = error as &dyn std::error::Error,
                "{what}"
            );
        }
    }
}
