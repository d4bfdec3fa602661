//! Leases: who missed a key may fill it in, unless something happened to the key since.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Leases kept at a time; beyond it the oldest is void.
pub const LEASE_COUNT: usize = 16_384;
/// For how long a lease is good: longer than any fetch from the bucket.
pub const LEASE_AGE: Duration = Duration::from_secs(60);

struct Lease {
    number: u64,
    granted: Instant,
}

/// One lease a key: those who miss it at the same time share it, and the first to fill wins. Numbers
/// only grow, so their order is that of age.
pub(super) struct Leases {
    next: u64,
    by_key: HashMap<Arc<str>, Lease>,
    by_number: BTreeMap<u64, Arc<str>>,
}

impl Leases {
    pub(super) fn new(first: u64) -> Self {
        Self {
            next: first,
            by_key: HashMap::new(),
            by_number: BTreeMap::new(),
        }
    }

    /// The lease of `key`, a new one if it has none.
    pub(super) fn grant(&mut self, key: &str, now: Instant) -> u64 {
        match self.by_key.get(key) {
            Some(lease) if is_good(lease, now) => return lease.number,
            Some(_) => self.void(key),
            None => {}
        }
        self.make_room(now);
        let number = self.next;
        self.next += 1;
        let key: Arc<str> = key.into();
        self.by_number.insert(number, key.clone());
        self.by_key.insert(
            key,
            Lease {
                number,
                granted: now,
            },
        );
        number
    }

    /// Whether `number` is the good lease of `key`, which it is no more afterwards.
    pub(super) fn redeem(&mut self, key: &str, number: u64, now: Instant) -> bool {
        let good = self
            .by_key
            .get(key)
            .is_some_and(|lease| lease.number == number && is_good(lease, now));
        if good {
            self.void(key);
        }
        good
    }

    pub(super) fn void(&mut self, key: &str) {
        if let Some(lease) = self.by_key.remove(key) {
            self.by_number.remove(&lease.number);
        }
    }

    pub(super) fn clear(&mut self) {
        self.by_key.clear();
        self.by_number.clear();
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.by_key.retain(|key, _| keep(key));
        self.by_number.retain(|_, key| keep(key));
    }

    /// Voids what is too old, and the oldest if there are too many.
    fn make_room(&mut self, now: Instant) {
        while let Some((_, key)) = self.by_number.first_key_value() {
            let old = self
                .by_key
                .get(key)
                .is_none_or(|lease| !is_good(lease, now));
            if !old && self.by_number.len() < LEASE_COUNT {
                return;
            }
            let key = key.clone();
            self.void(&key);
        }
    }
}

fn is_good(lease: &Lease, now: Instant) -> bool {
    now.saturating_duration_since(lease.granted) < LEASE_AGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_good_once_for_its_key() {
        let now = Instant::now();
        let mut leases = Leases::new(5);
        let lease = leases.grant("a", now);
        assert_eq!(
            leases.grant("a", now),
            lease,
            "misses at the same time share it"
        );
        assert!(!leases.redeem("b", lease, now));
        assert!(!leases.redeem("a", lease + 1, now));
        assert!(leases.redeem("a", lease, now));
        assert!(!leases.redeem("a", lease, now));
        assert_ne!(leases.grant("a", now), lease);
    }

    #[test]
    fn a_voided_lease_stays_void_after_the_next_miss() {
        let now = Instant::now();
        let mut leases = Leases::new(5);
        let before = leases.grant("a", now);
        leases.void("a");
        let after = leases.grant("a", now);
        assert!(!leases.redeem("a", before, now));
        assert!(leases.redeem("a", after, now));
    }

    #[test]
    fn leases_are_bounded_in_age_and_number() {
        let start = Instant::now();
        let mut leases = Leases::new(0);
        let first = leases.grant("first", start);
        assert!(!leases.redeem("first", first, start + LEASE_AGE));
        assert_ne!(leases.grant("first", start + LEASE_AGE), first);

        let mut leases = Leases::new(0);
        let first = leases.grant("first", start);
        for number in 0..LEASE_COUNT * 2 {
            leases.grant(&number.to_string(), start);
        }
        assert_eq!(
            (leases.by_key.len(), leases.by_number.len()),
            (LEASE_COUNT, LEASE_COUNT)
        );
        assert!(!leases.redeem("first", first, start));
        leases.grant("later", start + LEASE_AGE);
        assert_eq!((leases.by_key.len(), leases.by_number.len()), (1, 1));
    }
}
