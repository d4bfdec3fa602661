//! The critical path of a run: the chain of steps, each needing the one before it, that takes longest.
//! However well the rest is arranged, the run cannot be shorter.

/// Some time, from an instant to another, in seconds since a common beginning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// When it began.
    pub begun: f64,
    /// When it ended.
    pub ended: f64,
}

impl Span {
    /// How long it is, in seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        (self.ended - self.begun).max(0.0)
    }

    fn within(self, window: Span) -> Span {
        Span {
            begun: self.begun.max(window.begun),
            ended: self.ended.min(window.ended),
        }
    }
}

/// How much of `window` is covered by any of `parts`, in seconds.
#[must_use]
pub fn covered(window: Span, parts: &[Span]) -> f64 {
    let mut inside: Vec<Span> = parts.iter().map(|part| part.within(window)).collect();
    inside.retain(|part| part.ended > part.begun);
    inside.sort_by(|one, other| one.begun.total_cmp(&other.begun));
    let mut reached = window.begun;
    let mut sum = 0.0;
    for part in inside {
        let from = part.begun.max(reached);
        sum += (part.ended - from).max(0.0);
        reached = reached.max(part.ended);
    }
    sum
}

/// The indices of the chain that takes longest, in order. Step `i` takes `seconds[i]` and begins when
/// the steps `needs[i]`, which all stand before or after it and form no circle, have ended.
#[must_use]
pub fn critical_path(seconds: &[f64], needs: &[Vec<usize>]) -> Vec<usize> {
    let mut longest: Vec<Option<(f64, Option<usize>)>> = vec![None; seconds.len()];
    for last in 0..seconds.len() {
        settle(last, seconds, needs, &mut longest);
    }
    let total = |index: &usize| longest.get(*index).copied().flatten().map_or(0.0, |l| l.0);
    let mut at = (0..seconds.len()).max_by(|one, other| total(one).total_cmp(&total(other)));
    let mut path = Vec::new();
    while let Some(index) = at {
        path.push(index);
        at = longest.get(index).copied().flatten().and_then(|l| l.1);
    }
    path.reverse();
    path
}

/// Finds how long the longest chain that ends with a step takes, and the step before it in that chain.
fn settle(
    step: usize,
    seconds: &[f64],
    needs: &[Vec<usize>],
    longest: &mut [Option<(f64, Option<usize>)>],
) -> f64 {
    if let Some((total, _)) = longest.get(step).copied().flatten() {
        return total;
    }
    let own = seconds.get(step).copied().unwrap_or_default();
    let mut best = (0.0, None);
    for &needed in needs.get(step).into_iter().flatten() {
        let before = settle(needed, seconds, needs, longest);
        if before > best.0 || best.1.is_none() {
            best = (before, Some(needed));
        }
    }
    let total = own + best.0;
    if let Some(place) = longest.get_mut(step) {
        *place = Some((total, best.1));
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(begun: f64, ended: f64) -> Span {
        Span { begun, ended }
    }

    #[test]
    fn the_longest_chain_is_found_whatever_the_order_of_the_steps() {
        // 2 needs 0 and 1; 3 stands alone.
        let needs = [vec![], vec![], vec![0, 1], vec![]];
        assert_eq!(critical_path(&[3.0, 5.0, 1.0, 4.0], &needs), [1, 2]);
        assert_eq!(critical_path(&[3.0, 5.0, 1.0, 7.0], &needs), [3]);
        let backwards = [vec![1], vec![2], vec![]];
        assert_eq!(critical_path(&[1.0, 1.0, 1.0], &backwards), [2, 1, 0]);
        assert!(critical_path(&[], &[]).is_empty());
    }

    #[test]
    fn what_overlaps_counts_once_and_what_lies_outside_does_not() {
        let parts = [span(0.0, 2.0), span(1.0, 3.0), span(5.0, 9.0)];
        let close = |one: f64, other: f64| (one - other).abs() < 1e-9;
        assert!(close(covered(span(0.0, 10.0), &parts), 7.0));
        assert!(close(covered(span(1.5, 6.0), &parts), 2.5));
        assert!(close(covered(span(3.0, 5.0), &parts), 0.0));
    }
}
