//! The checker against a small server that is right, and against the same server wrong in one way
//! at a time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod server;

use std::time::Duration;

use load::endpoints::{Check, Options, Report, Unusable, check};
use server::{Fault, Server};

fn options() -> Options {
    Options {
        with_resize: true,
        delete_photos: true,
        upload_limit: 300_000,
        patience: Duration::from_millis(100),
        token: None,
    }
}

async fn report(fault: Option<Fault>) -> Report {
    let server = Server::start(fault).await;
    check(&server.base, options()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_server_passes_every_check() {
    let report = report(None).await;
    assert!(report.is_clean(), "{report}");
    let tried: std::collections::BTreeSet<&str> =
        report.checks.iter().map(|check| check.endpoint).collect();
    assert_eq!(tried.len(), 8, "each endpoint, and what is none: {tried:?}");
    // The readers of the walk have a connection of their own.
    let silent = report
        .checks
        .iter()
        .filter(|check| check.answered.is_empty());
    assert_eq!(silent.count(), 1, "each other check tells what came");
    assert!(
        report.checks.len() > 100,
        "only {} checks",
        report.checks.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_found() {
    for &fault in Fault::ALL {
        let report = report(Some(fault)).await;
        assert!(!report.is_clean(), "{fault:?} was not found");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_does_not_end_the_run() {
    let right = report(None).await.checks.len();
    assert_eq!(
        report(Some(Fault::BooleanSuccess)).await.checks.len() + skipped_after_that(),
        right
    );
    assert_eq!(
        report(Some(Fault::DropsConnectionWhenAskedForNine))
            .await
            .checks
            .len(),
        right
    );
}

/// Where configure_cache cannot be read, neither its parameters nor the walk can be checked.
fn skipped_after_that() -> usize {
    let subsets_and_nonsense = 8 + 24 + 1 + 1;
    let walk = 15 + 2 + 1 + 1;
    subsets_and_nonsense + walk
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_check_tells_what_was_expected_and_what_came() {
    let report = report(Some(Fault::GetAllowed)).await;
    let refused = |check: &&Check| check.name == "GET /api/list_keys is refused";
    let line = report.failures().find(refused).unwrap().to_string();
    assert!(
        line.contains(r#"expected 405 application/json {"success":"false""#),
        "{line}"
    );
    assert!(line.contains("; came 200 application/json"), "{line}");
}

#[tokio::test]
async fn photos_are_not_deleted_unasked() {
    let server = Server::start(None).await;
    let (ask_first, go_ahead) = (
        Options {
            delete_photos: false,
            ..options()
        },
        options(),
    );
    check(&server.base, ask_first.clone())
        .await
        .expect("nothing is stored, so nothing is lost");
    server.store("holiday", b"photo");
    let refusal = check(&server.base, ask_first).await.unwrap_err();
    assert!(
        matches!(refusal, Unusable::Photos { count: 1, .. }),
        "{refusal}"
    );
    assert!(server.holds("holiday"));
    assert!(check(&server.base, go_ahead).await.unwrap().is_clean());
    assert!(!server.holds("holiday"));
}

#[tokio::test]
async fn where_photos_cannot_be_counted_none_are_deleted_unasked() {
    let server = Server::start(Some(Fault::NoListing)).await;
    server.store("holiday", b"photo");
    let ask_first = Options {
        delete_photos: false,
        ..options()
    };
    let refusal = check(&server.base, ask_first).await.unwrap_err();
    assert!(matches!(refusal, Unusable::Uncounted { .. }), "{refusal}");
    assert!(server.holds("holiday"));
    let report = check(&server.base, options()).await.unwrap();
    assert!(!report.is_clean(), "goes ahead when told to");
}

#[tokio::test]
async fn where_nothing_listens_the_address_is_named() {
    let base = "http://127.0.0.1:1";
    let problem = check(base, options()).await.unwrap_err();
    assert!(matches!(problem, Unusable::Unreachable { .. }), "{problem}");
    assert!(problem.to_string().contains(base), "{problem}");
}

#[tokio::test]
async fn an_address_must_be_one() {
    for base in [
        "",
        "127.0.0.1:5000",
        "https://127.0.0.1",
        "http://127.0.0.1/api",
        "http://",
    ] {
        let problem = check(base, options()).await.unwrap_err();
        assert!(matches!(problem, Unusable::Address(_)), "{base}: {problem}");
    }
}
