//! How the pool stands, in a line on every page, and told anew to whoever looks when it changes.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use kit::pool::Table;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::pool::Pool;

/// For how long nodes go on serving without a word from the manager: their lease.
const LEASE: Duration = Duration::from_secs(2);

/// How the pool stands, as far as a front-end can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nodes serve; some places may be empty.
    Serving { places: usize, empty: usize },
    /// No node serves: there is none yet, or all are being replaced.
    NoNode,
    /// Nobody tells which nodes there are.
    Unreachable,
}

impl Standing {
    /// By the table, if there is one, and the time for which the manager has been silent.
    fn of(table: Option<&Table>, silent: Duration) -> Self {
        let Some(table) = table.filter(|_| silent < LEASE) else {
            return Self::Unreachable;
        };
        let places = table.nodes.len();
        let empty = table.nodes.iter().filter(|node| node.is_none()).count();
        if empty == places {
            Self::NoNode
        } else {
            Self::Serving { places, empty }
        }
    }

    /// At this moment.
    pub(super) fn now(pool: &Pool) -> Self {
        let silent = pool
            .silence()
            .borrow()
            .map_or(Duration::ZERO, |at| at.elapsed());
        Self::of(pool.table().as_deref(), silent)
    }

    /// In words.
    pub(super) fn told(self) -> Told {
        let (tone, text) = match self {
            Self::Serving { places, empty: 0 } => ("good", counted(places)),
            Self::Serving { places, empty: 1 } => (
                "warn",
                format!("{}, one is being replaced", counted(places)),
            ),
            Self::Serving { places, empty } => (
                "warn",
                format!("{}, {empty} are being replaced", counted(places)),
            ),
            Self::NoNode => (
                "warn",
                "no node now, photos come from the bucket".to_owned(),
            ),
            Self::Unreachable => (
                "bad",
                "not reachable, photos come from the bucket".to_owned(),
            ),
        };
        Told {
            tone,
            text: format!("Pool: {text}"),
        }
    }
}

fn counted(places: usize) -> String {
    match places {
        1 => "1 node".to_owned(),
        places => format!("{places} nodes"),
    }
}

/// A standing for a page: what the template and the script show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Told {
    /// `good`, `warn` or `bad`.
    tone: &'static str,
    text: String,
}

/// The standing now, and each time it has become another; as JSON.
pub(super) fn changes(pool: &Arc<Pool>) -> impl Stream<Item = String> + Send + use<> {
    let watching = Watching {
        pool: pool.clone(),
        tables: pool.tables(),
        silence: pool.silence(),
        last: None,
    };
    stream::unfold(watching, |mut watching| async move {
        let told = watching.next().await?.told();
        let text = serde_json::to_string(&told).unwrap_or_default();
        Some((text, watching))
    })
}

/// What a listener is told of.
struct Watching {
    pool: Arc<Pool>,
    tables: watch::Receiver<Option<Arc<Table>>>,
    silence: watch::Receiver<Option<Instant>>,
    last: Option<Standing>,
}

impl Watching {
    /// The standing, once it differs from the last one; `None` when there is no pool any more.
    async fn next(&mut self) -> Option<Standing> {
        loop {
            // Seen before it is looked at: a change that comes between the two is not missed.
            self.tables.mark_unchanged();
            let silent = *self.silence.borrow_and_update();
            let now = Standing::now(&self.pool);
            if self.last.replace(now) != Some(now) {
                return Some(now);
            }
            tokio::select! {
                changed = self.tables.changed() => changed.ok()?,
                changed = self.silence.changed() => changed.ok()?,
                () = lease_is_over(silent.filter(|_| now != Standing::Unreachable)) => {}
            }
        }
    }
}

/// Waits until a silence has become a lost lease; for ever when there is none.
async fn lease_is_over(silent: Option<Instant>) {
    match silent {
        Some(since) => tokio::time::sleep_until(since + LEASE).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use kit::pool::Member;

    use super::*;

    fn told(nodes: &[bool], silent: Duration) -> String {
        let member = |number: usize| Member {
            instance: format!("i-{number}"),
            address: format!("10.0.0.{number}:5003"),
        };
        let nodes = nodes.iter().enumerate();
        let nodes = nodes.map(|(number, is_there)| is_there.then(|| member(number)));
        let table = Table {
            epoch: 7,
            nodes: nodes.collect(),
        };
        Standing::of(Some(&table), silent).told().text
    }

    #[test]
    fn the_pool_is_told_in_a_line() {
        let now = Duration::ZERO;
        assert_eq!(told(&[true], now), "Pool: 1 node");
        assert_eq!(told(&[true; 4], now), "Pool: 4 nodes");
        assert_eq!(
            told(&[true, false, true, true], now),
            "Pool: 4 nodes, one is being replaced"
        );
        assert_eq!(
            told(&[false, false, true], now),
            "Pool: 3 nodes, 2 are being replaced"
        );
        let none = "Pool: no node now, photos come from the bucket";
        assert_eq!(told(&[false], now), none);
        assert_eq!(told(&[], now), none);
    }

    #[test]
    fn a_manager_that_was_silent_for_a_lease_leaves_no_node_that_serves() {
        assert_eq!(told(&[true; 2], LEASE / 2), "Pool: 2 nodes");
        let away = "Pool: not reachable, photos come from the bucket";
        assert_eq!(told(&[true; 2], LEASE), away);
        assert_eq!(Standing::of(None, Duration::ZERO).told().text, away);
    }
}
