//! How the pool is, in a line.

use catalog::PoolState;
use kit::pool::Progress;
use kit::words::{grouped, sentence, size};
use serde::Serialize;

use super::told;
use crate::manager::Manager;
use crate::pool;

/// How the pool is.
#[derive(Serialize)]
pub(super) struct Glance {
    headline: String,
    tone: &'static str,
    is_moving: bool,
    serving: u32,
    wanted: u32,
    hold: Option<String>,
    hand_over: Option<HandOver>,
}

/// How far a hand-over has come.
#[derive(Serialize)]
struct HandOver {
    moved: u64,
    all: u64,
    told: String,
}

impl Glance {
    /// How it is now.
    pub(super) fn at<B>(manager: &Manager<B>, state: &PoolState) -> Self {
        let keeper = &manager.keeper;
        let serving = pool::serving(state);
        let is_moving = !pool::is_steady(state);
        let wanted = state.pool.wanted;
        let replacing = pool::replacing(state, &keeper.seen());
        let (headline, tone) = match replacing.filter(|_| serving >= wanted) {
            Some(replacing) => (format!("Replacing node {replacing}"), "busy"),
            None if is_moving => (moving(serving, wanted), "busy"),
            None => (steady(wanted), "good"),
        };
        Self {
            headline,
            tone,
            is_moving,
            serving,
            wanted,
            hold: keeper
                .hold()
                .filter(|_| is_moving)
                .map(|hold| sentence(&hold)),
            hand_over: pool::progress(state, &keeper.seen()).map(hand_over),
        }
    }
}

fn hand_over(progress: Progress) -> HandOver {
    let all = progress.moved + progress.left;
    HandOver {
        moved: progress.moved,
        all,
        told: format!(
            "Handing over: {} of {} entries are with their new nodes, {}.",
            grouped(progress.moved),
            grouped(all),
            size(progress.moved_bytes)
        ),
    }
}

fn steady(wanted: u32) -> String {
    match wanted {
        1 => "The node serves".to_owned(),
        _ => format!("All {wanted} nodes serve"),
    }
}

fn moving(serving: u32, wanted: u32) -> String {
    let nodes = told::nodes(wanted);
    if serving >= wanted {
        let serve = if wanted == 1 { "serves" } else { "serve" };
        format!("{nodes} {serve}; the others are ending")
    } else {
        format!("{serving} of {nodes} serve; more on their way")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_over_says_how_much_is_moved_of_how_much() {
        let progress = Progress {
            number: 3,
            moved: 1200,
            moved_bytes: 3 << 20,
            left: 800,
        };
        let told = hand_over(progress);
        assert_eq!((told.moved, told.all), (1200, 2000));
        assert_eq!(
            told.told,
            "Handing over: 1,200 of 2,000 entries are with their new nodes, 3 MB."
        );
    }
}
