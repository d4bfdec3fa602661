//! The charts as tables: each has its values in one, which the script draws, and which is there for
//! everybody who cannot see or hover over a drawing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kit::words::{grouped, sentence, size};
use serde::Serialize;

use super::told;
use crate::charts::readings::{Reading, State};
use crate::charts::{Chart, Line, Of, Resize, Unit, Window};

/// The place of each instance, counted from 1.
pub(super) type Places = BTreeMap<String, u32>;

/// All charts, for the template.
#[derive(Serialize)]
pub(super) struct Shown {
    charts: Vec<ChartShown>,
    /// Seconds until there is something newer.
    next: i64,
    is_waiting: bool,
    problem: Option<String>,
}

/// A chart, for the template.
#[derive(Serialize)]
struct ChartShown {
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    /// The newest value.
    newest: String,
    /// The chart in a sentence.
    summary: String,
    /// Whether there is anything to be drawn.
    is_empty: bool,
    lines: Vec<LineShown>,
    levels: Vec<LevelShown>,
    marks: Vec<Mark>,
    /// Newest first.
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct LineShown {
    name: String,
    /// `all`, `wished`, or `node`.
    kind: &'static str,
    /// A node's place, counted from 1, for its colour.
    place: Option<u32>,
    instance: Option<String>,
}

#[derive(Serialize)]
struct LevelShown {
    at: f64,
    text: String,
}

/// A resize.
#[derive(Serialize)]
struct Mark {
    at: i64,
    text: String,
}

/// A minute.
#[derive(Serialize)]
struct Row {
    second: i64,
    time: String,
    clock: String,
    cells: Vec<Cell>,
    /// Resizes in this minute.
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Cell {
    value: Option<f64>,
    told: String,
}

/// The charts, to be rendered.
pub(super) fn shown(
    reading: &Reading,
    charts: &[Chart],
    resizes: &[Resize],
    places: &Places,
    now: Timestamp,
) -> Shown {
    let window = reading.figures.window;
    let charts = charts
        .iter()
        .map(|chart| chart_shown(chart, window, resizes, places));
    Shown {
        charts: charts.collect(),
        next: match reading.state {
            State::Waiting => 2,
            State::Current | State::Failed(_) => window.lasts(now),
        },
        is_waiting: reading.state == State::Waiting,
        problem: match &reading.state {
            State::Failed(problem) => Some(sentence(problem)),
            State::Current | State::Waiting => None,
        },
    }
}

fn chart_shown(chart: &Chart, window: Window, resizes: &[Resize], places: &Places) -> ChartShown {
    let own = chart.lines.first().map_or(&[][..], |line| &line.values);
    let known: Vec<_> = window
        .minutes()
        .zip(own)
        .filter_map(|(minute, value)| Some((minute, (*value)?)))
        .collect();
    let lines = chart.lines.iter().map(|line| line_shown(line, places));
    let levels = chart.levels.iter().map(|level| LevelShown {
        at: level.at,
        text: format!("{} {}", level.text, told::percent(level.at)),
    });
    let marks = resizes.iter().filter(|resize| within(resize, window));
    ChartShown {
        name: chart.name,
        title: chart.title,
        unit: unit_name(chart.unit),
        newest: known.last().map_or_else(
            || told::NOTHING.to_owned(),
            |(_, value)| value_told(chart.unit, *value),
        ),
        summary: summary(chart, &known),
        is_empty: known.is_empty(),
        lines: lines.collect(),
        levels: levels.collect(),
        marks: marks.map(mark).collect(),
        rows: rows(chart, window, resizes),
    }
}

fn line_shown(line: &Line, places: &Places) -> LineShown {
    let (name, kind, instance) = match &line.of {
        Of::All => ("All nodes".to_owned(), "all", None),
        Of::Reporting => ("Reporting".to_owned(), "all", None),
        Of::Wished => ("Wished for".to_owned(), "wished", None),
        Of::Node(instance) => (instance.clone(), "node", Some(instance.clone())),
    };
    let place = instance.as_ref().and_then(|id| places.get(id)).copied();
    LineShown {
        name: place.map_or(name, |place| format!("Node {place}")),
        kind,
        place,
        instance,
    }
}

const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "count",
        Unit::Share => "share",
        Unit::Bytes => "bytes",
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is counted is not negative, and is told in whole numbers"
)]
fn value_told(unit: Unit, value: f64) -> String {
    let whole = value.round() as u64;
    match unit {
        Unit::Count => grouped(whole),
        Unit::Share => told::percent(value),
        Unit::Bytes => size(whole),
    }
}

fn summary(chart: &Chart, known: &[(i64, f64)]) -> String {
    let Some((minute, newest)) = known.last() else {
        return "No figures in these 30 minutes.".to_owned();
    };
    let told = |value| value_told(chart.unit, value);
    let values = || known.iter().map(|(_, value)| *value);
    let lowest = told(values().fold(f64::INFINITY, f64::min));
    let highest = told(values().fold(0.0, f64::max));
    let at = Timestamp::from_second(*minute)
        .map(told::clock)
        .unwrap_or_default();
    let newest = told(*newest);
    if lowest == highest {
        return format!("{newest} at {at} UTC, and in all of the last 30 minutes that are known.");
    }
    format!("{newest} at {at} UTC; from {lowest} to {highest} in the last 30 minutes.")
}

fn within(resize: &Resize, window: Window) -> bool {
    (window.start()..window.end()).contains(&resize.at)
}

fn mark(resize: &Resize) -> Mark {
    Mark {
        at: resize.at,
        text: format!("{} → {}", resize.from, resize.to),
    }
}

fn rows(chart: &Chart, window: Window, resizes: &[Resize]) -> Vec<Row> {
    let minutes: Vec<_> = window.minutes().enumerate().collect();
    let rows = minutes.into_iter().rev().map(|(place, second)| {
        let time = Timestamp::from_second(second).unwrap_or_default();
        let cells = chart.lines.iter().map(|line| {
            let value = line.values.get(place).copied().flatten();
            Cell {
                value,
                told: told::or_nothing(value.map(|value| value_told(chart.unit, value))),
            }
        });
        let notes = resizes
            .iter()
            .filter(|resize| (second..second + 60).contains(&resize.at));
        Row {
            second,
            time: time.to_string(),
            clock: told::clock(time),
            cells: cells.collect(),
            notes: notes.map(|resize| mark(resize).text).collect(),
        }
    });
    rows.collect()
}
