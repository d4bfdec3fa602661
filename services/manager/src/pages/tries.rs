//! Wrong passwords are counted: by the address they come from, so that one who guesses does not lock
//! out the others, and all together, so that many who guess do not get far.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Wrong passwords from one address in [`WINDOW`]; then it waits.
const BY_ADDRESS: usize = 5;
/// Wrong passwords from anywhere in [`WINDOW`]; then everybody waits.
const OVERALL: usize = 50;
const WINDOW: Duration = Duration::from_secs(60);

/// Wrong passwords of the last minute, oldest first.
#[derive(Default)]
pub(super) struct Tries(Mutex<VecDeque<(Instant, IpAddr)>>);

impl Tries {
    /// How long somebody at this address may not try, if so.
    pub(super) fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let tries = self.recent(now);
        let own = tries.iter().filter(|(_, from)| *from == address);
        let own_limit = nth_newest(own, BY_ADDRESS);
        let limit = nth_newest(tries.iter(), OVERALL).max(own_limit)?;
        Some(WINDOW.saturating_sub(now.duration_since(limit)))
    }

    /// Notes a wrong password.
    pub(super) fn wrong(&self, address: IpAddr, now: Instant) {
        self.recent(now).push_back((now, address));
    }

    fn recent(&self, now: Instant) -> MutexGuard<'_, VecDeque<(Instant, IpAddr)>> {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tries.retain(|(at, _)| now.duration_since(*at) < WINDOW);
        tries
    }
}

/// When the n-th newest of the tries was: once it is older than the window, there are fewer than n.
fn nth_newest<'a>(
    tries: impl DoubleEndedIterator<Item = &'a (Instant, IpAddr)>,
    n: usize,
) -> Option<Instant> {
    tries.rev().nth(n - 1).map(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn after_five_wrong_passwords_in_a_minute_their_address_waits_and_others_do_not() {
        let tries = Tries::default();
        let start = Instant::now();
        for second in 0..5 {
            let now = start + Duration::from_secs(second);
            assert_eq!(tries.wait(address(1), now), None);
            tries.wrong(address(1), now);
        }
        let now = start + Duration::from_secs(10);
        assert_eq!(tries.wait(address(1), now), Some(Duration::from_secs(50)));
        assert_eq!(tries.wait(address(2), now), None);
        assert_eq!(tries.wait(address(1), start + WINDOW), None);
    }

    #[test]
    fn many_addresses_together_make_everybody_wait() {
        let tries = Tries::default();
        let start = Instant::now();
        for last in 0..50 {
            assert_eq!(tries.wait(address(last), start), None);
            tries.wrong(address(last), start);
        }
        assert_eq!(tries.wait(address(99), start), Some(WINDOW));
        assert_eq!(tries.wait(address(99), start + WINDOW), None);
    }

    #[test]
    fn what_is_remembered_does_not_grow() {
        let tries = Tries::default();
        let start = Instant::now();
        for second in 0..1000 {
            tries.wrong(address(1), start + Duration::from_secs(second));
        }
        assert_eq!(tries.0.lock().unwrap().len(), 60);
    }
}
