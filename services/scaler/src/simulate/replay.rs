//! A pool that follows the scaler's decisions through a trace. Pure: the clock is the trace's.

use jiff::{SignedDuration, Timestamp};
use kit::scaling::{
    Decision, Mode, Outcome, Policy, Pool, RECENT_DECISIONS, RECENT_RESIZES, Situation,
};

use super::trace::{Row, Trace};
use crate::decide::decide;
use crate::process::PHASE;
use crate::window::{self, MINUTE, Minute, Window};

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// When the pool grows and shrinks.
    pub policy: Policy,
    /// The fewest nodes.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// Nodes at the start.
    pub start: u32,
    /// Minutes from a decision until the pool has its new size, 1 or more.
    pub resize_minutes: u32,
}

/// One tick, and what was measured in the minute before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// The scaler's decision.
    pub decision: Decision,
    /// Nodes that serve.
    pub serving: u32,
}

/// The scaler's decisions from the first minute of the trace that can be judged to the last.
#[must_use]
pub fn replay(trace: &Trace, conditions: &Conditions) -> Vec<Tick> {
    let mut pool = Simulated::new(conditions);
    let mut ticks = Vec::new();
    let mut rows = trace.rows().iter().peekable();
    let Some((first, last)) = trace.span() else {
        return ticks;
    };
    // At the tick in a minute, the one two minutes before can be judged.
    let judged_after = 2 * MINUTE;
    let mut start = first;
    while start <= last + judged_after {
        pool.go_on(start);
        if let Some(row) = rows.next_if(|row| row.start == start) {
            pool.measure(row);
        }
        if start >= first + judged_after {
            ticks.push(pool.tick(start + PHASE));
        }
        start += MINUTE;
    }
    ticks
}

/// The pool, and what manager and CloudWatch would know of it.
struct Simulated<'a> {
    conditions: &'a Conditions,
    wanted: u32,
    serving: u32,
    resized_at: Option<Timestamp>,
    minutes: Vec<Minute>,
    decisions: Vec<Decision>,
}

impl<'a> Simulated<'a> {
    fn new(conditions: &'a Conditions) -> Self {
        Self {
            conditions,
            wanted: conditions.start,
            serving: conditions.start,
            resized_at: None,
            minutes: Vec::new(),
            decisions: Vec::new(),
        }
    }

    fn go_on(&mut self, now: Timestamp) {
        if self.resized_at.is_some_and(|at| at <= now) {
            self.serving = self.wanted;
            self.resized_at = None;
        }
    }

    fn measure(&mut self, row: &Row) {
        let Some(lookups) = row.lookups else { return };
        self.minutes.push(Minute {
            start: row.start,
            lookups,
            misses: row.misses(lookups, self.serving),
            samples: row.samples.unwrap_or(window::all_samples(self.serving)),
        });
    }

    fn tick(&mut self, now: Timestamp) -> Tick {
        let recent = window::candidates(now);
        self.minutes.retain(|minute| minute.start >= recent[1]);
        let window = Window::Read(self.minutes.clone());
        let decision = decide(&self.situation(), &window, now);
        if decision.outcome != Outcome::Held {
            let minutes = i64::from(self.conditions.resize_minutes);
            self.wanted = decision.to;
            self.resized_at = Some(now - PHASE + SignedDuration::from_mins(minutes));
        }
        self.decisions.push(decision.clone());
        Tick {
            decision,
            serving: self.serving,
        }
    }

    fn situation(&self) -> Situation {
        Situation {
            mode: Mode::Auto,
            policy: self.conditions.policy,
            pool: Pool {
                size: self.wanted,
                min: self.conditions.min,
                max: self.conditions.max,
                serving: self.serving,
                is_steady: self.resized_at.is_none(),
                hold: None,
            },
            decisions: self.remembered(),
            changes: Vec::new(),
        }
    }

    /// As much as the manager tells.
    fn remembered(&self) -> Vec<Decision> {
        let recent = self.decisions.len().saturating_sub(RECENT_DECISIONS);
        let (older, recent) = self.decisions.split_at(recent);
        let resizes = older
            .iter()
            .filter(|decision| decision.outcome != Outcome::Held);
        let skipped = resizes.clone().count().saturating_sub(RECENT_RESIZES);
        resizes.skip(skipped).chain(recent).cloned().collect()
    }
}
