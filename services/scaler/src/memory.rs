//! What the scaler remembers, all of it recalled from the decisions and changes that the manager
//! has stored: when the pool last came to rest, and which size was too small for its load.

use jiff::{SignedDuration, Timestamp};
use kit::scaling::{Change, Decision, Outcome, Situation, State};

/// So many judged minutes after a resize say what the load is like at the new size; the lowest of them
/// counts, as a cache that is still filling misses less from minute to minute.
const SETTLING: u32 = 5;
/// A pool that was shrunk in spite of what is remembered, and had to grow again within this time, was
/// shrunk wrongly. It takes four minutes until the first decision after a resize.
const TRIAL: SignedDuration = SignedDuration::from_mins(10);
/// A load is visibly lighter at half the misses, if that is this much of all lookups. For the margins
/// see docs/decisions/0016-a-size-that-was-too-small.md.
const LESS: f64 = 0.05;
/// It is so too at one lookup where there were so many.
const FEWER: u64 = 4;

/// What was measured in a minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Misses by lookups.
    pub rate: f64,
    /// Lookups.
    pub lookups: u64,
}

impl Load {
    /// What a decision was made on.
    #[must_use]
    pub fn of(decision: &Decision) -> Option<Self> {
        Some(Self {
            rate: decision.rate?,
            lookups: decision.lookups?,
        })
    }

    fn lowest(self, other: Self) -> Self {
        Self {
            rate: self.rate.min(other.rate),
            lookups: self.lookups.min(other.lookups),
        }
    }

    /// Whether nobody would take this for the same load as `usual`.
    fn is_visibly_lighter_than(self, usual: Self) -> bool {
        let misses_less = self.rate <= usual.rate / 2.0 && usual.rate - self.rate >= LESS;
        let is_asked_less = self.lookups.saturating_mul(FEWER) <= usual.lookups;
        misses_less || is_asked_less
    }
}

/// A size at which the pool missed too much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TooSmall {
    /// Nodes.
    pub size: u32,
    /// What was measured there.
    pub load: Load,
}

/// A shrinking to a size that had been too small, because the load had become lighter.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Trial {
    at: Timestamp,
    load: Load,
}

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// When the resize was asked for that disturbed the pool last, if one did.
    resized: Option<Timestamp>,
    /// When the pool was first seen at rest again, after it had not been.
    rested: Option<Timestamp>,
    is_at_rest: bool,
    too_small: Option<TooSmall>,
    /// The lightest of the first minutes at this size, and how many those are.
    usual: Option<(Load, u32)>,
    trial: Option<Trial>,
    /// The lightest load of a trial that failed: the next one needs a lighter one still.
    failed: Option<Load>,
}

impl Memory {
    /// Goes through all that is stored, in the order in which it happened.
    #[must_use]
    pub fn recall(situation: &Situation) -> Self {
        let mut memory = Self {
            is_at_rest: true,
            ..Self::default()
        };
        let mut changes = situation.changes.iter().peekable();
        for decision in &situation.decisions {
            while let Some(change) = changes.next_if(|change| change.at <= decision.at) {
                memory.take_change(change);
            }
            memory.take_decision(decision);
        }
        changes.for_each(|change| memory.take_change(change));
        memory
    }

    /// Whatever people change makes what was measured before say nothing of what comes.
    fn take_change(&mut self, change: &Change) {
        if change.by_scaler || change.what == "mode" {
            return;
        }
        (self.too_small, self.trial, self.failed) = (None, None, None);
        match change.what.as_str() {
            "numNodes" => self.begin_resize(change.at),
            "cacheSize" | "policy" => self.disturb(),
            _ => {}
        }
    }

    fn take_decision(&mut self, decision: &Decision) {
        if decision.state == State::Resizing {
            self.disturb();
        } else if !self.is_at_rest {
            self.is_at_rest = true;
            self.rested = Some(decision.at);
        }
        match (decision.outcome, Load::of(decision)) {
            (Outcome::Grew, load) => {
                self.end_trial(decision.at);
                self.too_small = load.map(|load| TooSmall {
                    size: decision.size,
                    load,
                });
                self.begin_resize(decision.at);
            }
            (Outcome::Shrank, load) => {
                if self
                    .too_small
                    .is_some_and(|known| decision.to <= known.size)
                {
                    self.too_small = None;
                    self.trial = load.map(|load| Trial {
                        at: decision.at,
                        load,
                    });
                }
                self.begin_resize(decision.at);
            }
            (Outcome::Held, Some(load)) => self.get_used_to(load),
            (Outcome::Held, None) => {}
        }
    }

    fn begin_resize(&mut self, at: Timestamp) {
        self.disturb();
        self.resized = Some(at);
    }

    fn disturb(&mut self) {
        if self.is_at_rest {
            // Whatever it is now, it is not the last resize any more.
            self.resized = None;
        }
        self.is_at_rest = false;
        self.usual = None;
    }

    fn get_used_to(&mut self, load: Load) {
        self.usual = match self.usual {
            None => Some((load, 1)),
            Some((usual, minutes)) if minutes < SETTLING => Some((usual.lowest(load), minutes + 1)),
            settled => settled,
        };
    }

    /// The pool grows: a trial that was going on has failed; one that is long ago had not.
    fn end_trial(&mut self, at: Timestamp) {
        let Some(trial) = self.trial.take() else {
            return;
        };
        self.failed = (at.duration_since(trial.at) < TRIAL).then(|| match self.failed {
            Some(failed) => failed.lowest(trial.load),
            None => trial.load,
        });
    }

    /// The start of the first minute that is measured at rest, with the pool at rest at `now`.
    #[must_use]
    pub fn at_rest_since(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_at_rest {
            self.rested
        } else {
            Some(now)
        }
    }

    /// When the resize was asked for that disturbed the pool last; `None` if something else did.
    #[must_use]
    pub fn resized(&self) -> Option<Timestamp> {
        self.resized
    }

    /// The size to which a pool under this load does not shrink again.
    #[must_use]
    pub fn too_small_for(&self, load: Load) -> Option<TooSmall> {
        self.too_small
            .filter(|known| !self.is_lighter(load, known.load))
    }

    /// Whether the load is lighter than the one that made the pool grow, which is known by its misses
    /// at the present size and by its lookups at either.
    fn is_lighter(&self, load: Load, grown_under: Load) -> bool {
        let Some((usual, SETTLING)) = self.usual else {
            return false;
        };
        let known = Load {
            rate: usual.rate,
            lookups: usual.lookups.max(grown_under.lookups),
        };
        let known = self.failed.map_or(known, |failed| known.lowest(failed));
        load.is_visibly_lighter_than(known)
    }
}
