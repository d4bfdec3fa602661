//! Belady's algorithm: keep what is asked for again soonest. With entries of one size, and free to
//! keep nothing of what was just asked for, it finds as much as can be found (Belady 1966; Mattson
//! et al. 1970).

use std::collections::{BTreeSet, HashMap};

/// Never again.
const NEVER: usize = usize::MAX;

/// Whether each look-up was a hit in a cache of so many `entries`.
pub(super) fn replay(trace: &[u32], entries: usize) -> Vec<bool> {
    let again = next_uses(trace);
    // What is kept, by when it is asked for next: at most one object is asked for at a time.
    let mut kept: BTreeSet<usize> = BTreeSet::new();
    let look_up = |(now, next): (usize, &usize)| {
        let hit = kept.remove(&now);
        if *next != NEVER {
            kept.insert(*next);
        }
        if kept.len() > entries {
            kept.pop_last();
        }
        hit
    };
    again.iter().enumerate().map(look_up).collect()
}

/// For each look-up the next one of the same object.
fn next_uses(trace: &[u32]) -> Vec<usize> {
    let mut upcoming = HashMap::new();
    let mut next: Vec<usize> = trace
        .iter()
        .enumerate()
        .rev()
        .map(|(now, object)| upcoming.insert(object, now).unwrap_or(NEVER))
        .collect();
    next.reverse();
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_comes_again_soonest() {
        // 1 and 2 are kept, 3 is not: it comes again last.
        let hits = replay(&[1, 2, 3, 1, 2, 1, 3], 2);
        assert_eq!(hits, [false, false, false, true, true, true, false]);
        assert!(replay(&[1, 1, 1], 0).iter().all(|hit| !hit));
    }
}
