//! A cache with its place in the pool: it serves only the table's current epoch, only keys it owns,
//! and only while the manager's lease lasts. When the table is about to change it hands entries over.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kit::placement;
use kit::pool::{Configuration, Counts, HandOver, Place, Progress, Statistics};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Notify;

use crate::cache::{Cache, Fill, Lookup, Value};
use crate::handover::Mark;
use crate::handover::incoming::{Incoming, Put};
use crate::handover::outgoing::{Outgoing, Parcel, Pass, Sent};
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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// It is older than this node's, or was said earlier.
    #[error("a newer word on the table of epoch {own} is here already")]
    Old {
        /// This node's epoch.
        own: u64,
    },
    /// The place is not within the table.
    #[error("a table has at least one node, and position counts them from 0")]
    Place,
    /// It is for another node, whose address this one has got.
    #[error("this is {own}")]
    Other {
        /// The instance that this node runs on.
        own: String,
    },
}

/// What came of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adopted {
    /// A hand-over that begins with it.
    pub begun: Option<u64>,
    /// How far the hand-over has come that is under way.
    pub progress: Option<Progress>,
}

/// What is left to be done before an invalidation may be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invalidated {
    /// Nothing.
    Done,
    /// The coming owner has to drop the key too.
    PassOn(Pass),
}

/// What is to be sent next in a hand-over.
#[derive(Debug)]
pub enum Next {
    /// An entry.
    Parcel(Parcel),
    /// Nothing at the moment.
    Nothing,
    /// Nothing ever: the hand-over is over.
    Over,
}

/// A cache node, shared by all connections.
pub struct Node {
    instance: String,
    state: Mutex<State>,
    /// Something may be there to be handed over.
    stir: Notify,
}

struct State {
    cache: Cache<StdRng>,
    held: Option<Held>,
    window: Window,
    incoming: Incoming,
    outgoing: Option<Outgoing>,
    /// Of the newest thing that was sent.
    mark: Mark,
}

struct Held {
    place: Place,
    until: Instant,
}

