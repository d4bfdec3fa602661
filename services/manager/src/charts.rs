//! The charts: thirty minutes of the pool, from what the nodes published. Pure; [`readings`] asks
//! CloudWatch for it.

mod figures;
pub mod readings;

use jiff::Timestamp;

pub use figures::{Curves, Figures};

const MINUTE: i64 = 60;
/// CloudWatch may still be taking figures of a minute for so many seconds after its end. The scaler
/// decides by minutes of this age too.
const SETTLED: i64 = 90;

/// Thirty whole minutes that CloudWatch surely has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The end of the newest, in minutes since 1970.
    end: i64,
}

impl Window {
    /// Minutes that are shown.
    pub const MINUTES: i64 = 30;

    /// The window that is shown at a time.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self {
            end: (now.as_second() - SETTLED).div_euclid(MINUTE),
        }
    }

    /// The second at which the oldest minute begins.
    #[must_use]
    pub const fn start(self) -> i64 {
        (self.end - Self::MINUTES) * MINUTE
    }

    /// The second at which the newest minute ends.
    #[must_use]
    pub const fn end(self) -> i64 {
        self.end * MINUTE
    }

    /// The seconds at which the minutes begin, oldest first.
    pub fn minutes(self) -> impl Iterator<Item = i64> {
        (self.end - Self::MINUTES..self.end).map(|minute| minute * MINUTE)
    }

    /// Seconds until there is a newer minute to be shown.
    #[must_use]
    pub fn lasts(self, now: Timestamp) -> i64 {
        (self.end() + SETTLED + MINUTE - now.as_second()).clamp(1, MINUTE)
    }
}

/// What a line of a chart counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// A fraction of 1.
    Share,
    /// Bytes.
    Bytes,
}

/// A chart of one figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Short name.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// Of all its lines.
    pub unit: Unit,
    /// The pool's first.
    pub lines: Vec<Line>,
    /// Levels that mean something.
    pub levels: Vec<Level>,
}

/// What a line is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// All nodes together.
    All,
    /// The number of nodes that reported.
    Reporting,
    /// The number of nodes that was wished for.
    Wished,
    /// One node, by its instance.
    Node(String),
}

/// A line; `None` is a gap.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it is of.
    pub of: Of,
    /// By the minute, as [`Window::minutes`].
    pub values: Vec<Option<f64>>,
}

/// A level that a line may cross.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Where.
    pub at: f64,
    /// What happens beyond it.
    pub text: &'static str,
}

/// A change of the size that was wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resize {
    /// When, in seconds since 1970.
    pub at: i64,
    /// Nodes before.
    pub from: u32,
    /// Nodes after.
    pub to: u32,
}

impl Line {
    fn new(of: Of, values: impl Iterator<Item = Option<f64>>) -> Self {
        Self {
            of,
            values: values.collect(),
        }
    }
}

/// The charts of the overview.
#[must_use]
pub fn charts(
    figures: &Figures,
    resizes: &[Resize],
    wanted: u32,
    (min_miss, max_miss): (f64, f64),
) -> Vec<Chart> {
    let pool = &figures.pool;
    let minutes = || figures.window.minutes();
    let wished = |minute| {
        figures
            .is_known_at(minute)
            .then(|| f64::from(wish_at(resizes, wanted, minute)))
    };
    let chart = |name, title, unit, value: fn(&Curves, i64) -> Option<f64>| {
        let own = Line::new(Of::All, minutes().map(|minute| value(pool, minute)));
        let nodes = figures.nodes.iter().map(|(instance, curves)| {
            Line::new(
                Of::Node(instance.clone()),
                minutes().map(|minute| value(curves, minute)),
            )
        });
        Chart {
            name,
            title,
            unit,
            lines: std::iter::once(own).chain(nodes).collect(),
            levels: Vec::new(),
        }
    };
    let mut miss_rate = chart("miss-rate", "Miss rate", Unit::Share, Curves::miss_rate);
    miss_rate.levels = vec![
        Level {
            at: max_miss,
            text: "grow above",
        },
        Level {
            at: min_miss,
            text: "shrink below",
        },
    ];
    let nodes = Chart {
        name: "nodes",
        title: "Nodes",
        unit: Unit::Count,
        lines: vec![
            Line::new(Of::Reporting, minutes().map(|minute| pool.nodes(minute))),
            Line::new(Of::Wished, minutes().map(wished)),
        ],
        levels: Vec::new(),
    };
    vec![
        nodes,
        chart(
            "requests",
            "Requests per minute",
            Unit::Count,
            Curves::requests,
        ),
        miss_rate,
        chart("hit-rate", "Hit rate", Unit::Share, Curves::hit_rate),
        chart("items", "Cached entries", Unit::Count, Curves::items),
        chart("bytes", "Cached bytes", Unit::Bytes, Curves::bytes),
    ]
}

/// The size that was wished for at the end of a minute: the present wish, with all later changes taken
/// back.
fn wish_at(resizes: &[Resize], wanted: u32, minute: i64) -> u32 {
    let later = resizes.iter().filter(|resize| resize.at >= minute + MINUTE);
    later
        .min_by_key(|resize| resize.at)
        .map_or(wanted, |first| first.from)
}

#[cfg(test)]
mod tests;
