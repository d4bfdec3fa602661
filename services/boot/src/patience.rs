//! Trying again until it works, with few words.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::Times;

/// Why an attempt came to nothing.
pub(crate) struct Trouble {
    /// What kind it is: each kind is told once.
    pub(crate) cause: String,
    /// The whole story.
    pub(crate) detail: String,
    /// Whether it is to be expected for any length of time.
    pub(crate) expected: bool,
}

/// How long to wait before the next attempt, and whether to say so.
pub(crate) struct Patience {
    wait: Duration,
    times: Times,
    since: Option<Instant>,
    told: HashSet<String>,
    alarmed: bool,
}

impl Patience {
    pub(crate) fn new(times: Times) -> Self {
        Self {
            wait: times.first_wait,
            times,
            since: None,
            told: HashSet::new(),
            alarmed: false,
        }
    }

    /// Attempts until it works.
    pub(crate) async fn insist<T, F>(mut self, doing: &str, mut attempt: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        loop {
            match attempt().await {
                Ok(done) => {
                    if !self.told.is_empty() {
                        tracing::info!("{doing}: done");
                    }
                    return done;
                }
                Err(trouble) => self.bear(doing, trouble, Instant::now()),
            }
            tokio::time::sleep(self.next_wait()).await;
        }
    }

    fn bear(&mut self, doing: &str, trouble: Trouble, now: Instant) {
        let Trouble {
            cause,
            detail,
            expected,
        } = trouble;
        if expected {
            self.since = None;
        }
        let since = *self.since.get_or_insert(now);
        if self.told.insert(cause.clone()) {
            if expected {
                tracing::info!(cause, "{doing}: waiting: {detail}");
            } else {
                tracing::warn!(cause, "{doing}: trying again: {detail}");
            }
        }
        if !expected && !self.alarmed && now.duration_since(since) >= self.times.patience {
            self.alarmed = true;
            let seconds = self.times.patience.as_secs();
            tracing::error!(
                cause,
                "{doing}: has failed for {seconds} s and needs somebody to look at it; still trying: {detail}"
            );
        }
    }

    fn next_wait(&mut self) -> Duration {
        let wait = self.wait;
        self.wait = (wait * 2).min(self.times.longest_wait);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(cause: &str, expected: bool) -> Trouble {
        Trouble {
            cause: cause.to_owned(),
            detail: String::new(),
            expected,
        }
    }

    #[test]
    fn waits_grow_to_a_limit() {
        let mut patience = Patience::new(Times::default());
        let waits: Vec<u128> = (0..8).map(|_| patience.next_wait().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }

    #[test]
    fn a_failure_alarms_once_and_an_expected_wait_never() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut patience = Patience::new(Times::default());
        patience.bear("x", trouble("NoSuchKey", true), start);
        patience.bear("x", trouble("NoSuchKey", true), after(1000));
        assert!(!patience.alarmed);
        patience.bear("x", trouble("AccessDenied", false), after(1000));
        patience.bear("x", trouble("AccessDenied", false), after(1179));
        assert!(!patience.alarmed, "it counts from the first failure");
        patience.bear("x", trouble("AccessDenied", false), after(1181));
        assert!(patience.alarmed);
        assert_eq!(patience.told.len(), 2);
    }
}
