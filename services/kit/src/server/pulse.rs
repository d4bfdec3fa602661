//! What each connection is at, so that one that does nothing can make room for another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// One connection, as its socket, its request and the accept loop see it.
#[derive(Debug)]
pub(crate) struct Pulse {
    busy: AtomicBool,
    lasting: AtomicBool,
    requests: AtomicU64,
    answered: AtomicBool,
    begun: Instant,
    /// Milliseconds after `begun`.
    moved: AtomicU64,
    unwanted: AtomicBool,
    told: Notify,
}

impl Pulse {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            busy: AtomicBool::new(false),
            lasting: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            answered: AtomicBool::new(true),
            begun: Instant::now(),
            moved: AtomicU64::new(0),
            unwanted: AtomicBool::new(false),
            told: Notify::new(),
        })
    }

    /// A request has come; it is in work until what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.busy.store(true, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.answered.store(false, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// Whether a request is in work: from its head until its answer is in the connection's buffer.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Whether the answer in work is one that lasts, with long silences in it.
    pub(super) fn is_lasting(&self) -> bool {
        self.lasting.load(Ordering::Relaxed)
    }

    /// How many requests have come.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Everything that was to be written is written.
    pub(super) fn flushed(&self) {
        if !self.is_busy() {
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the answers to all requests so far are out.
    pub(super) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Something came or went.
    pub(super) fn moved(&self, now: Instant) {
        let since = now.duration_since(self.begun).as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        self.moved.store(since, Ordering::Relaxed);
    }

    fn last_moved(&self) -> Instant {
        self.begun + std::time::Duration::from_millis(self.moved.load(Ordering::Relaxed))
    }

    /// Waits until another connection needs the place and no request is in work.
    pub(super) async fn unwanted(&self) {
        loop {
            self.told.notified().await;
            if !self.is_busy() {
                return;
            }
            self.unwanted.store(false, Ordering::Relaxed);
        }
    }
}

/// A request in work.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Pulse>);

impl Busy {
    /// Its answer lasts: see [`crate::body::lasting`].
    pub(crate) fn last(&self) {
        self.0.lasting.store(true, Ordering::Relaxed);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lasting.store(false, Ordering::Relaxed);
        self.0.busy.store(false, Ordering::Relaxed);
    }
}

/// The connections that are open, by the address of their pulse.
#[derive(Debug, Default)]
pub(super) struct Open(Mutex<HashMap<usize, Arc<Pulse>>>);

impl Open {
    /// Keeps a connection until what is returned is dropped.
    pub(super) fn enter(self: &Arc<Self>, pulse: Arc<Pulse>) -> Place {
        let address = Arc::as_ptr(&pulse).addr();
        self.lock().insert(address, pulse);
        Place {
            open: Arc::clone(self),
            address,
        }
    }

    /// Tells the connection that has been without a request for the longest that its place is
    /// needed.
    pub(super) fn end_longest_idle(&self) {
        let open = self.lock();
        let idle = open
            .values()
            .filter(|pulse| !pulse.is_busy() && !pulse.unwanted.load(Ordering::Relaxed))
            .min_by_key(|pulse| pulse.last_moved());
        if let Some(pulse) = idle {
            pulse.unwanted.store(true, Ordering::Relaxed);
            pulse.told.notify_one();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<usize, Arc<Pulse>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place among the open ones.
#[derive(Debug)]
pub(super) struct Place {
    open: Arc<Open>,
    address: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.lock().remove(&self.address);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_longest_idle_one_makes_room_and_no_busy_one() {
        let open = Arc::new(Open::default());
        let [busy, old, new] = [Pulse::new(), Pulse::new(), Pulse::new()];
        let _places = [&busy, &old, &new].map(|pulse| open.enter(Arc::clone(pulse)));
        let request = busy.begin();
        new.moved(Instant::now() + Duration::from_secs(1));
        let told = |pulse: &Pulse| pulse.unwanted.load(Ordering::Relaxed);
        open.end_longest_idle();
        assert_eq!((told(&busy), told(&old), told(&new)), (false, true, false));
        open.end_longest_idle();
        open.end_longest_idle();
        assert_eq!((told(&busy), told(&new)), (false, true));
        drop(request);
        open.end_longest_idle();
        assert!(told(&busy));
    }
}
