//! Entries within a capacity: no clock, no locks, no I/O.

mod lease;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderValue;
use kit::pool::{Configuration, Policy};
use rand::Rng;

use lease::Leases;
pub use lease::{LEASE_AGE, LEASE_COUNT};

/// What is kept under a key. Clones share the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The bytes, as they were filled in.
    pub content: Bytes,
    /// What they are.
    pub content_type: HeaderValue,
}

/// What came of a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The entry.
    Hit(Value),
    /// No entry, and the lease under which it may be filled in.
    Miss(u64),
}

/// What came of a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// It is kept.
    Stored,
    /// It is larger than the whole capacity.
    TooLarge,
    /// Its lease is void: the key was invalidated or filled since, or the lease is too old.
    Void,
}

/// Marks the end of the order.
const NONE: usize = usize::MAX;

struct Slot {
    key: Arc<str>,
    value: Value,
    partition: u8,
    /// Asked for since SIEVE's hand passed by.
    asked: bool,
    newer: usize,
    older: usize,
}

impl Slot {
    fn weight(&self) -> u64 {
        weight(&self.key, &self.value.content)
    }
}

/// An entry weighs its key plus its value.
fn weight(key: &str, content: &Bytes) -> u64 {
    (key.len() + content.len()) as u64
}

/// Entries of at most a capacity of bytes. All operations but [`Cache::retain`] and [`Cache::clear`]
/// take constant time for each entry that they add or give up (SIEVE's hand on average: each entry
/// it spares was asked for since).
///
/// The slots are kept without gaps (the last moves into the place of one that goes), so that any of
/// them is chosen by one number; each is linked to the next newer and older: in use, or under SIEVE
/// in order of arrival.
pub struct Cache<R> {
    slots: Vec<Slot>,
    index: HashMap<Arc<str>, usize>,
    newest: usize,
    oldest: usize,
    /// Where SIEVE looks next; `NONE` is the oldest.
    hand: usize,
    bytes: u64,
    configuration: Configuration,
    leases: Leases,
    random: R,
}

impl<R: Rng> Cache<R> {
    /// An empty cache; `random` chooses victims and where the numbers of leases begin, so that a
    /// lease of an earlier life of this node is not taken for one of this.
    pub fn new(configuration: Configuration, mut random: R) -> Self {
        let leases = Leases::new(random.random::<u64>() >> 1);
        Self {
            slots: Vec::new(),
            index: HashMap::new(),
            newest: NONE,
            oldest: NONE,
            hand: NONE,
            bytes: 0,
            configuration,
            leases,
            random,
        }
    }