impl Node {
    /// A node that is empty and serves nothing until a table is adopted.
    #[must_use]
    pub fn new(instance: String, configuration: Configuration, now: Instant) -> Self {
        let mut random = StdRng::from_os_rng();
        let mark = Mark {
            life: random.random(),
            sequence: 0,
        };
        let cache = Cache::new(configuration, random);
        Self {
            instance,
            state: Mutex::new(State {
                cache,
                held: None,
                window: Window::new(now),
                incoming: Incoming::default(),
                outgoing: None,
                mark,
            }),
            stir: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half way; if it did, a cache that may be wrong is worse than none.
        self.state
            .lock()
            .unwrap_or_else(|poisoned: PoisonError<_>| {
                let mut state = poisoned.into_inner();
                state.clear(0);
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
        let filled = state.cache.fill(key, lease, value, now);
        if let Some(outgoing) = &mut state.outgoing
            && filled == Fill::Stored
            && outgoing.heir(partition).is_some()
        {
            outgoing.filled(key);
            self.stir.notify_waiters();
        }
        Ok(filled)
    }

    /// Removes an entry and voids the leases of its key. That is done in any case, because it can
    /// do no harm. It is *refused* only under another table: the owner may be somebody else. It
    /// needs no lease from the manager, so that uploads go on while the manager is away: what is
    /// gone from this node it cannot serve later.
    ///
    /// # Errors
    /// When this node may not be the one that had to be told.
    pub fn invalidate(&self, key: &str, epoch: u64, now: Instant) -> Result<Invalidated, Refusal> {
        let partition = placement::partition(key);
        let mut state = self.state();
        state.cache.invalidate(key);
        state.route(epoch)?;
        state.own(partition)?;
        state.window.count(now, REQUEST);
        let heir = state.outgoing.as_ref().and_then(|outgoing| {
            let to = outgoing.heir(partition)?.clone();
            Some((to, outgoing.number()))
        });
        Ok(match heir {
            None => Invalidated::Done,
            Some((to, number)) => Invalidated::PassOn(Pass {
                to,
                number,
                mark: state.next_mark(),
            }),
        })
    }

    /// Takes its place in a table and the lease to serve there. What it does not own there is
    /// dropped, what was handed over to it for this table is its own now. Everything is dropped if it
    /// may have been left out of a table in between: writes went by without it being told.
    ///
    /// # Errors
    /// When the table is older than the one it has, or not for this node, or impossible.
    pub fn adopt(&self, place: Place, now: Instant) -> Result<Adopted, TableError> {
        if place.position >= place.nodes {
            return Err(TableError::Place);
        }
        if place
            .instance
            .as_ref()
            .is_some_and(|whose| *whose != self.instance)
        {
            let own = self.instance.clone();
            return Err(TableError::Other { own });
        }
        let mut state = self.state();
        if let Some(Held { place: own, .. }) = &state.held
            && (place.epoch, place.revision) < (own.epoch, own.revision)
        {
            return Err(TableError::Old { own: own.epoch });
        }
        state.move_to(&place, now);
        let begun = state.follow(place.hand_over.as_ref(), &self.instance);
        let progress = state.outgoing.as_ref().map(Outgoing::progress);
        let until = now + Duration::from_millis(place.lease_ms);
        state.held = Some(Held { place, until });
        drop(state);
        self.stir.notify_waiters();
        Ok(Adopted { begun, progress })
    }

    /// Drops everything and voids all leases. Hand-overs up to `void_through`, and those that are
    /// known here, bring nothing any more: what they carry may be from before.
    pub fn clear(&self, void_through: u64) {
        self.state().clear(void_through);
    }

    /// What is to be sent next in hand-over `number`. To be answered with [`Node::sent`].
    #[must_use]
    pub fn parcel(&self, number: u64) -> Next {
        self.state().parcel(number)
    }

    /// What became of a parcel.
    pub fn sent(&self, parcel: &Parcel, outcome: Sent) {
        let mut state = self.state();
        if let Some(outgoing) = &mut state.outgoing
            && outgoing.number() == parcel.number
        {
            outgoing.sent(parcel, outcome);
        }
    }

    /// Waits until there may be something to be sent.
    pub async fn stirred(&self) {
        self.stir.notified().await;
    }

    /// Puts an entry aside that another node hands over, if it is meant for this life of this one.
    #[must_use]
    pub fn receive(
        &self,
        number: u64,
        key: &str,
        value: Value,
        mark: Mark,
        own_life: Option<u64>,
    ) -> Put {
        let mut state = self.state();
        if own_life != Some(state.mark.life) {
            return Put::OtherLife(state.mark.life);
        }
        let room = state.cache.configuration().capacity;
        state.incoming.put(number, key, value, mark, room)
    }

    /// Drops a key that another node hands over, wherever it is by now.
    pub fn drop_received(&self, number: u64, key: &str, mark: Mark) {
        let mut state = self.state();
        state.incoming.invalidate(number, key, mark);
        state.cache.invalidate(key);
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
            hand_over: state.newest_hand_over(),
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

    /// Keeps of the cache what is right in a table, if that is another than before.
    fn move_to(&mut self, place: &Place, now: Instant) {
        match &self.held {
            Some(held) if held.place.epoch == place.epoch => {
                if !owns_the_same(&held.place, place) {
                    self.cache.retain(|partition| owns(place, partition));
                }
                return;
            }
            Some(held) if may_have_missed_writes(held, place.epoch, now) => self.cache.clear(),
            Some(held) if owns_the_same(&held.place, place) => {}
            _ => self.cache.retain(|partition| owns(place, partition)),
        }
        self.outgoing = None;
        let mut brought = self.incoming.take(place.taken);
        brought.retain(|(key, _)| owns(place, placement::partition(key)));
        self.cache.admit(brought);
    }

    /// Begins with a hand-over that is new, ends one that is over. Answers the number of a new one.
    fn follow(&mut self, order: Option<&HandOver>, instance: &str) -> Option<u64> {
        let Some(order) = order else {
            self.outgoing = None;
            self.incoming.close(self.incoming.number());
            return None;
        };
        self.incoming.close(order.number.saturating_sub(1));
        let known = self.outgoing.as_ref().map_or(0, Outgoing::number);
        if order.number <= known {
            return None;
        }
        let mut outgoing = Outgoing::new(order.clone(), instance.to_owned());
        let keys = self
            .cache
            .keys(|partition| outgoing.heir(partition).is_some());
        outgoing.begin(keys);
        self.outgoing = Some(outgoing);
        Some(order.number)
    }

    fn parcel(&mut self, number: u64) -> Next {
        let Some(outgoing) = self.outgoing.as_mut().filter(|it| it.number() == number) else {
            return Next::Over;
        };
        while let Some(key) = outgoing.take_next() {
            let taker = outgoing.taker(placement::partition(&key)).cloned();
            if let (Some(to), Some(value)) = (taker, self.cache.peek(&key)) {
                self.mark.sequence += 1;
                return Next::Parcel(Parcel {
                    heir_life: outgoing.life_of(&to),
                    to,
                    number,
                    value: value.clone(),
                    key,
                    mark: self.mark,
                });
            }
            outgoing.skipped();
        }
        Next::Nothing
    }

    fn clear(&mut self, void_through: u64) {
        self.cache.clear();
        let known = self.newest_hand_over();
        self.incoming.close(void_through.max(known));
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.close();
        }
    }

    fn newest_hand_over(&self) -> u64 {
        let outgoing = self.outgoing.as_ref().map_or(0, Outgoing::number);
        self.incoming.number().max(outgoing)
    }

    fn next_mark(&mut self) -> Mark {
        self.mark.sequence += 1;
        self.mark
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
