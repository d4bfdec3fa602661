//! The minutes that CloudWatch has counted, and which of them can be judged.

use jiff::{SignedDuration, Timestamp};

/// The length of a minute as CloudWatch counts it.
pub const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// How long after its end a minute is taken for counted: its figures arrive up to two minutes late.
pub const DELAY: SignedDuration = SignedDuration::from_secs(90);
/// What a node publishes in a minute, every five seconds, and how much of that makes a minute
/// complete: nodes' clocks and the minute's bounds do not meet, and a figure may be lost.
const SAMPLES: u64 = 12;
const ENOUGH: u64 = 10;

/// What the whole pool counted in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute {
    /// When it began.
    pub start: Timestamp,
    /// Reads of entries.
    pub lookups: u64,
    /// Those that did not find their entry.
    pub misses: u64,
    /// How many times a node published its lookups.
    pub samples: u64,
}

impl Minute {
    /// Misses by lookups; none without lookups, or if the figures contradict each other.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let is_rate = self.lookups > 0 && self.misses <= self.lookups;
        is_rate.then(|| self.misses as f64 / self.lookups as f64)
    }
}

/// What is known of the last minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// What CloudWatch has; minutes without figures are left out.
    Read(Vec<Minute>),
    /// It could not be read: why.
    Unread(String),
}

/// Start of the newest minute that ended long enough ago to be judged at `now`.
#[must_use]
pub fn newest(now: Timestamp) -> Timestamp {
    let counted = (now - DELAY - MINUTE).as_second();
    let start = counted - counted.rem_euclid(MINUTE.as_secs());
    // Whole seconds of a time that exists exist.
    Timestamp::from_second(start).unwrap_or(now)
}

/// The minutes that may be judged at `now`, newest first. Older ones say too little of the present.
#[must_use]
pub fn candidates(now: Timestamp) -> [Timestamp; 2] {
    let newest = newest(now);
    [newest, newest - MINUTE]
}

/// How many samples make a minute of a pool of `size` nodes complete.
#[must_use]
pub fn enough_samples(size: u32) -> u64 {
    ENOUGH * u64::from(size)
}

/// How many samples a pool of `size` nodes gives in a minute.
#[must_use]
pub fn all_samples(size: u32) -> u64 {
    SAMPLES * u64::from(size)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("2026-01-01T{time}Z").parse().unwrap()
    }

    #[test]
    fn a_minute_is_judged_ninety_seconds_after_its_end() {
        for (now, start) in [
            ("10:05:30", "10:03:00"),
            ("10:05:29.999", "10:02:00"),
            ("10:06:00", "10:03:00"),
            ("10:06:31", "10:04:00"),
            ("00:01:31", "23:59:00"),
        ] {
            let start = at(start);
            let newest = newest(at(now));
            assert_eq!(
                newest.as_second().rem_euclid(86_400),
                start.as_second().rem_euclid(86_400)
            );
        }
    }

    #[test]
    fn no_lookups_or_nonsense_is_no_rate() {
        let minute = |lookups, misses| Minute {
            start: at("10:00:00"),
            lookups,
            misses,
            samples: 12,
        };
        assert_eq!(minute(0, 0).rate(), None);
        assert_eq!(minute(3, 4).rate(), None);
        assert_eq!(minute(4, 3).rate(), Some(0.75));
        assert_eq!(minute(u64::MAX, u64::MAX).rate(), Some(1.0));
    }
}
