//! What holds for any load, and for any miss curve that falls with the size.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use jiff::{SignedDuration, Timestamp};
use kit::scaling::{Decision, Outcome, Policy, State};
use proptest::prelude::*;
use scaler::simulate::{Conditions, Missing, Row, Trace, replay};

/// From a resize until the next one can be: the resize itself, a whole minute, and its delay.
fn cooling_minutes(conditions: &Conditions) -> i64 {
    i64::from(conditions.resize_minutes) + 3
}

fn policies() -> impl Strategy<Value = Policy> {
    (0.0..0.98, 0.01..1.0_f64, 1.001..10.0_f64, 0.001..0.999_f64).prop_map(
        |(min_miss, above, exp_ratio, shrink_ratio)| Policy {
            max_miss: min_miss + (1.0 - min_miss) * above,
            min_miss,
            exp_ratio,
            shrink_ratio,
        },
    )
}

fn conditions() -> impl Strategy<Value = Conditions> {
    (policies(), prop::array::uniform3(1..=8_u32), 1..5_u32).prop_map(
        |(policy, mut sizes, resize_minutes)| {
            sizes.sort_unstable();
            let [min, start, max] = sizes;
            Conditions {
                policy,
                min,
                max,
                start,
                resize_minutes,
            }
        },
    )
}

/// Miss rates at 1 to 8 nodes, falling.
fn curves() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0.0..=1.0_f64, 8).prop_map(|mut rates| {
        rates.sort_by(|one, other| other.total_cmp(one));
        rates
    })
}

fn start(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

fn constant(curve: &[f64], minutes: i64) -> Trace {
    (0..minutes)
        .map(|minute| row(minute, Some(10_000), curve.to_vec()))
        .collect::<Vec<_>>()
        .into()
}

fn row(minute: i64, lookups: Option<u64>, rates: Vec<f64>) -> Row {
    Row {
        start: start(minute),
        lookups,
        missing: Missing::BySize(rates),
        samples: None,
    }
}

/// Minutes of any kind: some left out, some without figures or lookups, some incomplete.
fn wild_traces() -> impl Strategy<Value = Trace> {
    let minute = (
        0..4_u8,
        prop::option::of(0..3000_u64),
        0.0..=1.0_f64,
        prop::option::of(0..96_u64),
    );
    prop::collection::vec(minute, 1..150).prop_map(|minutes| {
        let rows = (0..).zip(minutes).filter(|(_, (kind, ..))| *kind > 0);
        rows.map(|(at, (_, lookups, rate, samples))| Row {
            samples,
            ..row(at, lookups, vec![rate])
        })
        .collect::<Vec<_>>()
        .into()
    })
}

fn decisions(trace: &Trace, conditions: &Conditions) -> Vec<Decision> {
    let ticks = replay(trace, conditions).into_iter();
    ticks.map(|tick| tick.decision).collect()
}

fn resizes(decisions: &[Decision]) -> Vec<&Decision> {
    let resized = decisions
        .iter()
        .filter(|decision| decision.outcome != Outcome::Held);
    resized.collect()
}

proptest! {
    #[test]
    fn the_size_stays_within_its_bounds(trace in wild_traces(), conditions in conditions()) {
        for decision in decisions(&trace, &conditions) {
            prop_assert!((conditions.min..=conditions.max).contains(&decision.to));
            prop_assert!(decision.is_sound());
        }
    }

    #[test]
    fn a_resize_stands_on_a_minute_that_was_counted(
        trace in wild_traces(),
        conditions in conditions(),
    ) {
        for decision in resizes(&decisions(&trace, &conditions)) {
            let minute = decision.minute.unwrap();
            let row = trace.rows().iter().find(|row| row.start == minute).unwrap();
            prop_assert!(row.lookups.unwrap() > 0);
            let age = decision.at.duration_since(minute + SignedDuration::from_mins(1));
            prop_assert!(age >= SignedDuration::from_secs(90));
            prop_assert!(age <= SignedDuration::from_secs(180));
        }
    }

    #[test]
    fn between_two_resizes_the_pool_cools(trace in wild_traces(), conditions in conditions()) {
        let decisions = decisions(&trace, &conditions);
        let shortest = SignedDuration::from_mins(cooling_minutes(&conditions));
        for pair in resizes(&decisions).windows(2) {
            prop_assert!(pair[1].at.duration_since(pair[0].at) >= shortest);
        }
    }

    #[test]
    fn a_constant_load_comes_to_rest(curve in curves(), conditions in conditions()) {
        let decisions = decisions(&constant(&curve, 240), &conditions);
        let resizes = resizes(&decisions);
        // Each growth makes a size too small for good, and each shrinking goes to one never tried.
        prop_assert!(resizes.len() <= 14, "{} resizes", resizes.len());
        let last = resizes.last().map_or(start(0), |resize| resize.at);
        prop_assert!(last < start(14 * cooling_minutes(&conditions) + 14));
        let end = decisions.last().unwrap();
        prop_assert_eq!((end.state, end.outcome), (State::Steady, Outcome::Held));
    }

    #[test]
    fn a_load_that_varies_a_little_does_not_make_the_pool_swing(
        curve in curves(),
        noise in prop::collection::vec(-0.02..0.02_f64, 300),
        conditions in conditions(),
    ) {
        let rows = (0..).zip(noise).map(|(minute, noise)| {
            let rates = curve.iter().map(|rate| (rate + noise).clamp(0.0, 1.0));
            row(minute, Some(10_000), rates.collect())
        });
        let trace: Trace = rows.collect::<Vec<_>>().into();
        let decisions = decisions(&trace, &conditions);
        let resizes = resizes(&decisions);
        let grown = resizes.iter().filter(|resize| resize.to > resize.size);
        let too_small: Vec<u32> = grown.map(|resize| resize.size).collect();
        // A size that missed too much once is not gone back to, so the next one is larger. With thresholds
        // closer than the noise each size may be tried once: 7 growths, and the steps down between them.
        prop_assert!(too_small.is_sorted_by(|one, next| one < next), "grew from {too_small:?}");
        prop_assert!(resizes.len() <= 35, "{} resizes", resizes.len());
    }

    #[test]
    fn when_the_figures_stop_the_pool_stays(curve in curves(), conditions in conditions()) {
        let mut rows = constant(&curve, 60).rows().to_vec();
        rows.push(row(120, None, curve));
        let decisions = decisions(&rows.into(), &conditions);
        let silent = decisions.iter().filter(|decision| decision.at > start(64));
        for decision in silent {
            prop_assert_eq!(decision.outcome, Outcome::Held);
        }
    }
}
