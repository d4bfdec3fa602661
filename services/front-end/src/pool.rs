//! The cache nodes as the front-end sees them: who owns a key, what the owner has of it.
//!
//! Nothing here fails a reader: a node that cannot be asked is passed by, and the reader goes to the
//! bucket. Only an upload insists, see [`Pool::invalidate`].

mod node;
mod table;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kit::client::Client;
use kit::metrics::{Counter, Registry};
use kit::pool::{Member, Table};
use kit::token::Token;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::key::Key;
use crate::photo::Photo;
use crate::served::Owner;
use node::{Found, NodeError, Nodes};
use table::Tables;

/// For how long readers pass by a node that could not be reached.
const SUSPECT: Duration = Duration::from_secs(1);

/// For how long a reader waits for a table that a node has already: it is published as soon as all
/// nodes have it.
const NEWER_TABLE_TIME: Duration = Duration::from_millis(150);

/// Pauses between attempts to invalidate, growing.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// The pool of cache nodes.
pub struct Pool {
    tables: Tables,
    nodes: Nodes,
    suspects: Mutex<HashMap<String, Instant>>,
    figures: Figures,
}

struct Figures {
    hits: Counter,
    misses: Counter,
    passed_by: Counter,
    invalidations: Counter,
    invalidation_retries: Counter,
}

/// What came of asking the pool for a photo.
#[derive(Debug)]
pub enum Asked {
    /// The owner has it.
    Hit(Photo, Owner),
    /// The owner does not have it and takes a fill under this lease.
    Miss(Lease),
    /// There was nobody to ask: read through, and leave the pool alone.
    Nobody,
}

/// The right to fill one key at one node, until the key is written, cleared or moved.
#[derive(Debug)]
pub struct Lease {
    member: Member,
    epoch: u64,
    number: u64,
    owner: Owner,
}

impl Lease {
    /// The node that gave it.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }
}

/// How our table did not serve.
#[derive(Debug, Clone, Copy)]
enum Stale {
    /// A node has the table of this epoch already, which is being published.
    Behind(u64),
    /// The node did not answer for the key.
    Unserved,
}

/// The table as figures: what users are served by, whatever the manager is about to do.
fn tell_the_table(tables: &Tables, metrics: &Registry) {
    let add = |name, help, figure: fn(&Table) -> u64| {
        let table = tables.watch();
        metrics.computed(name, help, move || {
            table.borrow().as_deref().map_or(0, figure) as f64
        });
    };
    add("pool_epoch", "Epoch of the pool's table", |table| {
        table.epoch
    });
    add("pool_places", "Places in the pool's table", |table| {
        table.nodes.len() as u64
    });
    add(
        "pool_places_empty",
        "Places whose node is being replaced",
        |table| table.nodes.iter().filter(|node| node.is_none()).count() as u64,
    );
}

impl Pool {
    /// The pool that the manager at `manager` (`address:port`) keeps; it may still be down.
    #[must_use]
    pub fn new(manager: &str, token: &Token, http: &Client, metrics: &Registry) -> Self {
        let reads = |came_of: &str| {
            metrics.counter(
                "photo_reads_total",
                "Photos asked of the pool",
                &[("came_of", came_of)],
            )
        };
        let tables = Tables::new(manager, token, http);
        tell_the_table(&tables, metrics);
        Self {
            tables,
            nodes: Nodes::new(token, http),
            suspects: Mutex::default(),
            figures: Figures {
                hits: reads("hit"),
                misses: reads("miss"),
                passed_by: reads("read_through"),
                invalidations: metrics.counter("invalidations_total", "Keys invalidated", &[]),
                invalidation_retries: metrics.counter(
                    "invalidation_retries_total",
                    "Invalidations that had to be tried again",
                    &[],
                ),
            },
        }
    }

