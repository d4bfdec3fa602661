//! The end of a run, in words.

use std::fmt;

use super::latencies::Percentiles;
use super::recorder::Phase;
use super::run::Report;
use super::tally::{Figures, RequestFigures};

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = &self.load;
        let figures = load.tally.figures();
        writeln!(
            out,
            "{} in {:.1} s: {} requests, {:.1} a second\n",
            self.address,
            load.time.as_secs_f64(),
            figures.requests,
            per_second(load)
        )?;
        table(out, &figures)?;
        let total = self.total();
        writeln!(
            out,
            "\nfailed {}   stale {}   lost {}   wrong {}{}",
            total.failed(),
            total.stale,
            total.lost,
            total.wrong,
            self.phases()
        )?;
        if total.absent > 0 {
            writeln!(
                out,
                "{} reads found no photo, as none had been stored under their keys: --prepare stores them",
                total.absent
            )?;
        }
        for (failure, count) in &total.failures {
            writeln!(out, "{count:10}  {failure}")?;
        }
        for violation in &self.violations {
            let (second, key) = (violation.second, &violation.key);
            writeln!(out, "  {second:7.3} s  {key}: {}", violation.what)?;
        }
        if let Some(cost) = self.own_cost {
            writeln!(
                out,
                "this program took {cost:.0} µs of processor time a request"
            )?;
        }
        Ok(())
    }
}

impl Report {
    /// What the counts below include beside the load.
    fn phases(&self) -> String {
        let named = [("prepared", &self.prepared), ("verified", &self.verified)];
        let told = named.into_iter().filter_map(|(what, phase)| {
            let tally = &phase.as_ref()?.tally;
            Some(format!("   {what} {}", tally.requests() - tally.failed()))
        });
        told.collect()
    }
}

fn per_second(phase: &Phase) -> f64 {
    phase.tally.requests() as f64 / phase.time.as_secs_f64().max(f64::MIN_POSITIVE)
}

fn table(out: &mut fmt::Formatter<'_>, figures: &Figures) -> fmt::Result {
    writeln!(
        out,
        "           answered    failed       p50       p90       p99     p99.9       max"
    )?;
    for (name, requests) in [("reads", &figures.reads), ("uploads", &figures.uploads)] {
        let RequestFigures {
            answered,
            failed,
            milliseconds,
        } = requests;
        write!(out, "{name:8}{answered:11}{failed:10}")?;
        if let Some(Percentiles {
            p50,
            p90,
            p99,
            p999,
            max,
        }) = milliseconds
        {
            for latency in [p50, p90, p99, p999, max] {
                write!(out, "{latency:10.2}")?;
            }
            write!(out, " ms")?;
        }
        writeln!(out)?;
    }
    Ok(())
}
