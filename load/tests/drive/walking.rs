//! The walk.

use std::time::Duration;

use load::drive::{Tally, View};
use load::walk::{Options, Report, WalkError, walk};
use tokio_util::sync::CancellationToken;

use crate::server::{Fault, RESIZE, Server};
use crate::{open, workload};

fn options(server: &Server) -> Options {
    Options {
        front_end: server.base.parse().unwrap(),
        workload: workload(),
        pace: open("500"),
        steps: vec![1, 2, 4, 1],
        hold: Duration::from_millis(600),
        patience: Duration::from_secs(10),
        baseline: true,
    }
}

async fn walked(options: &Options) -> Result<Report, WalkError> {
    walk(options, &View::silent(), &CancellationToken::new()).await
}

#[tokio::test]
async fn a_walk_tells_of_every_step_and_of_the_same_time_without() {
    let server = Server::start(None).await;
    let report = walked(&options(&server)).await.unwrap();
    assert_eq!(
        server.sizes(),
        [1, 2, 4, 1, 1],
        "and the baseline begins at 1"
    );
    let total = report.total();
    assert_eq!((total.failed(), total.violations()), (0, 0), "{report}");
    assert!(report.is_clean());
    assert!(report.steps[0].resize.is_none());
    for step in &report.steps[1..] {
        let resize = step.resize.as_ref().unwrap();
        assert!(resize.time >= RESIZE, "{report}");
        assert!(resize.tally.requests() > 0 && step.steady.tally.requests() > 0);
        assert_eq!(resize.hit_ratio, Some(0.75));
        let baseline = step.baseline.as_ref().unwrap();
        assert!(baseline.time >= resize.time + step.steady.time);
        assert_eq!(baseline.tally.violations(), 0);
    }
    the_tables_agree(&report, &total);
}

fn the_tables_agree(report: &Report, total: &Tally) {
    let text = report.to_string();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .filter(|row: &Vec<&str>| row.len() == 13 && row[0].parse::<u32>().is_ok())
        .collect();
    let sizes: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(sizes, ["1", "2", "4", "1"], "{text}");
    assert_eq!((rows[0][1], rows[1][7], rows[1][8]), ("-", "75.0", "75.0"));
    let mut csv = Vec::new();
    report.write_csv(&mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert_eq!(csv.lines().count(), 5, "{csv}");
    let fields = |line: &str| line.split(',').count();
    assert!(csv.lines().all(|line| fields(line) == 13), "{csv}");
    let json = report.json();
    assert_eq!(json["steps"][2]["nodes"], 4);
    assert_eq!(json["steps"][2]["resize"]["hit_ratio"], 0.75);
    assert_eq!(json["total"]["requests"], total.requests());
}

#[tokio::test]
async fn a_size_that_is_refused_or_not_reached_ends_the_walk_with_the_reason() {
    let server = Server::start(Some(Fault::KeepsItsSize)).await;
    let refused = walked(&options(&server)).await.unwrap_err().to_string();
    assert!(refused.contains("automatic mode decides"), "{refused}");
    let server = Server::start(Some(Fault::StaysSmall)).await;
    let mut impatient = options(&server);
    impatient.patience = Duration::from_millis(200);
    let stuck = walked(&impatient).await.unwrap_err().to_string();
    assert!(
        stuck.contains("did not come to 2 nodes") && stuck.contains("1 places"),
        "{stuck}"
    );
}

#[tokio::test]
async fn a_walk_that_is_stopped_tells_what_it_has() {
    let server = Server::start(Some(Fault::StaysSmall)).await;
    let stop = CancellationToken::new();
    let (options, view) = (options(&server), View::silent());
    let walking = walk(&options, &view, &stop);
    let stopping = async {
        // It waits for the second size, which never comes.
        while server.sizes().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    let (report, ()) = tokio::join!(walking, stopping);
    assert_eq!(report.unwrap().steps.len(), 2);
}
