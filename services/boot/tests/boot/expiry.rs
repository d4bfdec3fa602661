//! What an instance does when its deployment expires.

use std::time::Duration;

use boot::Times;
use jiff::{SignedDuration, Timestamp};

use crate::support::{Machine, short};
use crate::{POLITE, run};

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
    machine.system("poweroff", r#"echo off >> "$NOTES""#);
    teardown(&machine, 1);
    expires(&machine, milliseconds);
    machine
}

fn expires(machine: &Machine, milliseconds: i64) {
    let at = Timestamp::now() + SignedDuration::from_millis(milliseconds);
    machine.says(
        "/latest/meta-data/tags/instance/bivouac:expires-at",
        200,
        &at.to_string(),
    );
}

fn started(machine: &Machine, at: Timestamp) {
    machine.says(
        "/latest/dynamic/instance-identity/document",
        200,
        &format!(r#"{{"instanceId":"i-0123456789abcdef0","pendingTime":"{at}"}}"#),
    );
}

fn times() -> Times {
    Times {
        look: Duration::from_secs(60),
        try_again: Duration::from_millis(10),
        grace: Duration::from_millis(400),
        ..short()
    }
}

#[tokio::test]
async fn at_the_expiry_services_stop_the_deployment_goes_and_the_machine_is_powered_off() {
    let machine = machine(300).await;
    teardown(&machine, 3);
    let library = run(&machine, times());
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
    let machine = machine(300).await;
    let library = run(&machine, times());
    machine.noted(|notes| notes.contains("started")).await;
    expires(&machine, 700);
    tokio::time::sleep(Duration::from_millis(450)).await;
    let notes = std::fs::read_to_string(machine.notes()).unwrap();
    assert_eq!(notes, "started\n", "the first instant has passed");
    machine.noted(|notes| notes.contains("off")).await;
    library.stop().await;
}

#[tokio::test]
async fn what_is_extended_while_it_goes_serves_again() {
    let machine = machine(-1000).await;
    teardown(&machine, usize::MAX);
    let library = run(&machine, times());
    machine.noted(|notes| notes.contains("teardown")).await;
    expires(&machine, 60_000);
    machine.noted(|notes| notes.ends_with("started\n")).await;
    library.stop().await;
}

#[tokio::test]
async fn a_machine_that_was_off_at_the_expiry_serves_for_a_grace() {
    let machine = machine(-60_000).await;
    started(&machine, Timestamp::now());
    let library = run(&machine, times());
    let notes = machine.noted(|notes| notes.contains("off")).await;
    assert_eq!(notes, "started\nstopped\nteardown reap\noff\n");
    library.stop().await;
}

#[tokio::test]
async fn a_machine_that_cannot_take_the_deployment_away_ends_all_the_same() {
    let machine = machine(-1000).await;
    teardown(&machine, usize::MAX);
    let times = Times {
        give_up: Duration::from_millis(1200),
        ..times()
    };
    let library = run(&machine, times);
    let notes = machine.noted(|notes| notes.contains("off")).await;
    assert!(notes.matches("teardown").count() > 1, "{notes}");
    library.stop().await;
}

#[tokio::test]
async fn a_tag_that_is_no_instant_ends_nothing() {
    let machine = machine(-1000).await;
    machine.says(
        "/latest/meta-data/tags/instance/bivouac:expires-at",
        200,
        "tomorrow",
    );
    let library = run(&machine, times());
    machine.noted(|notes| notes.contains("started")).await;
    library.stop().await;
    let notes = std::fs::read_to_string(machine.notes()).unwrap();
    assert_eq!(notes, "started\nstopped\n");
}
