//! The decision: a pure function of what the manager says, what CloudWatch has counted, and the
//! clock.

use jiff::Timestamp;
use kit::scaling::{Decision, Outcome, Policy, Pool, Situation, State};

use crate::memory::{Load, Memory, TooSmall};
use crate::sizes;
use crate::window::{self, Minute, Window};

/// Decides on the size of a pool in mode auto.
#[must_use]
pub fn decide(situation: &Situation, window: &Window, now: Timestamp) -> Decision {
    let Situation { pool, policy, .. } = situation;
    let memory = Memory::recall(situation);
    let tick = Tick { pool, now };
    if let Some(reason) = unrest(pool) {
        return tick.held(State::Resizing, reason);
    }
    let since = memory.at_rest_since(now);
    if since.is_some_and(|since| window::newest(now) < since) {
        return tick.held(State::Cooling, cooling(&memory, now));
    }
    match judged(pool, window, since, now) {
        Ok(minute) => tick.judge(policy, &memory, &minute),
        Err(reason) => tick.held(State::Steady, format!("held: {reason}")),
    }
}

/// Why the pool is not as wished, if so.
fn unrest(pool: &Pool) -> Option<String> {
    if pool.is_steady {
        return None;
    }
    Some(match &pool.hold {
        Some(hold) => format!("resizing: {hold}"),
        None if pool.serving == pool.size => "resizing: nodes come or go".to_owned(),
        None => format!("resizing: {} -> {} nodes", pool.serving, pool.size),
    })
}

fn cooling(memory: &Memory, now: Timestamp) -> String {
    match memory.resized() {
        Some(resized) => {
            let ago = now.duration_since(resized).as_secs().max(0);
            format!("cooling: resized {ago} s ago")
        }
        None => "cooling: no whole minute since the pool came to rest".to_owned(),
    }
}

/// The newest minute at rest that is complete, or why there is none.
fn judged(
    pool: &Pool,
    window: &Window,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Result<Minute, String> {
    let minutes = match window {
        Window::Read(minutes) => minutes,
        Window::Unread(why) => return Err(format!("CloudWatch cannot be read: {why}")),
    };
    let at_rest = |start: &Timestamp| since.is_none_or(|since| *start >= since);
    let starts = window::candidates(now).into_iter().filter(at_rest);
    let known: Vec<&Minute> = starts
        .filter_map(|start| minutes.iter().find(|minute| minute.start == start))
        .collect();
    let enough = window::enough_samples(pool.size);
    let complete = known.iter().find(|minute| minute.samples >= enough);
    match (complete, known.first()) {
        (Some(minute), _) => Ok(**minute),
        (None, Some(part)) => Err(format!(
            "the last minute is incomplete, {} of {} figures",
            part.samples,
            window::all_samples(pool.size)
        )),
        (None, None) => Err("CloudWatch has no figures of the last minutes".to_owned()),
    }
}

/// What every decision of this tick says.
struct Tick<'a> {
    pool: &'a Pool,
    now: Timestamp,
}

impl Tick<'_> {
    fn held(&self, state: State, reason: String) -> Decision {
        Decision {
            at: self.now,
            state,
            outcome: Outcome::Held,
            reason,
            size: self.pool.size,
            to: self.pool.size,
            rate: None,
            lookups: None,
            minute: None,
        }
    }

    fn judge(&self, policy: &Policy, memory: &Memory, minute: &Minute) -> Decision {
        let decision = Decision {
            lookups: Some(minute.lookups),
            minute: Some(minute.start),
            ..self.held(State::Steady, String::new())
        };
        let Some(rate) = minute.rate() else {
            let reason = if minute.lookups == 0 {
                "held: no lookups in the last minute"
            } else {
                "held: CloudWatch has more misses than lookups"
            };
            return Decision {
                reason: reason.to_owned(),
                ..decision
            };
        };
        let load = Load {
            rate,
            lookups: minute.lookups,
        };
        let (to, reason) = self.size(policy, memory, load);
        Decision {
            rate: Some(rate),
            to,
            outcome: outcome(self.pool.size, to),
            reason,
            ..decision
        }
    }

    /// The size for a load, and why.
    fn size(&self, policy: &Policy, memory: &Memory, load: Load) -> (u32, String) {
        if load.rate > policy.max_miss {
            self.grow(policy, load.rate)
        } else if load.rate < policy.min_miss {
            self.shrink(policy, load.rate, memory.too_small_for(load))
        } else {
            let [min, rate, max] = distinct([policy.min_miss, load.rate, policy.max_miss]);
            let reason = format!("held: {rate} is between {min} and {max}");
            (self.pool.size, reason)
        }
    }

    fn grow(&self, policy: &Policy, rate: f64) -> (u32, String) {
        let (size, to) = (self.pool.size, sizes::grown(self.pool, policy));
        let [rate, max] = distinct([rate, policy.max_miss]);
        if to > size {
            (to, format!("grew {size} -> {to}: {rate} above {max}"))
        } else {
            let reason = format!("held: {rate} is above {max}, at the largest size");
            (size, reason)
        }
    }

    fn shrink(&self, policy: &Policy, rate: f64, known: Option<TooSmall>) -> (u32, String) {
        let size = self.pool.size;
        let least = sizes::shrunk(self.pool, policy);
        let to = known.map_or(least, |known| least.max(known.size + 1));
        let [rate, min] = distinct([rate, policy.min_miss]);
        let remembered = known.filter(|known| known.size >= least);
        match remembered {
            Some(known) if to >= size => {
                let reason = format!("held: {}", missed(&known));
                (size, reason)
            }
            Some(known) => {
                let why = missed(&known);
                let reason = format!("shrank {size} -> {to}: {rate} below {min}; {why}");
                (to, reason)
            }
            None if to < size => (to, format!("shrank {size} -> {to}: {rate} below {min}")),
            None => {
                let reason = format!("held: {rate} is below {min}, at the smallest size");
                (size, reason)
            }
        }
    }
}

fn outcome(size: u32, to: u32) -> Outcome {
    match to.cmp(&size) {
        std::cmp::Ordering::Greater => Outcome::Grew,
        std::cmp::Ordering::Less => Outcome::Shrank,
        std::cmp::Ordering::Equal => Outcome::Held,
    }
}

fn missed(known: &TooSmall) -> String {
    let nodes = if known.size == 1 { "node" } else { "nodes" };
    format!(
        "at {} {nodes} the rate was {:.2}",
        known.size, known.load.rate
    )
}

/// Figures with two decimals, or with as many as it takes to tell different ones apart.
fn distinct<const N: usize>(figures: [f64; N]) -> [String; N] {
    let mut decimals = 2;
    loop {
        let texts = figures.map(|figure| format!("{figure:.decimals$}"));
        let pairs = texts.windows(2).zip(figures.windows(2));
        let are_told_apart = pairs.clone().all(|(text, figure)| {
            // The order of the figures is what the reason is about.
            (text[0] == text[1]) == (figure[0] == figure[1])
        });
        if are_told_apart || decimals >= 6 {
            return texts;
        }
        decimals += 1;
    }
}

#[cfg(test)]
mod tests;
