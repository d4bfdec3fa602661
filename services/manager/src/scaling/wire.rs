//! The scaler's words for what the catalog holds. The two are kept apart, so that a stored row and a
//! message may change one by one.

use catalog::{By, Change, Decision, Mode, Outcome, PoolRow, ScalerState};
use kit::scaling;

pub(super) const fn mode(mode: Mode) -> scaling::Mode {
    match mode {
        Mode::Manual => scaling::Mode::Manual,
        Mode::Auto => scaling::Mode::Auto,
    }
}

pub(super) const fn policy(pool: &PoolRow) -> scaling::Policy {
    scaling::Policy {
        max_miss: pool.max_miss,
        min_miss: pool.min_miss,
        exp_ratio: pool.exp_ratio,
        shrink_ratio: pool.shrink_ratio,
    }
}

pub(super) fn change(change: &Change) -> scaling::Change {
    scaling::Change {
        at: change.at,
        what: change.what.clone(),
        by_scaler: change.by == By::Scaler,
    }
}

/// The newest decisions and the resizes before them, oldest first. Both are given newest first.
pub(super) fn decisions(recent: Vec<Decision>, resizes: Vec<Decision>) -> Vec<scaling::Decision> {
    let oldest = recent.last().map(|decision| decision.at);
    let is_older = |resize: &Decision| oldest.is_some_and(|oldest| resize.at < oldest);
    let older = resizes.into_iter().filter(is_older);
    let newest_first = recent.into_iter().chain(older);
    let mut decisions: Vec<_> = newest_first.map(told).collect();
    decisions.reverse();
    decisions
}

fn told(decision: Decision) -> scaling::Decision {
    scaling::Decision {
        at: decision.at,
        state: match decision.state {
            ScalerState::Steady => scaling::State::Steady,
            ScalerState::Resizing => scaling::State::Resizing,
            ScalerState::Cooling => scaling::State::Cooling,
        },
        outcome: match decision.outcome {
            Outcome::Grew => scaling::Outcome::Grew,
            Outcome::Shrank => scaling::Outcome::Shrank,
            Outcome::Held => scaling::Outcome::Held,
        },
        reason: decision.reason,
        size: decision.size,
        to: decision.to,
        rate: decision.rate,
        lookups: decision.lookups,
        minute: decision.minute,
    }
}

pub(super) fn stored(decision: &scaling::Decision) -> Decision {
    Decision {
        at: decision.at,
        state: match decision.state {
            scaling::State::Steady => ScalerState::Steady,
            scaling::State::Resizing => ScalerState::Resizing,
            scaling::State::Cooling => ScalerState::Cooling,
        },
        outcome: match decision.outcome {
            scaling::Outcome::Grew => Outcome::Grew,
            scaling::Outcome::Shrank => Outcome::Shrank,
            scaling::Outcome::Held => Outcome::Held,
        },
        reason: decision.reason.clone(),
        size: decision.size,
        to: decision.to,
        rate: decision.rate,
        lookups: decision.lookups,
        minute: decision.minute,
    }
}
