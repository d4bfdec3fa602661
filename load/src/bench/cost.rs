//! What a turn came to.

use std::time::Duration;

use super::asking::Asked;

/// What one request cost its server in one turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Processor time, in microseconds.
    pub(super) cpu: f64,
    /// Requests in a second.
    pub(super) rate: f64,
}

impl Cost {
    pub(super) fn of(cpu: Duration, asked: &Asked) -> Self {
        let requests = asked.requests as f64;
        Self {
            cpu: cpu.as_secs_f64() * 1e6 / requests,
            rate: requests / asked.took.as_secs_f64(),
        }
    }
}

/// The one in the middle; of an even number, the lower of the two.
pub(super) fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len().saturating_sub(1) / 2;
    numbers.get(middle).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.0);
        assert!(median([]).is_nan());
    }
}
