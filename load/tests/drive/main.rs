//! The load generator and the walk against a small server that is right, and against the same server
//! wrong in one way at a time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod programs;
mod server;
mod walking;

use std::time::Duration;

use load::drive::{Drive, Options, Pace, Pictures, Report, Tally, View, Workload, run};
use server::{Fault, Server};
use tokio_util::sync::CancellationToken;

pub(crate) fn workload() -> Workload {
    Workload {
        keys: 20,
        prefix: "a b/".to_owned(),
        distribution: "zipf:0.9".parse().unwrap(),
        reads: "0.7".parse().unwrap(),
        pictures: Pictures::made_up(100..=3000, 1).unwrap(),
        seed: 1,
        time: Duration::from_secs(5),
    }
}

/// With room for all that a machine that stood still sends at once afterwards.
pub(crate) fn open(rate: &str) -> Pace {
    kit::open_files::raise();
    Pace::Open {
        rate: rate.parse().unwrap(),
        in_flight: 10_000,
    }
}

const CLOSED: Pace = Pace::Closed {
    clients: 4,
    think: Duration::ZERO,
};

/// Stores everything, and puts load on `server` until so many requests have ended.
async fn after(requests: u64, server: &Server, workload: Workload, pace: Pace) -> Tally {
    let drive = Drive::new(&server.base.parse().unwrap(), workload);
    drive.upload_all().await;
    let mut tally = Tally::default();
    let running = drive.start(pace).unwrap();
    while tally.requests() < requests {
        tokio::time::sleep(Duration::from_millis(5)).await;
        tally.add(&drive.cut_phase().tally);
    }
    running.stop().await;
    tally.add(&drive.cut_phase().tally);
    tally.add(&drive.read_all().await);
    tally
}

async fn load_on(fault: Fault) -> Tally {
    let server = Server::start(Some(fault)).await;
    after(400, &server, workload(), CLOSED).await
}

#[tokio::test]
async fn a_right_server_is_not_blamed_by_either_loop() {
    for pace in [CLOSED, open("500")] {
        let server = Server::start(None).await;
        let tally = after(300, &server, workload(), pace).await;
        assert_eq!((tally.failed(), tally.violations()), (0, 0), "{tally:?}");
        assert!(tally.reads.answered > 100 && tally.uploads.answered > 50);
        assert_eq!(server.keys().len(), 20);
        assert!(server.keys().contains(&"a b/7".to_owned()));
    }
}

#[tokio::test]
async fn many_writers_and_readers_of_one_key_are_told_apart() {
    let crowd = Pace::Closed {
        clients: 64,
        think: Duration::ZERO,
    };
    let workload = Workload {
        keys: 1,
        reads: "0.5".parse().unwrap(),
        ..workload()
    };
    let server = Server::start(None).await;
    let tally = after(2000, &server, workload.clone(), crowd).await;
    assert_eq!((tally.failed(), tally.violations()), (0, 0), "{tally:?}");
    server.turn(Some(Fault::Loses));
    let tally = after(2000, &server, workload, crowd).await;
    assert!(tally.lost > 50, "{tally:?}");
}

#[tokio::test]
async fn what_is_read_wrong_is_told_by_its_name() {
    let tally = load_on(Fault::Stale).await;
    assert!(tally.stale > 10, "{tally:?}");
    assert_eq!((tally.lost, tally.wrong, tally.failed()), (0, 0, 0));
    let tally = load_on(Fault::Loses).await;
    assert!(tally.lost > 10, "{tally:?}");
    assert_eq!((tally.stale, tally.wrong, tally.failed()), (0, 0, 0));
    let tally = load_on(Fault::Forgets).await;
    assert!(tally.stale + tally.lost > 10, "{tally:?}");
    for fault in [Fault::Damages, Fault::Mixes] {
        let tally = load_on(fault).await;
        assert!(tally.wrong > 10, "{fault:?}: {tally:?}");
        assert_eq!((tally.stale, tally.lost, tally.failed()), (0, 0, 0));
    }
}

