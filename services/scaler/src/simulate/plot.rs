//! The decisions as a picture.

use std::ops::Range;
use std::path::{Path, PathBuf};

use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::series::{DashedLineSeries, LineSeries};
use plotters::style::{Color, RGBColor};

use super::replay::{Conditions, Tick};

const SIZE: (u32, u32) = (960, 540);
const RATE: RGBColor = RGBColor(0, 90, 156);
const THRESHOLD: RGBColor = RGBColor(176, 58, 46);
const NODES: RGBColor = RGBColor(60, 110, 60);
const SECONDS_A_MINUTE: f64 = 60.0;

/// The picture could not be made.
#[derive(Debug, thiserror::Error)]
#[error("drawing {}: {what}", path.display())]
pub struct PlotError {
    /// The file.
    path: PathBuf,
    /// What was in the way.
    what: String,
}

type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws the miss rate between its thresholds, and the number of nodes below it.
pub(super) fn draw(path: &Path, ticks: &[Tick], conditions: &Conditions) -> Result<(), PlotError> {
    let failed = |what: String| PlotError {
        path: path.to_owned(),
        what,
    };
    let mut text = String::new();
    sheet(&mut text, ticks, conditions).map_err(|error| failed(error.to_string()))?;
    std::fs::write(path, text).map_err(|error| failed(error.to_string()))
}

fn sheet(text: &mut String, ticks: &[Tick], conditions: &Conditions) -> Drawn {
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&plotters::style::WHITE)?;
    let (above, below) = root.split_vertically(SIZE.1 * 3 / 5);
    let minutes = minutes(ticks);
    draw_rate(&above, ticks, conditions, minutes.clone())?;
    draw_nodes(&below, ticks, conditions, minutes)?;
    root.present()
}

/// Minutes since the first tick.
fn time(ticks: &[Tick], tick: &Tick) -> f64 {
    let first = ticks.first().unwrap_or(tick).decision.at;
    tick.decision.at.duration_since(first).as_secs_f64() / SECONDS_A_MINUTE
}

fn minutes(ticks: &[Tick]) -> Range<f64> {
    let last = ticks.last().map_or(0.0, |tick| time(ticks, tick));
    0.0..last.max(1.0)
}

fn draw_rate(
    area: &Area<'_>,
    ticks: &[Tick],
    conditions: &Conditions,
    minutes: Range<f64>,
) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(48)
        .caption("miss rate and its thresholds", ("sans-serif", 16))
        .build_cartesian_2d(minutes.clone(), 0.0..1.0)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(0)
        .x_label_formatter(&|minutes| format!("{minutes:.0}"))
        .y_desc("miss rate")
        .draw()?;
    for threshold in [conditions.policy.max_miss, conditions.policy.min_miss] {
        let ends = [(minutes.start, threshold), (minutes.end, threshold)];
        chart.draw_series(DashedLineSeries::new(ends, 6, 4, THRESHOLD.stroke_width(1)))?;
    }
    // A minute that could not be judged is a gap.
    for judged in ticks.split(|tick| tick.decision.rate.is_none()) {
        let points = judged
            .iter()
            .filter_map(|tick| Some((time(ticks, tick), tick.decision.rate?)));
        chart.draw_series(LineSeries::new(points, RATE.stroke_width(2).filled()).point_size(3))?;
    }
    Ok(())
}

fn draw_nodes(
    area: &Area<'_>,
    ticks: &[Tick],
    conditions: &Conditions,
    minutes: Range<f64>,
) -> Drawn {
    let most = f64::from(conditions.max) + 0.5;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(minutes, 0.0..most)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(0)
        .x_label_formatter(&|minutes| format!("{minutes:.0}"))
        .x_desc("minutes")
        .y_desc("nodes")
        .y_labels(conditions.max as usize + 1)
        .y_label_formatter(&|nodes| format!("{nodes:.0}"))
        .draw()?;
    let steps = ticks.windows(2).flat_map(|pair| {
        let until = time(ticks, &pair[1]);
        [
            (time(ticks, &pair[0]), f64::from(pair[0].serving)),
            (until, f64::from(pair[0].serving)),
            (until, f64::from(pair[1].serving)),
        ]
    });
    chart.draw_series(LineSeries::new(steps, NODES.stroke_width(2)))?;
    Ok(())
}
