//! The laws of a deployment, over every blueprint, on paper machines: *settled*: carried out and
//! planned again, the plan is empty; *clean*: torn down, the account is empty; *cut off*: both hold
//! when carrying out ended after any step, and after every edit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cuts;
mod edits;
mod lanes;
mod paper;
mod place;
mod rights;
mod schedules;
mod zones;

use std::time::Duration;

use deployer_aws::read;
use deployer_core::blueprint::Blueprint;
use deployer_core::names::Scope;
use teardown::{Verdict, tear_down};
use tokio::sync::watch;

use crate::paper::{Silent, blueprints};
use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn settled_and_clean() {
    for blueprint in blueprints() {
        let place = Place::new(&blueprint).await;
        place.carry_out(usize::MAX, "ab12").await;
        place.settled().await;
        place.clean().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_after_any_step_it_is_clean() {
    for blueprint in blueprints() {
        for steps in 0..step_count(&blueprint).await {
            let place = Place::new(&blueprint).await;
            place.carry_out(steps, "ab12").await;
            place.clean().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_after_any_step_it_is_finished_by_the_next() {
    for blueprint in blueprints() {
        for steps in 1..step_count(&blueprint).await {
            let place = Place::new(&blueprint).await;
            place.carry_out(steps, "ab12").await;
            place.carry_out(usize::MAX, "cd34").await;
            place.settled().await;
            place.clean().await;
        }
    }
}

async fn step_count(blueprint: &Blueprint) -> usize {
    let place = Place::new(blueprint).await;
    let count = place.plan("ab12").await.0.steps.len();
    place.clean().await;
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_is_not_touched() {
    let blueprint = blueprints().remove(0);
    let place = Place::new(&blueprint).await;
    let account = place.account.clone();
    let neighbour = Scope {
        deployment: "neighbour".parse().unwrap(),
        ..place.scope()
    };
    place.carry_out(usize::MAX, "ab12").await;
    let before = read::inventory(&account, &place.scope())
        .await
        .unwrap()
        .listed();
    let (_told, stop) = watch::channel(false);
    let verdict = tear_down(&account, &neighbour, Duration::ZERO, stop, &Silent).await;
    assert!(matches!(verdict, Verdict::Zero), "{verdict:?}");
    assert_eq!(
        read::inventory(&account, &place.scope())
            .await
            .unwrap()
            .listed(),
        before
    );
    place.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_fails_is_not_an_empty_one() {
    let place = Place::new(&blueprints().remove(0)).await;
    let (account, scope) = (place.account.clone(), place.scope());
    place.paper.cloud.shutdown().await;
    let (_told, stop) = watch::channel(false);
    let verdict = tear_down(&account, &scope, Duration::ZERO, stop, &Silent).await;
    assert!(matches!(verdict, Verdict::CannotProve(_)), "{verdict:?}");
}