#[tokio::test]
async fn what_fails_is_counted_by_what_happened() {
    for (fault, failure) in [
        (Fault::Refuses, "refused: 503 try again in a moment"),
        (Fault::Closes, "connection: "),
        (
            Fault::TalksHtml,
            "refused: 200 with another answer than the contract's",
        ),
    ] {
        let tally = load_on(fault).await;
        let count: u64 = tally
            .failures
            .iter()
            .filter(|(what, _)| what.starts_with(failure))
            .map(|(_, count)| count)
            .sum();
        assert!(
            count > 10 && count == tally.failed(),
            "{fault:?}: {tally:?}"
        );
        let others = if fault == Fault::TalksHtml {
            tally.violations()
        } else {
            0
        };
        assert_eq!(tally.violations(), others, "{fault:?}: {tally:?}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_costs_each_request_its_time_and_no_more() {
    let server = Server::start(Some(Fault::Hangs)).await;
    let workload = Workload {
        time: Duration::from_millis(50),
        ..workload()
    };
    let tally = after(100, &server, workload, CLOSED).await;
    assert!(tally.failures["timed out"] > 10, "{tally:?}");
    assert_eq!(tally.failed(), tally.failures["timed out"]);
    assert_eq!(tally.violations(), 0, "{tally:?}");
    assert!(tally.percentiles().unwrap().max >= 50.0);
}

#[tokio::test]
async fn a_slow_answer_is_seen_in_the_latencies_and_fails_nobody() {
    let server = Server::start(Some(Fault::Slow)).await;
    let tally = after(30, &server, workload(), CLOSED).await;
    assert_eq!((tally.failed(), tally.violations()), (0, 0), "{tally:?}");
    assert!(tally.percentiles().unwrap().max >= 300.0);
}

#[tokio::test]
async fn connections_that_the_server_closes_after_an_answer_fail_nobody() {
    let tally = load_on(Fault::ClosesAfterwards).await;
    assert_eq!((tally.failed(), tally.violations()), (0, 0), "{tally:?}");
}

#[tokio::test]
async fn what_waits_for_a_slow_server_counts_from_when_it_was_due() {
    let server = Server::start(Some(Fault::Hangs)).await;
    let workload = Workload {
        time: Duration::from_millis(100),
        ..workload()
    };
    let pace = Pace::Open {
        rate: "1000".parse().unwrap(),
        in_flight: 5,
    };
    let tally = after(400, &server, workload, pace).await;
    let not_sent = tally.failures["not sent: too many were in flight"];
    assert!(not_sent > 100, "{tally:?}");
    assert_eq!(tally.failed(), not_sent + tally.failures["timed out"]);
}

#[tokio::test]
async fn nobody_there_is_a_failure_of_each_request() {
    let drive = Drive::new(&"http://127.0.0.1:1".parse().unwrap(), workload());
    let tally = drive.read_all().await;
    assert_eq!((tally.requests(), tally.failed()), (20, 20), "{tally:?}");
}

async fn whole_run(server: &Server, stop: &CancellationToken) -> Report {
    let options = Options {
        address: server.base.parse().unwrap(),
        workload: workload(),
        pace: open("300"),
        duration: Duration::from_secs(4),
        prepare: true,
        verify: true,
    };
    run(&options, &mut View::silent(), stop).await.unwrap()
}

#[tokio::test]
async fn a_run_reports_every_phase_and_every_second() {
    let server = Server::start(None).await;
    let report = whole_run(&server, &CancellationToken::new()).await;
    assert!(report.is_good(Some(0)), "{report}");
    let uploaded = |phase: &Option<load::drive::Phase>| phase.as_ref().unwrap().tally.requests();
    assert_eq!(
        (uploaded(&report.prepared), uploaded(&report.verified)),
        (20, 20)
    );
    // In the first the pool may not have answered yet.
    let is_told = report.seconds.iter().any(|second| {
        second.requests > 0 && second.pool.nodes == Some(1) && second.pool.hit_rate == Some(0.5)
    });
    assert!(is_told, "{:?}", report.seconds);
    let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
    assert_eq!(json["load"]["requests"], report.load.tally.requests());
    assert!(json["load"]["reads"]["milliseconds"]["p99.9"].as_f64() > Some(0.0));
    assert!(json["own_microseconds_per_request"].as_f64() > Some(0.0));
    assert!(
        report
            .to_string()
            .contains("failed 0   stale 0   lost 0   wrong 0")
    );
}

#[tokio::test]
async fn a_run_that_is_stopped_tells_what_it_has() {
    let server = Server::start(Some(Fault::Stale)).await;
    let stop = CancellationToken::new();
    stop.cancel();
    let report = whole_run(&server, &stop).await;
    assert!(report.prepared.is_none() && report.seconds.is_empty());
    assert!(report.verified.is_some());
}

#[tokio::test]
async fn a_run_on_nothing_says_that_nothing_was_read() {
    let server = Server::start(None).await;
    let options = Options {
        address: server.base.parse().unwrap(),
        workload: Workload {
            reads: "1".parse().unwrap(),
            ..workload()
        },
        pace: CLOSED,
        duration: Duration::from_millis(100),
        prepare: false,
        verify: false,
    };
    let stop = CancellationToken::new();
    let report = run(&options, &mut View::silent(), &stop).await.unwrap();
    assert_eq!(report.total().absent, report.total().requests());
    assert!(
        report.to_string().contains("--prepare stores them"),
        "{report}"
    );
    assert!(report.is_good(Some(0)));
}

#[tokio::test]
async fn a_run_that_found_something_is_not_good_and_says_what() {
    let server = Server::start(Some(Fault::Stale)).await;
    let report = whole_run(&server, &CancellationToken::new()).await;
    assert!(!report.is_good(None));
    let told = report.to_string();
    assert!(
        told.contains("stale: version ") && told.contains("a b/0"),
        "{told}"
    );
    server.turn(Some(Fault::Refuses));
    let report = whole_run(&server, &CancellationToken::new()).await;
    assert!(report.is_good(None) && !report.is_good(Some(0)), "{report}");
}
