//! Session tokens of version 2 of the metadata service.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::distr::{Alphanumeric, SampleString as _};

/// Most tokens at a time; the oldest goes first.
const MOST: usize = 4096;

/// The tokens of one instance. They end with localcloud.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<HashMap<String, Instant>>);

impl Tokens {
    pub(super) fn issue(&self, lifetime: Duration) -> String {
        let token = Alphanumeric.sample_string(&mut rand::rng(), 56);
        let now = Instant::now();
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, end| *end > now);
        if tokens.len() >= MOST
            && let Some(first) = tokens
                .iter()
                .min_by_key(|(_, end)| **end)
                .map(|(t, _)| t.clone())
        {
            tokens.remove(&first);
        }
        tokens.insert(token.clone(), now + lifetime);
        token
    }

    pub(super) fn is_valid(&self, token: &str) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(token)
            .is_some_and(|end| *end > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_time_only() {
        let tokens = Tokens::default();
        let good = tokens.issue(Duration::from_secs(60));
        let ended = tokens.issue(Duration::ZERO);
        assert!(tokens.is_valid(&good));
        assert!(!tokens.is_valid(&ended));
        assert!(!tokens.is_valid("guessed"));
    }
}
