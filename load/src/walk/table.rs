//! A walk as a table for people, as CSV, and as JSON.

use std::fmt;
use std::io::{self, Write};

use serde_json::json;

use super::{Report, Step, Stretch, Written};
use crate::drive::Tally;

/// What is not known, or does not apply.
const NOTHING: &str = "-";

/// A step in numbers, as both tables have them.
struct Row {
    nodes: u32,
    resize_seconds: Option<f64>,
    all: Tally,
    hit_percent: Option<f64>,
    baseline_hit_percent: Option<f64>,
    p50: Option<f64>,
    p99: Option<f64>,
    p50_resizing: Option<f64>,
    p99_resizing: Option<f64>,
}

impl Row {
    fn of(step: &Step) -> Self {
        let resize = step.resize.as_ref();
        let mut all = step.steady.tally.clone();
        if let Some(resize) = resize {
            all.add(&resize.tally);
        }
        let latencies = |stretch: &Stretch| stretch.tally.percentiles();
        let (steady, resizing) = (latencies(&step.steady), resize.and_then(latencies));
        let percent = |ratio: f64| ratio * 100.0;
        Self {
            nodes: step.nodes,
            resize_seconds: resize.map(|resize| resize.time.as_secs_f64()),
            hit_percent: hit_ratio(step).map(percent),
            baseline_hit_percent: step
                .baseline
                .as_ref()
                .and_then(|stretch| stretch.hit_ratio)
                .map(percent),
            p50: steady.map(|latencies| latencies.p50),
            p99: steady.map(|latencies| latencies.p99),
            p50_resizing: resizing.map(|latencies| latencies.p50),
            p99_resizing: resizing.map(|latencies| latencies.p99),
            all,
        }
    }
}

/// Of the resize and what follows it, weighed by their reads.
fn hit_ratio(step: &Step) -> Option<f64> {
    let mut hits = 0.0;
    let mut reads = 0.0;
    for stretch in step.resize.iter().chain([&step.steady]) {
        if let Some(ratio) = stretch.hit_ratio {
            let answered = stretch.tally.reads.answered as f64;
            hits += ratio * answered;
            reads += answered;
        }
    }
    (reads > 0.0).then(|| hits / reads)
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{}\n\n       resize                                            hits   baseline    steady, ms     resizing, ms\n\
             nodes       s  requests  failed   stale    lost   wrong       %     hits %    p50     p99    p50     p99",
            self.front_end
        )?;
        for step in &self.steps {
            let row = Row::of(step);
            write!(
                out,
                "{:5}{:>8}{}",
                row.nodes,
                one_digit(row.resize_seconds),
                counts(&row.all)
            )?;
            writeln!(
                out,
                "{:>8}{:>11}{:>7}{:>8}{:>7}{:>8}",
                one_digit(row.hit_percent),
                one_digit(row.baseline_hit_percent),
                one_digit(row.p50),
                one_digit(row.p99),
                one_digit(row.p50_resizing),
                one_digit(row.p99_resizing)
            )?;
        }
        let total = self.total();
        writeln!(out, "  all        {}", counts(&total))?;
        for (failure, count) in &total.failures {
            writeln!(out, "{count:10}  {failure}")?;
        }
        for violation in &self.violations {
            let (second, key) = (violation.second, &violation.key);
            writeln!(out, "  {second:7.3} s  {key}: {}", violation.what)?;
        }
        Ok(())
    }
}

fn one_digit(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.1}"))
}

fn counts(tally: &Tally) -> String {
    format!(
        "{:10}{:8}{:8}{:8}{:8}",
        tally.requests(),
        tally.failed(),
        tally.stale,
        tally.lost,
        tally.wrong
    )
}

impl Report {
    /// The steps as CSV (RFC 4180), a header first; what is not known is left empty.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "nodes,resize_s,requests,failed,stale,lost,wrong,hit_percent,baseline_hit_percent,p50_ms,p99_ms,resizing_p50_ms,resizing_p99_ms"
        )?;
        for step in &self.steps {
            let row = Row::of(step);
            let all = &row.all;
            let counts = [all.requests(), all.failed(), all.stale, all.lost, all.wrong];
            let figures = [
                row.hit_percent,
                row.baseline_hit_percent,
                row.p50,
                row.p99,
                row.p50_resizing,
                row.p99_resizing,
            ];
            let or_empty = |value: Option<f64>| value.map(|value| value.to_string());
            let fields = [
                row.nodes.to_string(),
                or_empty(row.resize_seconds).unwrap_or_default(),
            ]
            .into_iter()
            .chain(counts.map(|count| count.to_string()))
            .chain(figures.map(|figure| or_empty(figure).unwrap_or_default()));
            writeln!(out, "{}", fields.collect::<Vec<_>>().join(","))?;
        }
        Ok(())
    }

    /// Everything, as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let steps = self.steps.iter().map(|step| {
            json!({
                "nodes": step.nodes,
                "resize": step.resize.as_ref().map(Written::from),
                "steady": Written::from(&step.steady),
                "baseline": step.baseline.as_ref().map(Written::from),
            })
        });
        json!({
            "front-end": self.front_end.to_string(),
            "steps": steps.collect::<Vec<_>>(),
            "verified": self.verified.figures(),
            "total": self.total().figures(),
            "violations": self.violations,
        })
    }
}
