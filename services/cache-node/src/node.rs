//! A cache with its place in the pool: it serves only the table's current epoch, only keys it owns,
//! and only while the manager's lease lasts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kit::placement;
use kit::pool::{Configuration, Counts, Place, Statistics};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::cache::{Cache, Fill, Lookup, Value};
use crate::window::Window;

/// Why a request for an entry is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The manager has not renewed this node's lease: it may have been left out of the table.
    NoLease,
    /// The request was routed by another table than this node's.
    Epoch(u64),
    /// The key is another node's.
    NotOwner,
}

/// Why a table is not adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// It is older than this node's.
    #[error("the table of epoch {own} is here already")]
    Old {
        /// This node's epoch.
        own: u64,
    },
    /// The place is not within the table.
    #[error("a table has at least one node, and position counts them from 0")]
    Place,
}

/// A cache node, shared by all connections.
pub struct Node {
    instance: String,
    state: Mutex<State>,
}

struct State {
    cache: Cache<StdRng>,
    held: Option<Held>,
    window: Window,
}

struct Held {
    place: Place,
    until: Instant,
}

impl Node {
    /// A node that is empty and serves nothing until a table is adopted.
    #[must_use]
    pub fn new(instance: String, configuration: Configuration, now: Instant) -> Self {
        let cache = Cache::new(configuration, StdRng::from_os_rng());
        Self {
            instance,
            state: Mutex::new(State {
                cache,
                held: None,
                window: Window::new(now),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half way; if it did, a cache that may be wrong is worse than none.
        self.state
            .lock()
            .unwrap_or_else(|poisoned: PoisonError<_>| {
                let mut state = poisoned.into_inner();
                state.cache.clear();
                self.state.clear_poison();
                state
            })
    }

    /// Looks an entry up.
    ///
    /// # Errors
    /// When this node may not answer for the key.
    pub fn get(&self, key: &str, epoch: u64, now: Instant) -> Result<Lookup, Refusal> {
        let mut state = self.state();
        state.admit(epoch, now)?;
        // What is here is ours: another table drops the rest, and nothing else is filled in.
        let lookup = match state.cache.find(key) {
            Some(value) => Lookup::Hit(value),
            None => {
                state.own(placement::partition(key))?;
                Lookup::Miss(state.cache.lease(key, now))
            }
        };
        let hit = u64::from(matches!(lookup, Lookup::Hit(_)));
        let counts = Counts {
            requests: 1,
            lookups: 1,
            hits: hit,
            misses: 1 - hit,
        };
        state.window.count(now, counts);
        Ok(lookup)
    }

    /// Fills an entry in under the lease of its miss.
    ///
    /// # Errors
    /// When this node may not answer for the key.
    pub fn fill(
        &self,
        key: &str,
        epoch: u64,
        lease: u64,
        value: Value,
        now: Instant,
    ) -> Result<Fill, Refusal> {
        let partition = placement::partition(key);
        let mut state = self.state();
        state.admit(epoch, now)?;
        state.own(partition)?;
        state.window.count(now, REQUEST);
        Ok(state.cache.fill(key, lease, value, now))
    }

    /// Removes an entry and voids the leases of its key. That is done in any case, because it can
    /// do no harm. It is *refused* only under another table: the owner may be somebody else. It
    /// needs no lease from the manager, so that uploads go on while the manager is away: what is
    /// gone from this node it cannot serve later.
    ///
    /// # Errors
    /// When this node may not be the one that had to be told.
    pub fn invalidate(&self, key: &str, epoch: u64, now: Instant) -> Result<(), Refusal> {
        let partition = placement::partition(key);
        let mut state = self.state();
        state.cache.invalidate(key);
        state.route(epoch)?;
        state.own(partition)?;
        state.window.count(now, REQUEST);
        Ok(())
    }

    /// Takes its place in a table and the lease to serve there. What it does not own there is
    /// dropped. Everything is dropped if it may have been left out of a table in between: writes
    /// went by without it being told.
    ///
    /// # Errors
    /// When the table is older than the one it has, or impossible.
    pub fn adopt(&self, place: Place, now: Instant) -> Result<(), TableError> {
        if place.position >= place.nodes {
            return Err(TableError::Place);
        }
        let mut state = self.state();
        let until = now + Duration::from_millis(place.lease_ms);
        match &state.held {
            Some(held) if place.epoch < held.place.epoch => {
                return Err(TableError::Old {
                    own: held.place.epoch,
                });
            }
            Some(held) if may_have_missed_writes(held, place.epoch, now) => state.cache.clear(),
            Some(held) if owns_the_same(&held.place, &place) => {}
            _ => state.cache.retain(|partition| owns(&place, partition)),
        }
        state.held = Some(Held { place, until });
        Ok(())
    }

    /// Drops everything and voids all leases.
    pub fn clear(&self) {
        self.state().cache.clear();
    }

    /// Changes capacity and policy at once.
    pub fn configure(&self, configuration: Configuration) {
        self.state().cache.configure(configuration);
    }

    /// What it may hold, and what it gives up first.
    #[must_use]
    pub fn configuration(&self) -> Configuration {
        self.state().cache.configuration()
    }

    /// Whether it holds a lease from the manager.
    #[must_use]
    pub fn is_serving(&self, now: Instant) -> bool {
        self.state()
            .held
            .as_ref()
            .is_some_and(|held| now < held.until)
    }

    /// Its figures.
    #[must_use]
    pub fn statistics(&self, now: Instant) -> Statistics {
        let state = self.state();
        let Configuration { capacity, policy } = state.cache.configuration();
        Statistics {
            instance: self.instance.clone(),
            epoch: state.held.as_ref().map_or(0, |held| held.place.epoch),
            capacity,
            policy,
            items: state.cache.items(),
            bytes: state.cache.bytes(),
            total: state.window.total(),
            last_minute: state.window.last_minute(now),
        }
    }
}

const REQUEST: Counts = Counts {
    requests: 1,
    hits: 0,
    misses: 0,
    lookups: 0,
};

impl State {
    /// Whether a request routed by `epoch` may be served.
    fn admit(&self, epoch: u64, now: Instant) -> Result<(), Refusal> {
        if self.held.as_ref().is_none_or(|held| held.until <= now) {
            return Err(Refusal::NoLease);
        }
        self.route(epoch)
    }

    /// Whether a request was routed by this node's own table.
    fn route(&self, epoch: u64) -> Result<(), Refusal> {
        let place = self.place()?;
        if place.epoch == epoch {
            Ok(())
        } else {
            Err(Refusal::Epoch(place.epoch))
        }
    }

    /// Whether a partition is this node's.
    fn own(&self, partition: u8) -> Result<(), Refusal> {
        if owns(self.place()?, partition) {
            Ok(())
        } else {
            Err(Refusal::NotOwner)
        }
    }

    fn place(&self) -> Result<&Place, Refusal> {
        Ok(&self.held.as_ref().ok_or(Refusal::NoLease)?.place)
    }
}

fn owns(place: &Place, partition: u8) -> bool {
    usize::from(partition) % place.nodes == place.position
}

fn owns_the_same(before: &Place, now: &Place) -> bool {
    (before.position, before.nodes) == (now.position, now.nodes)
}

/// A table that left this node out was committed after its lease ran out; tables it was told of in
/// time follow each other.
fn may_have_missed_writes(held: &Held, epoch: u64, now: Instant) -> bool {
    let changed = epoch != held.place.epoch;
    changed && (held.until <= now || epoch > held.place.epoch + 1)
}

#[cfg(test)]
mod tests;
