//! When requests are due.

use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::units::Rate;

/// When the next request is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// At a fixed rate, whatever becomes of the ones before. A request's latency counts from the
    /// instant at which it was due (no "coordinated omission": who is late has made somebody wait).
    Open {
        /// How many in a second.
        rate: Rate,
        /// How many may wait for an answer at once. One more is not sent, and counts as failed.
        in_flight: usize,
    },
    /// Each of some clients sends its next request when it has had the answer to the last.
    Closed {
        /// How many.
        clients: usize,
        /// For how long each pauses in between.
        think: Duration,
    },
}

/// Tells of each request when it is due, until nobody listens.
///
/// On a thread of its own: it sleeps to some ten microseconds, where timers of the runtime count
/// whole milliseconds, which would all be counted as latency.
pub(super) fn metronome(rate: Rate) -> UnboundedReceiver<Instant> {
    let (tell, told) = unbounded_channel();
    let begin = Instant::now();
    let beat = move || {
        for number in 0_u64.. {
            let due = begin + Duration::from_secs_f64(number as f64 / rate.per_second());
            let left = due.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                thread::sleep(left);
            }
            if tell.send(due).is_err() {
                return;
            }
        }
    };
    thread::spawn(beat);
    told
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[tokio::test]
    async fn requests_are_due_at_their_rate_however_late_they_are_taken() {
        let mut dues = metronome("1000".parse().unwrap());
        let first = dues.recv().await.unwrap();
        for number in 1..100 {
            let due = dues.recv().await.unwrap();
            assert_eq!((due - first).as_millis(), number);
            assert!(due <= Instant::now(), "not before it is due");
        }
    }
}
