//! The decisions as text.

use std::io::{self, Write};

use kit::scaling::{Decision, Outcome, State};

use super::replay::Tick;

/// Writes a line for each tick, and a summary.
pub(super) fn write(out: &mut impl Write, ticks: &[Tick]) -> io::Result<()> {
    writeln!(
        out,
        "{:<20}  {:>5}  {:>9}  {:>5}  {:<8}  decision",
        "time", "nodes", "lookups", "rate", "state"
    )?;
    for tick in ticks {
        writeln!(out, "{}", line(tick))?;
    }
    writeln!(out, "\n{}", summary(ticks))
}

fn line(tick: &Tick) -> String {
    let Decision {
        at,
        state,
        reason,
        rate,
        lookups,
        ..
    } = &tick.decision;
    let lookups = lookups.map_or_else(|| "-".to_owned(), |lookups| lookups.to_string());
    let rate = rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.2}"));
    let state = match state {
        State::Steady => "steady",
        State::Resizing => "resizing",
        State::Cooling => "cooling",
    };
    format!(
        "{at:<20}  {:>5}  {lookups:>9}  {rate:>5}  {state:<8}  {reason}",
        tick.serving
    )
}

fn summary(ticks: &[Tick]) -> String {
    let count = |outcome| {
        let same = ticks.iter().filter(|tick| tick.decision.outcome == outcome);
        same.count()
    };
    let node_minutes: u32 = ticks.iter().map(|tick| tick.serving).sum();
    let last = ticks.last().map_or(0, |tick| tick.decision.to);
    format!(
        "{} ticks: grew {}, shrank {}, held {}; the last size is {last}; {node_minutes} node minutes",
        ticks.len(),
        times(count(Outcome::Grew)),
        times(count(Outcome::Shrank)),
        times(count(Outcome::Held)),
    )
}

fn times(count: usize) -> String {
    if count == 1 {
        "once".to_owned()
    } else {
        format!("{count} times")
    }
}
