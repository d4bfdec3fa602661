#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::{SignedDuration, Timestamp};
use kit::scaling::{Change, Mode};

use super::*;

/// A tick: the minute that began 151 s before is the newest that may be judged.
fn now() -> Timestamp {
    "2026-01-01T12:00:31Z".parse().unwrap()
}

fn before(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn at_rest(size: u32) -> Situation {
    Situation {
        mode: Mode::Auto,
        policy: Policy {
            max_miss: 0.5,
            min_miss: 0.1,
            exp_ratio: 2.0,
            shrink_ratio: 0.5,
        },
        pool: Pool {
            size,
            min: 1,
            max: 8,
            serving: size,
            is_steady: true,
            hold: None,
        },
        decisions: Vec::new(),
        changes: Vec::new(),
    }
}

fn minute(back: i64, rate: f64, samples: u64) -> Minute {
    Minute {
        start: before(151 + back * 60),
        lookups: 1000,
        misses: (1000.0 * rate) as u64,
        samples,
    }
}

/// The newest minute, complete at any size.
fn window(rate: f64) -> Window {
    Window::Read(vec![minute(0, rate, 96)])
}

fn reason(situation: &Situation, window: &Window) -> String {
    decide(situation, window, now()).reason
}

fn past(seconds: i64, outcome: Outcome, size: u32, to: u32, rate: f64) -> Decision {
    Decision {
        at: before(seconds),
        state: State::Steady,
        outcome,
        reason: String::new(),
        size,
        to,
        rate: Some(rate),
        lookups: Some(1000),
        minute: Some(before(seconds + 151)),
    }
}

fn grew(seconds: i64, size: u32, to: u32, rate: f64) -> Decision {
    past(seconds, Outcome::Grew, size, to, rate)
}

fn held(seconds: i64, size: u32, rate: f64) -> Decision {
    past(seconds, Outcome::Held, size, size, rate)
}

fn in_state(state: State, seconds: i64, size: u32) -> Decision {
    Decision {
        state,
        rate: None,
        lookups: None,
        minute: None,
        ..held(seconds, size, 0.0)
    }
}

fn change(what: &str, seconds: i64) -> Change {
    Change {
        at: before(seconds),
        what: what.to_owned(),
        by_scaler: false,
    }
}

#[test]
fn the_rate_decides_and_the_reason_names_it() {
    for (size, rate, to, said) in [
        (2, 0.71, 4, "grew 2 -> 4: 0.71 above 0.50"),
        (4, 0.05, 2, "shrank 4 -> 2: 0.05 below 0.10"),
        (2, 0.42, 2, "held: 0.42 is between 0.10 and 0.50"),
        (2, 0.5, 2, "held: 0.50 is between 0.10 and 0.50"),
        (2, 0.1, 2, "held: 0.10 is between 0.10 and 0.50"),
        (2, 0.501, 4, "grew 2 -> 4: 0.501 above 0.500"),
        (8, 0.9, 8, "held: 0.90 is above 0.50, at the largest size"),
        (1, 0.0, 1, "held: 0.00 is below 0.10, at the smallest size"),
    ] {
        let decision = decide(&at_rest(size), &window(rate), now());
        assert_eq!((decision.to, decision.reason.as_str()), (to, said));
        assert!(decision.is_sound());
        assert_eq!(decision.state, State::Steady);
        assert_eq!(decision.rate, Some(rate));
        assert_eq!(decision.minute, Some(before(151)));
    }
}

#[test]
fn without_lookups_nothing_is_decided() {
    let none = Minute {
        lookups: 0,
        misses: 0,
        ..minute(0, 0.0, 24)
    };
    let decision = decide(&at_rest(2), &Window::Read(vec![none]), now());
    assert_eq!(decision.reason, "held: no lookups in the last minute");
    assert_eq!((decision.rate, decision.lookups), (None, Some(0)));
}

#[test]
fn an_incomplete_minute_gives_way_to_the_one_before() {
    let both = |newest, before| Window::Read(vec![minute(0, 0.9, newest), minute(1, 0.3, before)]);
    let decision = decide(&at_rest(2), &both(19, 20), now());
    assert_eq!(decision.minute, Some(before(211)));
    assert_eq!(decision.to, 2);
    assert_eq!(decide(&at_rest(2), &both(20, 20), now()).to, 4);
    assert_eq!(
        reason(&at_rest(2), &both(19, 19)),
        "held: the last minute is incomplete, 19 of 24 figures"
    );
}

#[test]
fn old_figures_and_none_hold() {
    let none = "held: CloudWatch has no figures of the last minutes";
    let old = Window::Read(vec![minute(2, 0.0, 96), minute(3, 0.9, 96)]);
    assert_eq!(reason(&at_rest(4), &old), none);
    let early = Window::Read(vec![minute(-1, 0.9, 96)]);
    assert_eq!(reason(&at_rest(4), &early), none);
    assert_eq!(reason(&at_rest(4), &Window::Read(Vec::new())), none);
    let unread = Window::Unread("AccessDenied".to_owned());
    assert_eq!(
        reason(&at_rest(4), &unread),
        "held: CloudWatch cannot be read: AccessDenied"
    );
}

#[test]
fn figures_that_contradict_each_other_hold() {
    let wrong = Minute {
        misses: 2000,
        ..minute(0, 0.0, 96)
    };
    let said = reason(&at_rest(4), &Window::Read(vec![wrong]));
    assert_eq!(said, "held: CloudWatch has more misses than lookups");
}

#[test]
fn a_pool_on_its_way_is_left_alone() {
    let mut situation = at_rest(4);
    (situation.pool.is_steady, situation.pool.serving) = (false, 2);
    let decision = decide(&situation, &window(0.9), now());
    assert_eq!(decision.state, State::Resizing);
    assert_eq!(decision.reason, "resizing: 2 -> 4 nodes");
    situation.pool.hold = Some("the account has no room".to_owned());
    let said = reason(&situation, &window(0.9));
    assert_eq!(said, "resizing: the account has no room");
    (situation.pool.hold, situation.pool.serving) = (None, 4);
    assert_eq!(
        reason(&situation, &window(0.9)),
        "resizing: nodes come or go"
    );
}

#[test]
fn a_pool_cools_until_a_minute_was_measured_at_rest() {
    let mut situation = at_rest(4);
    situation.decisions = vec![grew(180, 2, 4, 0.9), in_state(State::Resizing, 120, 4)];
    let decision = decide(&situation, &window(0.9), now());
    assert_eq!(decision.state, State::Cooling);
    assert_eq!(decision.reason, "cooling: resized 180 s ago");
    // At rest was first seen when the minute judged had begun already.
    situation.decisions.push(in_state(State::Cooling, 150, 4));
    assert_eq!(decide(&situation, &window(0.9), now()).to, 4);
    // Or before it.
    situation.decisions.last_mut().unwrap().at = before(151);
    assert_eq!(decide(&situation, &window(0.9), now()).to, 8);
}

#[test]
fn a_pool_that_was_disturbed_by_no_resize_does_not_speak_of_one() {
    let mut situation = at_rest(4);
    situation.decisions = vec![
        grew(3600, 2, 4, 0.9),
        in_state(State::Cooling, 3540, 4),
        in_state(State::Resizing, 60, 4),
    ];
    let decision = decide(&situation, &window(0.9), now());
    assert_eq!(decision.state, State::Cooling);
    assert_eq!(
        decision.reason,
        "cooling: no whole minute since the pool came to rest"
    );
}

#[test]
fn a_minute_from_before_the_rest_does_not_stand_in() {
    let mut situation = at_rest(4);
    situation.decisions = vec![grew(300, 2, 4, 0.9), in_state(State::Cooling, 160, 4)];
    let before_the_rest = Window::Read(vec![minute(0, 0.9, 5), minute(1, 0.9, 96)]);
    assert_eq!(
        reason(&situation, &before_the_rest),
        "held: the last minute is incomplete, 5 of 48 figures"
    );
}

#[test]
fn a_change_of_the_cache_cools_and_one_of_the_policy_does_not() {
    for (what, state) in [
        ("numNodes", State::Cooling),
        ("cacheSize", State::Cooling),
        ("policy", State::Cooling),
        ("maxMiss", State::Steady),
        ("mode", State::Steady),
    ] {
        let mut situation = at_rest(2);
        situation.changes = vec![change(what, 10)];
        let decision = decide(&situation, &window(0.9), now());
        assert_eq!(decision.state, state, "{what}");
    }
}

/// Grown from 2 to 4 an hour ago, with five settled minutes since.
fn grown_to_four(rates: [f64; 5]) -> Situation {
    let mut situation = at_rest(4);
    situation.decisions = vec![grew(3600, 2, 4, 0.71), in_state(State::Cooling, 3540, 4)];
    let settled = rates.into_iter().zip((0..).map(|n| 3300 - 60 * n));
    let settled = settled.map(|(rate, seconds)| held(seconds, 4, rate));
    situation.decisions.extend(settled);
    situation
}

#[test]
fn a_size_that_was_too_small_is_not_gone_back_to() {
    let situation = grown_to_four([0.05; 5]);
    let decision = decide(&situation, &window(0.05), now());
    assert_eq!(decision.to, 3);
    assert_eq!(
        decision.reason,
        "shrank 4 -> 3: 0.05 below 0.10; at 2 nodes the rate was 0.71"
    );
    let mut situation = grown_to_four([0.05; 5]);
    situation.decisions[0] = grew(3600, 3, 4, 0.71);
    assert_eq!(
        reason(&situation, &window(0.05)),
        "held: at 3 nodes the rate was 0.71"
    );
}

#[test]
fn a_load_that_is_visibly_lighter_is_tried_again() {
    let settled = [0.4, 0.3, 0.25, 0.22, 0.2];
    assert_eq!(decide(&grown_to_four(settled), &window(0.09), now()).to, 2);
    // Half of almost nothing is nothing to go by.
    let settled = [0.04; 5];
    assert_eq!(decide(&grown_to_four(settled), &window(0.0), now()).to, 3);
    let fewer = Minute {
        lookups: 250,
        misses: 10,
        ..minute(0, 0.0, 96)
    };
    let fewer = Window::Read(vec![fewer]);
    assert_eq!(decide(&grown_to_four([0.04; 5]), &fewer, now()).to, 2);
}

#[test]
fn a_cache_that_is_still_filling_says_nothing_of_the_load() {
    let mut situation = grown_to_four([0.4; 5]);
    situation.decisions.truncate(4);
    assert_eq!(decide(&situation, &window(0.01), now()).to, 3);
}

#[test]
fn what_people_change_makes_the_scaler_forget() {
    for what in ["numNodes", "cacheSize", "policy", "maxMiss", "expRatio"] {
        let mut situation = grown_to_four([0.05; 5]);
        situation.changes = vec![change(what, 3000)];
        situation.decisions.push(in_state(State::Cooling, 2900, 4));
        assert_eq!(decide(&situation, &window(0.05), now()).to, 2, "{what}");
    }
    let mut situation = grown_to_four([0.05; 5]);
    situation.changes = vec![change("mode", 3000)];
    assert_eq!(decide(&situation, &window(0.05), now()).to, 3);
}

#[test]
fn after_a_trial_that_failed_the_load_must_be_lighter_still() {
    let trial = |grown_again: i64| {
        let mut situation = grown_to_four([0.2; 5]);
        let shrank = past(2400, Outcome::Shrank, 4, 2, 0.09);
        situation
            .decisions
            .extend([shrank, grew(grown_again, 2, 4, 0.7)]);
        situation.decisions.push(in_state(State::Cooling, 1700, 4));
        let settled = (0..5).map(|n| held(1500 - 60 * n, 4, 0.2));
        situation.decisions.extend(settled);
        decide(&situation, &window(0.08), now()).to
    };
    assert_eq!(trial(2400 - 300), 3, "five minutes later it had failed");
    assert_eq!(trial(2400 - 601), 2, "ten minutes later it had not");
}