    /// Learns of every new table as soon as the manager publishes it, until `stop`.
    pub async fn follow(&self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.tables.follow() => {}
        }
    }

    /// The table as it is known here; `None` before the first.
    #[must_use]
    pub fn table(&self) -> Option<Arc<Table>> {
        self.tables.current()
    }

    /// Is told of every new table.
    #[must_use]
    pub fn tables(&self) -> watch::Receiver<Option<Arc<Table>>> {
        self.tables.watch()
    }

    /// Is told since when the manager has not answered, and when it does again (`None`).
    #[must_use]
    pub fn silence(&self) -> watch::Receiver<Option<tokio::time::Instant>> {
        self.tables.silence()
    }

    /// Waits until a first table is known.
    pub async fn known(&self) {
        self.tables.known().await;
    }

    /// Asks the owner of `key` for its photo, once more with a new table if the first attempt shows
    /// that ours is old.
    pub async fn ask(&self, key: &Key) -> Asked {
        let asked = match self.ask_once(key).await {
            Ok(asked) => asked,
            Err(stale) => {
                self.renew(stale).await;
                self.ask_once(key).await.unwrap_or(Asked::Nobody)
            }
        };
        match &asked {
            Asked::Hit(..) => self.figures.hits.increment(),
            Asked::Miss(_) => self.figures.misses.increment(),
            Asked::Nobody => self.figures.passed_by.increment(),
        }
        asked
    }

    /// Gets another table than one that did not serve.
    async fn renew(&self, stale: Stale) {
        match stale {
            Stale::Behind(own) => {
                let newer = self.tables.reach(own);
                if tokio::time::timeout(NEWER_TABLE_TIME, newer).await.is_err() {
                    tracing::debug!(epoch = own, "the table of a node is not published yet");
                }
            }
            Stale::Unserved => self.tables.refresh().await,
        }
    }

    /// `Err` when another table may bring more.
    async fn ask_once(&self, key: &Key) -> Result<Asked, Stale> {
        let Some(table) = self.tables.current() else {
            return Ok(Asked::Nobody);
        };
        let Some((place, member)) = table
            .place_of(key.as_str())
            .filter(|(_, member)| !self.is_suspect(member))
        else {
            return Ok(Asked::Nobody);
        };
        let owner = || Owner {
            instance: member.instance.clone(),
            place,
            places: table.nodes.len(),
        };
        let found = self.nodes.get(member, table.epoch, key).await;
        if found.is_ok() {
            self.acquit(member);
        }
        match found {
            Ok(Found::Photo(photo)) => Ok(Asked::Hit(photo, owner())),
            Ok(Found::Nothing(number)) => Ok(Asked::Miss(Lease {
                member: member.clone(),
                epoch: table.epoch,
                number,
                owner: owner(),
            })),
            Err(error) => {
                self.note(member, &error);
                Err(match error {
                    NodeError::Epoch(own) if own > table.epoch => Stale::Behind(own),
                    _ => Stale::Unserved,
                })
            }
        }
    }

    /// Gives the owner what it did not have. A lease that is no longer good, or a node that is no
    /// longer there, is none of the reader's business.
    pub async fn fill(&self, lease: Lease, key: &Key, photo: &Photo) {
        match self
            .nodes
            .put(&lease.member, lease.epoch, lease.number, key, photo)
            .await
        {
            Ok(()) => {}
            Err(NodeError::LeaseVoid) => {
                tracing::debug!(key = key.as_str(), "the lease of a fill was void");
            }
            Err(error) => self.note(&lease.member, &error),
        }
    }

    /// Returns once no node will serve what it held of `key` before this call: its owner has dropped
    /// it, or the table of this moment names no owner. Keeps trying for as long as that takes; to be
    /// called *after* the new photo is committed, so that whatever is cached later is the new one.
    pub async fn invalidate(&self, key: &Key) {
        let mut pause = PAUSES.0;
        let mut confirmed = false;
        loop {
            if let Some(table) = self.tables.current() {
                match table.owner(key.as_str()) {
                    Some(member) => match self.nodes.delete(member, table.epoch, key).await {
                        Ok(()) => break,
                        Err(error) => self.note(member, &error),
                    },
                    // Our table may be old: only one that the manager gave since the commit counts.
                    None if confirmed => break,
                    None => {}
                }
            }
            let before = self.tables.epoch();
            confirmed = self.tables.fetch().await;
            if confirmed && (self.tables.epoch() > before || self.owner(key).is_none()) {
                continue;
            }
            self.figures.invalidation_retries.increment();
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
        self.figures.invalidations.increment();
    }

    fn owner(&self, key: &Key) -> Option<Member> {
        self.tables.current()?.owner(key.as_str()).cloned()
    }

    /// Whether a node is passed by. When its time is over one reader tries it, and the others go on
    /// passing it by until that one knows more.
    fn is_suspect(&self, member: &Member) -> bool {
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match suspects.get_mut(&member.address) {
            Some(until) if *until > now => true,
            Some(until) => {
                *until = now + SUSPECT;
                false
            }
            None => false,
        }
    }

    /// A node that has answered is no suspect any more.
    fn acquit(&self, member: &Member) {
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        if !suspects.is_empty() {
            suspects.remove(&member.address);
        }
    }

    fn note(&self, member: &Member, error: &NodeError) {
        tracing::debug!(
            node = member.instance,
            error = error as &dyn std::error::Error,
            "a node could not be asked"
        );
        if matches!(error, NodeError::Unreachable(_)) {
            let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            suspects.retain(|_, until| *until + SUSPECT > now);
            suspects.insert(member.address.clone(), now + SUSPECT);
        }
    }
}
