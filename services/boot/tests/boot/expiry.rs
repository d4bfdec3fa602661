//! What an instance does when its deployment expires.

use std::time::Duration;

use boot::Times;
use jiff::{SignedDuration, Timestamp};

use crate::support::{Machine, short};
use crate::{POLITE, run};

const TAG: &str = "/latest/meta-data/tags/instance/bivouac:expires-at";
const HOUR: i64 = 3_600_000;
/// Milliseconds until something is due that is not far away.
const SOON: i64 = 300;

/// A `teardown` that notes how it was called, and has nothing left to do after so many calls.
fn teardown(machine: &Machine, enough: usize) {
    machine.program(
        "teardown",
        &format!(
            r#"echo "teardown $1" >> "$NOTES"; [ "$(grep -c teardown "$NOTES")" -ge {enough} ]"#
        ),
    );
}

/// A machine with one service whose deployment expires so many milliseconds from now.
async fn machine(milliseconds: i64) -> Machine {
    let machine = Machine::new(r#""cache-node""#).await;
    machine.program("cache-node", POLITE);
    // A machine that is really off is not powered off again.
    machine.system(
        "poweroff",
        r#"grep -q off "$NOTES" || echo off >> "$NOTES""#,
    );
    teardown(&machine, 1);
    expires(&machine, milliseconds);
    machine
}

fn from_now(milliseconds: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_millis(milliseconds)
}

fn expires(machine: &Machine, milliseconds: i64) {
    machine.says(TAG, 200, &from_now(milliseconds).to_string());
}

fn started(machine: &Machine, at: Timestamp) {
    machine.says(
        "/latest/dynamic/instance-identity/document",
        200,
        &format!(r#"{{"instanceId":"i-0123456789abcdef0","pendingTime":"{at}"}}"#),
    );
}

/// Looks often: what a test changes is seen soon.
fn times() -> Times {
    Times {
        look: Duration::from_millis(20),
        try_again: Duration::from_millis(10),
        grace: Duration::from_secs(3600),
        ..short()
    }
}

#[tokio::test]
async fn at_the_expiry_services_stop_the_deployment_goes_and_the_machine_is_powered_off() {
    let machine = machine(HOUR).await;
    teardown(&machine, 3);
    let library = run(&machine, times());
    machine.noted(|notes| notes.contains("started")).await;
    expires(&machine, SOON);
    let notes = machine.noted(|notes| notes.contains("off")).await;
    let reaps = "teardown reap\n".repeat(3);
    assert_eq!(notes, format!("started\nstopped\n{reaps}off\n"));
    library.stop().await;
}

#[tokio::test]
async fn what_expired_before_the_boot_starts_no_service() {
    let machine = machine(-1000).await;
    let library = run(&machine, times());
    let notes = machine.noted(|notes| notes.contains("off")).await;
    assert_eq!(notes, "teardown reap\noff\n");
    library.stop().await;
}

#[tokio::test]
async fn what_was_extended_in_time_lives_on() {
    let machine = machine(HOUR).await;
    let library = run(&machine, times());
    machine.noted(|notes| notes.contains("started")).await;
    expires(&machine, 20_000);
    let first = tokio::time::Instant::now() + Duration::from_secs(20);
    machine.is_asked(TAG, 2).await;
    expires(&machine, HOUR);
    tokio::time::sleep_until(first).await;
    machine.is_asked(TAG, 2).await;
    expires(&machine, SOON);
    let notes = machine.noted(|notes| notes.contains("off")).await;
    // The first instant has passed without an end.
    assert_eq!(notes, "started\nstopped\nteardown reap\noff\n");
    library.stop().await;
}

#[tokio::test]
async fn what_is_extended_while_it_goes_serves_again() {
    let machine = machine(-1000).await;
    teardown(&machine, usize::MAX);
    let library = run(&machine, times());
    machine.noted(|notes| notes.contains("teardown")).await;
    expires(&machine, HOUR);
    machine.noted(|notes| notes.ends_with("started\n")).await;
    library.stop().await;
}

#[tokio::test]
async fn a_machine_that_was_off_at_the_expiry_serves_for_a_grace() {
    let machine = machine(-3 * HOUR).await;
    started(&machine, Timestamp::now());
    let library = run(&machine, times());
    machine.noted(|notes| notes.contains("started")).await;
    started(&machine, from_now(SOON - HOUR));
    let notes = machine.noted(|notes| notes.contains("off")).await;
    assert_eq!(notes, "started\nstopped\nteardown reap\noff\n");
    library.stop().await;
}

#[tokio::test]
async fn a_machine_that_cannot_take_the_deployment_away_ends_all_the_same() {
    let machine = machine(-1000).await;
    teardown(&machine, usize::MAX);
    let times = Times {
        give_up: Duration::from_secs(2 * 3600),
        ..times()
    };
    let library = run(&machine, times);
    let tries = |notes: &str| notes.matches("teardown").count();
    let notes = machine.noted(|notes| tries(notes) > 1).await;
    assert!(!notes.contains("off"), "{notes}");
    expires(&machine, -3 * HOUR);
    machine.noted(|notes| notes.contains("off")).await;
    library.stop().await;
}

#[tokio::test]
async fn a_tag_that_is_no_instant_ends_nothing() {
    let machine = machine(-1000).await;
    machine.says(TAG, 200, "tomorrow");
    let library = run(&machine, times());
    machine.noted(|notes| notes.contains("started")).await;
    library.stop().await;
    let notes = std::fs::read_to_string(machine.notes()).unwrap();
    assert_eq!(notes, "started\nstopped\n");
}