    /// How many entries it holds.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.slots.len() as u64
    }

    /// What they weigh.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it may hold, and what it gives up first.
    #[must_use]
    pub fn configuration(&self) -> Configuration {
        self.configuration
    }

    /// Looks a key up: the entry is now the newest in use (under SIEVE it is marked, and stays where
    /// it is), or a lease is given out.
    pub fn get(&mut self, key: &str, now: Instant) -> Lookup {
        match self.find(key) {
            Some(value) => Lookup::Hit(value),
            None => Lookup::Miss(self.lease(key, now)),
        }
    }

    /// The lease of a key that is not here.
    pub fn lease(&mut self, key: &str, now: Instant) -> u64 {
        self.leases.grant(key, now)
    }

    /// The entry of a key, if it is here: asked for, as by [`Cache::get`].
    pub fn find(&mut self, key: &str) -> Option<Value> {
        let &slot = self.index.get(key)?;
        if self.configuration.policy == Policy::Sieve {
            self.slots[slot].asked = true;
        } else if self.newest != slot {
            self.unlink(slot);
            self.link_newest(slot);
        }
        Some(self.slots[slot].value.clone())
    }

    /// The entry of a key, without counting as asked for.
    #[must_use]
    pub fn peek(&self, key: &str) -> Option<&Value> {
        let slot = *self.index.get(key)?;
        Some(&self.slots[slot].value)
    }

    /// The keys of the partitions that `wanted` says yes to, the newest first.
    #[must_use]
    pub fn keys(&self, wanted: impl Fn(u8) -> bool) -> Vec<Arc<str>> {
        self.newest_first()
            .into_iter()
            .map(|slot| &self.slots[slot])
            .filter(|slot| wanted(slot.partition))
            .map(|slot| slot.key.clone())
            .collect()
    }

    /// Takes in what others had, the newest first: both orders go into each other evenly, as nobody
    /// knows which of two entries of different nodes was used later. What is here already stays.
    pub fn admit(&mut self, entries: Vec<(Arc<str>, Value)>) {
        let own = self.newest_first();
        let admitted: Vec<usize> = entries
            .into_iter()
            .filter_map(|(key, value)| {
                if self.index.contains_key(&key) {
                    return None;
                }
                let weight = weight(&key, &value.content);
                Some(self.insert(&key, value, weight))
            })
            .collect();
        let merged = merge_evenly(&own, &admitted);
        (self.newest, self.oldest, self.hand) = (NONE, NONE, NONE);
        for slot in merged.into_iter().rev() {
            self.link_newest(slot);
        }
        self.evict_to(self.configuration.capacity);
    }

    fn newest_first(&self) -> Vec<usize> {
        let mut slots = Vec::with_capacity(self.slots.len());
        let mut next = self.newest;
        while let Some(slot) = self.slots.get(next) {
            slots.push(next);
            next = slot.older;
        }
        slots
    }

    /// Fills a key in under the lease of its miss. The lease is void afterwards.
    pub fn fill(&mut self, key: &str, lease: u64, value: Value, now: Instant) -> Fill {
        if !self.leases.redeem(key, lease, now) {
            return Fill::Void;
        }
        let weight = weight(key, &value.content);
        let capacity = self.configuration.capacity;
        if weight > capacity {
            return Fill::TooLarge;
        }
        self.evict_to(capacity - weight);
        self.insert(key, value, weight);
        Fill::Stored
    }

    /// Removes an entry and voids the leases of its key.
    pub fn invalidate(&mut self, key: &str) {
        self.leases.void(key);
        if let Some(&slot) = self.index.get(key) {
            self.remove(slot);
        }
    }

    /// Removes everything and voids all leases.
    pub fn clear(&mut self) {
        self.slots = Vec::new();
        self.index = HashMap::new();
        (self.newest, self.oldest, self.hand) = (NONE, NONE, NONE);
        self.bytes = 0;
        self.leases.clear();
    }

    /// Keeps only entries, and leases, of the partitions that `owned` says yes to.
    pub fn retain(&mut self, owned: impl Fn(u8) -> bool) {
        // From the end: the slot that moves into a gap has been looked at.
        for slot in (0..self.slots.len()).rev() {
            if !owned(self.slots[slot].partition) {
                self.remove(slot);
            }
        }
        self.leases
            .retain(|key| owned(kit::placement::partition(key)));
    }

    /// Changes capacity and policy; what no longer fits goes at once.
    pub fn configure(&mut self, configuration: Configuration) {
        if configuration.policy != self.configuration.policy {
            self.hand = NONE;
        }
        self.configuration = configuration;
        self.evict_to(configuration.capacity);
    }

    fn evict_to(&mut self, bytes: u64) {
        while self.bytes > bytes {
            let victim = match self.configuration.policy {
                Policy::Lru => self.oldest,
                Policy::Random => self.random.random_range(0..self.slots.len()),
                Policy::Sieve => self.sift(),
            };
            self.remove(victim);
        }
    }

    /// From where the hand is towards the newest, and on from the oldest: the first entry that was
    /// not asked for since the hand passed it. Those passed now have to be asked for anew.
    /// Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024.
    fn sift(&mut self) -> usize {
        loop {
            if self.hand == NONE {
                self.hand = self.oldest;
            }
            let slot = &mut self.slots[self.hand];
            if !slot.asked {
                return self.hand;
            }
            slot.asked = false;
            self.hand = slot.newer;
        }
    }

    fn insert(&mut self, key: &str, value: Value, weight: u64) -> usize {
        let slot = self.slots.len();
        let partition = kit::placement::partition(key);
        let key: Arc<str> = key.into();
        self.index.insert(key.clone(), slot);
        self.slots.push(Slot {
            key,
            value,
            partition,
            asked: false,
            newer: NONE,
            older: NONE,
        });
        self.link_newest(slot);
        self.bytes += weight;
        slot
    }

    fn remove(&mut self, slot: usize) {
        if self.hand == slot {
            self.hand = self.slots[slot].newer;
        }
        self.unlink(slot);
        let gone = self.slots.swap_remove(slot);
        self.index.remove(&gone.key);
        self.bytes -= gone.weight();
        if slot < self.slots.len() {
            self.moved_to(slot);
        }
    }

    /// Tells the index, the hand and both neighbours that the last slot is at `slot` now.
    fn moved_to(&mut self, slot: usize) {
        if self.hand == self.slots.len() {
            self.hand = slot;
        }
        let Slot {
            ref key,
            newer,
            older,
            ..
        } = self.slots[slot];
        if let Some(place) = self.index.get_mut(key) {
            *place = slot;
        }
        self.set_older(newer, slot);
        self.set_newer(older, slot);
    }

    fn unlink(&mut self, slot: usize) {
        let Slot { newer, older, .. } = self.slots[slot];
        self.set_older(newer, older);
        self.set_newer(older, newer);
    }

    fn link_newest(&mut self, slot: usize) {
        let older = self.newest;
        self.slots[slot].newer = NONE;
        self.slots[slot].older = older;
        self.set_newer(older, slot);
        self.newest = slot;
    }

    fn set_older(&mut self, of: usize, slot: usize) {
        match self.slots.get_mut(of) {
            Some(neighbour) => neighbour.older = slot,
            None => self.newest = slot,
        }
    }

    fn set_newer(&mut self, of: usize, slot: usize) {
        match self.slots.get_mut(of) {
            Some(neighbour) => neighbour.newer = slot,
            None => self.oldest = slot,
        }
    }
}

/// Two orders as one, in which each goes by at its own even pace.
fn merge_evenly(a: &[usize], b: &[usize]) -> Vec<usize> {
    let mut merged = Vec::with_capacity(a.len() + b.len());
    let (mut of_a, mut of_b) = (0, 0);
    while of_a < a.len() || of_b < b.len() {
        // How far each would be after its next: (of + 1) / length, without division.
        let a_is_next =
            of_b == b.len() || (of_a < a.len() && (of_a + 1) * b.len() <= (of_b + 1) * a.len());
        if a_is_next {
            merged.push(a[of_a]);
            of_a += 1;
        } else {
            merged.push(b[of_b]);
            of_b += 1;
        }
    }
    merged
}

#[cfg(test)]
mod tests;
