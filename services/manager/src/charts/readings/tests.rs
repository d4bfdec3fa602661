#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::future::{BoxFuture, join_all};
use tokio::sync::Notify;

use super::*;
use crate::metrics::MetricsError;

/// Metrics that count how often they are asked, and for how many series.
#[derive(Default)]
struct Counting {
    reads: AtomicUsize,
    series: AtomicUsize,
    is_down: AtomicBool,
    hangs: AtomicBool,
    release: Notify,
}

impl Metrics for Counting {
    fn read<'a>(
        &'a self,
        series: &'a [Series],
        window: Window,
    ) -> BoxFuture<'a, Result<Vec<Points>, MetricsError>> {
        Box::pin(async move {
            self.reads.fetch_add(1, Ordering::Relaxed);
            self.series.fetch_add(series.len(), Ordering::Relaxed);
            if self.hangs.load(Ordering::Relaxed) {
                self.release.notified().await;
            }
            if self.is_down.load(Ordering::Relaxed) {
                return Err(MetricsError("it is down".to_owned()));
            }
            let point = (window.end() - 60, 12.0);
            Ok(series.iter().map(|_| Points::from([point])).collect())
        })
    }
}

fn readings() -> (Arc<Counting>, Readings) {
    let metrics = Arc::<Counting>::default();
    (metrics.clone(), Readings::new(metrics))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn reads(metrics: &Counting) -> usize {
    metrics.reads.load(Ordering::Relaxed)
}

#[tokio::test]
async fn ten_who_look_for_ten_minutes_cost_one_read_a_minute() {
    let (metrics, readings) = readings();
    for second in (0..600).step_by(5) {
        let viewers = (0..10).map(|_| readings.read(at(600_000 + second), &[]));
        for reading in join_all(viewers).await {
            assert_eq!(reading.state, State::Current);
        }
    }
    // 600,000 s is a full minute, and a minute changes 90 s after its end: eleven windows.
    assert_eq!(reads(&metrics), 11);
    assert_eq!(metrics.series.load(Ordering::Relaxed), 11 * 6);
}

#[tokio::test]
async fn nobody_looks_and_nothing_is_read() {
    let (metrics, _readings) = readings();
    tokio::task::yield_now().await;
    assert_eq!(reads(&metrics), 0);
}

#[tokio::test]
async fn nodes_are_read_only_when_they_are_asked_for() {
    let (metrics, readings) = readings();
    let nodes = ["i-1".to_owned(), "i-2".to_owned()];
    readings.read(at(600_000), &[]).await;
    assert_eq!(metrics.series.load(Ordering::Relaxed), 6);
    for _ in 0..3 {
        let reading = readings.read(at(600_000), &nodes).await;
        assert_eq!(reading.figures.nodes.len(), 2);
        assert_eq!(reading.figures.nodes[1].0, "i-2");
    }
    assert_eq!(metrics.series.load(Ordering::Relaxed), 6 + 12);
    // Another node: its figures are not in what was read.
    readings.read(at(600_000), &nodes[..1]).await;
    assert_eq!(reads(&metrics), 3);
}

#[tokio::test]
async fn what_was_read_is_shown_while_cloudwatch_is_down_and_it_is_asked_once_a_minute() {
    let (metrics, readings) = readings();
    let before = readings.read(at(600_000), &[]).await;
    metrics.is_down.store(true, Ordering::Relaxed);
    for _ in 0..5 {
        let reading = readings.read(at(600_060), &[]).await;
        let State::Failed(problem) = &reading.state else {
            panic!("{reading:?}")
        };
        assert!(problem.contains("it is down"), "{problem}");
        assert_eq!(reading.figures.pool, before.figures.pool);
    }
    assert_eq!(reads(&metrics), 2);
    metrics.is_down.store(false, Ordering::Relaxed);
    let after = readings.read(at(600_120), &[]).await;
    assert_eq!(after.state, State::Current);
    assert_ne!(after.figures.pool, before.figures.pool);
}

#[tokio::test]
async fn a_page_does_not_wait_for_long_and_its_reading_goes_on_without_it() {
    let metrics = Arc::<Counting>::default();
    let hurried = Readings::with_patience(metrics.clone(), Duration::ZERO);
    metrics.hangs.store(true, Ordering::Relaxed);
    let reading = hurried.read(at(600_000), &[]).await;
    assert_eq!(reading.state, State::Waiting);
    metrics.release.notify_one();
    let mut patient = hurried.clone();
    patient.pool.patience = PATIENCE;
    let reading = patient.read(at(600_000), &[]).await;
    assert_eq!(reading.state, State::Current);
    assert_eq!(reads(&metrics), 1);
}
