//! The scaler as a process: between a manager that tests can make say anything, and localcloud's
//! CloudWatch.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod stage;

use http::StatusCode;
use kit::scaling::{Mode, Outcome, State};

use stage::{Stage, cloudwatch_away, unknown_key};

#[tokio::test]
async fn it_grows_the_pool_by_what_cloudwatch_has_counted() {
    let stage = Stage::new().await;
    stage.publish(2, 0.9).await;
    let scaler = stage.scaler();
    let grew = stage
        .told(|decision| decision.outcome == Outcome::Grew)
        .await;
    assert_eq!((grew.size, grew.to), (2, 4));
    assert_eq!(grew.reason, "grew 2 -> 4: 0.90 above 0.50");
    assert_eq!((grew.rate, grew.lookups), (Some(0.9), Some(240)));
    scaler.stop().await;
    assert_eq!(stage.manager().pool.size, 4);
}

#[tokio::test]
async fn one_that_is_killed_is_followed_by_one_that_remembers() {
    let stage = Stage::new().await;
    stage.publish(4, 0.9).await;
    let first = stage.scaler();
    stage
        .told(|decision| decision.outcome == Outcome::Grew)
        .await;
    first.kill();
    let told = stage.manager().decisions.len();
    let second = stage.scaler();
    stage
        .until(|manager| manager.decisions.len() > told + 2)
        .await;
    second.stop().await;
    let manager = stage.manager();
    assert_eq!(manager.pool.size, 4);
    let after = &manager.decisions[told..];
    assert!(
        after
            .iter()
            .all(|decision| decision.state == State::Cooling)
    );
    assert!(after[0].reason.starts_with("cooling: resized "));
}

#[tokio::test]
async fn in_mode_manual_it_says_nothing_and_in_auto_it_does_at_once() {
    let stage = Stage::new().await;
    stage.publish(2, 0.3).await;
    stage.change(|manager| manager.mode = Mode::Manual);
    let scaler = stage.scaler();
    stage.until(|manager| manager.asked > 3).await;
    assert!(stage.manager().decisions.is_empty());
    stage.change(|manager| manager.mode = Mode::Auto);
    let held = stage.told(|_| true).await;
    assert_eq!(held.reason, "held: 0.30 is between 0.10 and 0.50");
    scaler.stop().await;
}

#[tokio::test]
async fn a_changed_policy_counts_at_the_next_tick() {
    let stage = Stage::new().await;
    stage.publish(2, 0.3).await;
    let scaler = stage.scaler();
    stage
        .told(|decision| decision.outcome == Outcome::Held)
        .await;
    stage.change(|manager| manager.policy.max_miss = 0.25);
    let grew = stage
        .told(|decision| decision.outcome == Outcome::Grew)
        .await;
    assert_eq!(grew.reason, "grew 2 -> 4: 0.30 above 0.25");
    scaler.stop().await;
}

#[tokio::test]
async fn a_decision_that_is_refused_is_made_anew() {
    let stage = Stage::new().await;
    stage.publish(2, 0.9).await;
    stage.change(|manager| manager.refuses = Some(StatusCode::CONFLICT));
    let scaler = stage.scaler();
    stage.until(|manager| manager.refused > 2).await;
    assert_eq!(stage.manager().pool.size, 2);
    stage.change(|manager| manager.refuses = None);
    stage
        .told(|decision| decision.outcome == Outcome::Grew)
        .await;
    scaler.stop().await;
}

#[tokio::test]
async fn a_manager_that_is_away_or_in_trouble_is_waited_for() {
    let mut stage = Stage::new().await;
    stage.publish(2, 0.9).await;
    stage.end_manager().await;
    let scaler = stage.scaler();
    stage.change(|manager| manager.refuses = Some(StatusCode::SERVICE_UNAVAILABLE));
    stage.start_manager().await;
    stage.until(|manager| manager.refused > 2).await;
    stage.change(|manager| manager.refuses = None);
    stage
        .told(|decision| decision.outcome == Outcome::Grew)
        .await;
    scaler.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_no_situation_is_no_reason_to_stop() {
    let stage = Stage::new().await;
    stage.publish(2, 0.9).await;
    stage.change(|manager| manager.answers = Some("[".repeat(100_000)));
    let scaler = stage.scaler();
    stage.until(|manager| manager.asked > 2).await;
    assert!(stage.manager().decisions.is_empty());
    stage.change(|manager| manager.answers = None);
    stage
        .told(|decision| decision.outcome == Outcome::Grew)
        .await;
    scaler.stop().await;
}

#[tokio::test]
async fn a_cloudwatch_that_refuses_or_is_away_holds_the_pool_and_says_so() {
    let stage = Stage::new().await;
    stage.publish(2, 0.9).await;
    for (client, why) in [
        (unknown_key(&stage), "InvalidClientTokenId"),
        (cloudwatch_away(&stage), "no connection or no credentials"),
    ] {
        let scaler = stage.scaler_with(client);
        let said = format!("held: CloudWatch cannot be read: {why}");
        stage.told(|decision| decision.reason == said).await;
        scaler.stop().await;
    }
    assert_eq!(stage.manager().pool.size, 2);
}

#[tokio::test]
async fn figures_of_another_deployment_do_not_count() {
    let stage = Stage::new().await;
    stage.publish_in("Bivouac/other-00000000", 2, 0.9).await;
    let scaler = stage.scaler();
    let held = stage.told(|_| true).await;
    let none = "held: CloudWatch has no figures of the last minutes";
    assert_eq!(held.reason, none);
    scaler.stop().await;
}
