#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::metrics::Points;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Twelve samples a minute of `nodes` nodes, in the order of [`Curves::series`].
fn curves(minutes: &[(i64, [f64; 6])]) -> Curves {
    let mut read = (0..6).map(|place| -> Points {
        minutes
            .iter()
            .map(|(minute, values)| (*minute, values[place]))
            .collect()
    });
    Curves::take(&mut read)
}

#[test]
fn a_minute_is_shown_when_it_ended_ninety_seconds_ago() {
    let window = Window::at(at(6000 + 89));
    assert_eq!((window.start(), window.end()), (5940 - 1800, 5940));
    assert_eq!(window.lasts(at(6000 + 89)), 1);
    let window = Window::at(at(6000 + 90));
    assert_eq!(window.end(), 6000);
    assert_eq!(window.lasts(at(6000 + 90)), 60);
    let minutes: Vec<_> = window.minutes().collect();
    assert_eq!(minutes.len(), 30);
    assert_eq!((minutes[0], minutes[29]), (4200, 5940));
}

#[test]
fn gauges_of_all_nodes_are_their_mean_times_the_nodes() {
    // Two nodes, 24 samples, which hold 30 and 50 entries.
    let pool = curves(&[(60, [400.0, 100.0, 500.0, 24.0, 40.0, 4096.0])]);
    assert_eq!(pool.nodes(60), Some(2.0));
    assert_eq!(pool.items(60), Some(80.0));
    assert_eq!(pool.bytes(60), Some(8192.0));
    assert_eq!(pool.requests(60), Some(500.0));
    assert_eq!(pool.miss_rate(60), Some(0.25));
    assert_eq!(pool.hit_rate(60), Some(0.75));
}

#[test]
fn a_sample_more_or_less_is_no_node() {
    for (samples, nodes) in [
        (11.0, 1.0),
        (13.0, 1.0),
        (23.0, 2.0),
        (95.0, 8.0),
        (3.0, 1.0),
    ] {
        let pool = curves(&[(0, [0.0, 0.0, 0.0, samples, 1.0, 1.0])]);
        assert_eq!(pool.nodes(0), Some(nodes), "{samples}");
    }
}

#[test]
fn a_minute_without_figures_is_a_gap_and_one_without_lookups_has_no_rate() {
    let pool = curves(&[(0, [0.0, 0.0, 7.0, 12.0, 3.0, 9.0])]);
    assert_eq!(pool.miss_rate(0), None);
    assert_eq!(pool.hit_rate(0), None);
    assert_eq!(pool.requests(0), Some(7.0));
    assert_eq!(pool.requests(60), None);
    assert_eq!(pool.items(60), None);
    assert_eq!(pool.nodes(60), None);
}

#[test]
fn what_was_wished_for_follows_the_resizes_from_the_first_report_on() {
    let window = Window::at(at(60 * 60 + 90));
    let minutes: Vec<_> = window.minutes().collect();
    let full = |minute: &i64| (*minute, [1.0, 0.0, 1.0, 12.0, 1.0, 1.0]);
    let figures = Figures {
        window,
        pool: curves(&minutes[10..].iter().map(full).collect::<Vec<_>>()),
        nodes: Vec::new(),
    };
    let resizes = [
        Resize {
            at: minutes[20] + 30,
            from: 1,
            to: 4,
        },
        Resize {
            at: minutes[25] + 30,
            from: 4,
            to: 3,
        },
    ];
    let charts = charts(&figures, &resizes, 3, (0.2, 0.6));
    let wished = &charts[0].lines[1].values;
    assert_eq!(wished[9], None);
    assert_eq!(wished[10], Some(1.0));
    assert_eq!(wished[19], Some(1.0));
    assert_eq!(wished[20], Some(4.0));
    assert_eq!(wished[24], Some(4.0));
    assert_eq!(wished[25], Some(3.0));
    assert_eq!(wished[29], Some(3.0));
}

#[test]
fn thresholds_stand_at_the_miss_rate_and_nodes_have_lines_of_their_own() {
    let window = Window::at(at(60 * 60));
    let minute = window.start();
    let figures = Figures {
        window,
        pool: curves(&[(minute, [4.0, 1.0, 4.0, 24.0, 1.0, 1.0])]),
        nodes: vec![(
            "i-1".to_owned(),
            curves(&[(minute, [2.0, 1.0, 2.0, 12.0, 1.0, 1.0])]),
        )],
    };
    let charts = charts(&figures, &[], 2, (0.2, 0.6));
    let miss_rate = charts
        .iter()
        .find(|chart| chart.name == "miss-rate")
        .unwrap();
    let levels: Vec<_> = miss_rate.levels.iter().map(|level| level.at).collect();
    assert_eq!(levels, [0.6, 0.2]);
    assert_eq!(miss_rate.lines[0].values[0], Some(0.25));
    assert_eq!(miss_rate.lines[1].of, Of::Node("i-1".to_owned()));
    assert_eq!(miss_rate.lines[1].values[0], Some(0.5));
    let levelled = charts.iter().filter(|chart| !chart.levels.is_empty());
    assert_eq!(levelled.count(), 1);
}
