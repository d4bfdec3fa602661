//! What the manager and the scaler say to each other (JSON bodies of `/internal/scaling`).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where they say it: `GET` answers a [`Situation`], `POST` takes a [`Decision`].
pub const PATH: &str = "/internal/scaling";

/// How many of the newest decisions a [`Situation`] holds: five hours.
pub const RECENT_DECISIONS: usize = 300;
/// How many of the newest decisions that resized it holds beside them.
pub const RECENT_RESIZES: usize = 100;

/// Who decides the pool's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A person.
    Manual,
    /// The scaler.
    Auto,
}

/// When the pool grows and shrinks, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    /// The miss rate above which it grows, up to 1.
    pub max_miss: f64,
    /// The miss rate below which it shrinks, from 0, below `max_miss`.
    pub min_miss: f64,
    /// The factor by which it grows, above 1.
    pub exp_ratio: f64,
    /// The factor by which it shrinks, between 0 and 1.
    pub shrink_ratio: f64,
}

/// The pool at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pool {
    /// Nodes wished for.
    pub size: u32,
    /// The fewest that may be wished for.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// Nodes that serve.
    pub serving: u32,
    /// Whether it is as wished: every place served, no node coming or going.
    pub is_steady: bool,
    /// Why no node can be launched at the moment, if so.
    pub hold: Option<String>,
}

/// A value of the configuration that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// Which value, by its name in `configure_cache`.
    pub what: String,
    /// Whether it was the scaler that changed it.
    pub by_scaler: bool,
}

/// What the scaler found the pool to be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is as wished, and a whole minute was measured since.
    Steady,
    /// It is not as wished yet.
    Resizing,
    /// It is as wished; no whole minute was measured since.
    Cooling,
}

/// What the scaler does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It makes the pool larger.
    Grew,
    /// It makes the pool smaller.
    Shrank,
    /// It leaves the pool as it is.
    Held,
}

/// One tick of the scaler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// What the pool was doing.
    pub state: State,
    /// What is done.
    pub outcome: Outcome,
    /// Why, for people.
    pub reason: String,
    /// The size that was found.
    pub size: u32,
    /// The size that is wished for; `size` when held.
    pub to: u32,
    /// Misses by lookups in the minute judged, if one was and had lookups.
    pub rate: Option<f64>,
    /// Lookups in the minute judged.
    pub lookups: Option<u64>,
    /// Start of the minute judged.
    pub minute: Option<Timestamp>,
}

/// All that the manager knows and a decision needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Situation {
    /// Who decides the size.
    pub mode: Mode,
    /// By which policy.
    pub policy: Policy,
    /// The pool.
    pub pool: Pool,
    /// What the scaler decided before, oldest first: the newest ticks, and older ones that resized.
    pub decisions: Vec<Decision>,
    /// What was changed of the configuration, oldest first.
    pub changes: Vec<Change>,
}

impl Decision {
    /// Whether size and outcome agree, the rate is one, and the reason is a text that can be stored.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let outcome = match self.to.cmp(&self.size) {
            std::cmp::Ordering::Greater => Outcome::Grew,
            std::cmp::Ordering::Less => Outcome::Shrank,
            std::cmp::Ordering::Equal => Outcome::Held,
        };
        let is_rate = |rate: f64| (0.0..=1.0).contains(&rate);
        self.size.min(self.to) >= 1
            && self.outcome == outcome
            && self.rate.is_none_or(is_rate)
            && !self.reason.contains('\0')
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn held() -> Decision {
        serde_json::from_str(
            r#"{"at":"2026-01-01T10:00:31Z","state":"cooling","outcome":"held","reason":"r",
                "size":2,"to":2,"rate":null,"lookups":null,"minute":null}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_decision_that_contradicts_itself_is_not_sound() {
        assert!(held().is_sound());
        for (to, outcome, rate) in [
            (3, Outcome::Held, None),
            (2, Outcome::Grew, None),
            (3, Outcome::Shrank, None),
            (1, Outcome::Grew, None),
            (0, Outcome::Shrank, None),
            (2, Outcome::Held, Some(1.1)),
            (2, Outcome::Held, Some(f64::NAN)),
        ] {
            let wrong = Decision {
                to,
                outcome,
                rate,
                ..held()
            };
            assert!(!wrong.is_sound(), "{wrong:?}");
        }
        let reason = "a\0b".to_owned();
        assert!(!Decision { reason, ..held() }.is_sound());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let text = serde_json::to_string(&held()).unwrap();
        let more = text.replacen('{', r#"{"force":true,"#, 1);
        assert!(serde_json::from_str::<Decision>(&text).is_ok());
        assert!(serde_json::from_str::<Decision>(&more).is_err());
    }
}
