//! What happened in the last minute, in steps of five seconds.

use std::time::{Duration, Instant};

use kit::pool::Counts;

/// The length of a sample.
pub const STEP: Duration = Duration::from_secs(5);
/// Samples in a minute, the running one included.
const SAMPLES: usize = 12;

/// Counts of the last minute and of all time.
pub struct Window {
    start: Instant,
    samples: [(u64, Counts); SAMPLES],
    total: Counts,
}

impl Window {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(start: Instant) -> Self {
        Self {
            start,
            samples: [(0, Counts::default()); SAMPLES],
            total: Counts::default(),
        }
    }

    /// Counts at `now`.
    pub fn count(&mut self, now: Instant, counts: Counts) {
        let step = self.step(now);
        let sample = &mut self.samples[slot(step)];
        if sample.0 != step {
            *sample = (step, Counts::default());
        }
        add(&mut sample.1, counts);
        add(&mut self.total, counts);
    }

    /// All that was ever counted.
    #[must_use]
    pub fn total(&self) -> Counts {
        self.total
    }

    /// What was counted in the running step and the eleven before it.
    #[must_use]
    pub fn last_minute(&self, now: Instant) -> Counts {
        let step = self.step(now);
        let mut counts = Counts::default();
        for (sampled, sample) in &self.samples {
            if sampled + SAMPLES as u64 > step {
                add(&mut counts, *sample);
            }
        }
        counts
    }

    fn step(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_secs() / STEP.as_secs()
    }
}

fn slot(step: u64) -> usize {
    usize::try_from(step % SAMPLES as u64).unwrap_or(0)
}

fn add(counts: &mut Counts, more: Counts) {
    counts.requests += more.requests;
    counts.hits += more.hits;
    counts.misses += more.misses;
    counts.lookups += more.lookups;
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Counts = Counts {
        requests: 1,
        hits: 1,
        misses: 0,
        lookups: 1,
    };

    #[test]
    fn a_minute_rolls_by_in_steps_of_five_seconds() {
        let start = Instant::now();
        let mut window = Window::new(start);
        let after = |seconds| start + Duration::from_secs(seconds);
        window.count(start, ONE);
        window.count(after(7), ONE);
        assert_eq!(window.last_minute(after(7)).hits, 2);
        assert_eq!(window.last_minute(after(59)).hits, 2);
        assert_eq!(window.last_minute(after(60)).hits, 1);
        assert_eq!(window.last_minute(after(65)).hits, 0);
        assert_eq!(window.last_minute(after(6000)).hits, 0);
        window.count(after(6000), ONE);
        assert_eq!(window.last_minute(after(6000)).hits, 1);
        assert_eq!(window.total().lookups, 3);
    }
}
