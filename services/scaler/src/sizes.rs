//! How far the pool grows and shrinks in one step.

use kit::scaling::{Policy, Pool};

/// More than the rounding of `size * ratio` in floating point, and less than any ratio means: 10
/// nodes by 1.1 are 11, not 12.
const ROUNDING: f64 = 1e-9;

/// The size after growing: `max(n + 1, ceil(n * ratio))`, at most the pool's largest.
#[must_use]
pub fn grown(pool: &Pool, policy: &Policy) -> u32 {
    let by_ratio = (f64::from(pool.size) * policy.exp_ratio - ROUNDING).ceil();
    // Saturates, also at a ratio that no pool can follow.
    let by_ratio = by_ratio as u32;
    by_ratio.max(pool.size.saturating_add(1)).min(pool.max)
}

/// The size after shrinking: `min(n - 1, floor(n * ratio))`, at least the pool's smallest.
#[must_use]
pub fn shrunk(pool: &Pool, policy: &Policy) -> u32 {
    let by_ratio = (f64::from(pool.size) * policy.shrink_ratio + ROUNDING).floor();
    let by_ratio = by_ratio as u32;
    by_ratio.min(pool.size.saturating_sub(1)).max(pool.min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(size: u32) -> Pool {
        Pool {
            size,
            min: 1,
            max: 20,
            serving: size,
            is_steady: true,
            hold: None,
        }
    }

    fn by(ratio: f64) -> Policy {
        Policy {
            max_miss: 0.5,
            min_miss: 0.1,
            exp_ratio: ratio,
            shrink_ratio: ratio,
        }
    }

    #[test]
    fn growing_rounds_up_and_goes_one_up_at_least() {
        for (size, ratio, to) in [
            (1, 2.0, 2),
            (3, 1.1, 4),
            (10, 1.1, 11),
            (5, 1.2, 6),
            (3, 1.5, 5),
            (1, 1.01, 2),
            (8, 1.000_000_1, 9),
            (4, 100.0, 20),
            (1, f64::MAX, 20),
        ] {
            assert_eq!(grown(&pool(size), &by(ratio)), to, "{size} by {ratio}");
        }
    }

    #[test]
    fn shrinking_rounds_down_and_goes_one_down_at_least() {
        for (size, ratio, to) in [
            (8, 0.5, 4),
            (3, 0.5, 1),
            (10, 0.7, 7),
            (10, 0.3, 3),
            (5, 0.99, 4),
            (1, 0.5, 1),
            (8, 0.000_1, 1),
        ] {
            assert_eq!(shrunk(&pool(size), &by(ratio)), to, "{size} by {ratio}");
        }
    }

    #[test]
    fn the_blueprints_bounds_hold() {
        let bounded = |size| Pool {
            min: 3,
            max: 6,
            ..pool(size)
        };
        assert_eq!(grown(&bounded(5), &by(2.0)), 6);
        assert_eq!(shrunk(&bounded(5), &by(0.5)), 3);
    }
}
