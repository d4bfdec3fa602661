//! A run as it goes on: three lines that are drawn anew on a terminal, a line every few seconds
//! elsewhere. Both go to stderr; the summary on stdout is not theirs.

use std::io::IsTerminal;
use std::time::Duration;

use console::style;
use indicatif::{ProgressBar, ProgressStyle};

use super::series::Second;

/// How many seconds a plain line stands for.
const LINE: u64 = 5;
/// How many sizes of the pool are shown.
const SIZES: usize = 12;

/// Where a run is shown.
#[derive(Debug)]
pub struct View {
    surface: Surface,
    bad: u64,
    failed: u64,
    sizes: Vec<u32>,
}

#[derive(Debug)]
enum Surface {
    Terminal(ProgressBar),
    Lines,
    Nowhere,
}

impl View {
    fn on(surface: Surface) -> Self {
        Self {
            surface,
            bad: 0,
            failed: 0,
            sizes: Vec::new(),
        }
    }

    /// On stderr.
    #[must_use]
    pub fn on_stderr() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::on(Surface::Lines);
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self::on(Surface::Terminal(bar))
    }

    /// Nowhere at all.
    #[must_use]
    pub fn silent() -> Self {
        Self::on(Surface::Nowhere)
    }

    /// Something begins.
    pub fn say(&self, what: &str) {
        match &self.surface {
            Surface::Terminal(bar) => bar.set_message(what.to_owned()),
            Surface::Lines => eprintln!("{what}"),
            Surface::Nowhere => {}
        }
    }

    /// A second has passed.
    pub fn show(&mut self, second: &Second) {
        self.failed += second.failed;
        self.bad += second.stale + second.lost + second.wrong;
        if let Some(nodes) = second.pool.nodes
            && self.sizes.last() != Some(&nodes)
        {
            self.sizes.push(nodes);
        }
        let lines = self.lines(second);
        match &self.surface {
            Surface::Terminal(bar) => bar.set_message(lines.join("\n  ")),
            Surface::Lines if second.second.is_multiple_of(LINE) => {
                eprintln!("{}", lines.join("   "));
            }
            Surface::Lines | Surface::Nowhere => {}
        }
    }

    fn lines(&self, second: &Second) -> Vec<String> {
        let latency = |latency: Option<f64>| {
            latency.map_or_else(|| "-".to_owned(), |latency| format!("{latency:.1} ms"))
        };
        let mut lines = vec![
            format!(
                "{:4} s   {:6}/s   p50 {:>9}   p99 {:>9}   in flight {}",
                second.second,
                second.requests,
                latency(second.p50),
                latency(second.p99),
                second.in_flight
            ),
            format!(
                "{}   {}",
                alarming("failed", self.failed),
                alarming("stale, lost or wrong", self.bad)
            ),
        ];
        lines.extend(self.pool(second));
        lines
    }

    fn pool(&self, second: &Second) -> Option<String> {
        let newest = &self.sizes[self.sizes.len().saturating_sub(SIZES)..];
        let sizes: Vec<String> = newest.iter().map(u32::to_string).collect();
        let rate = second.pool.hit_rate;
        let rate = rate.map(|rate| format!("   hit rate {:.0} %", rate * 100.0));
        (!sizes.is_empty())
            .then(|| format!("nodes {}{}", sizes.join(" → "), rate.unwrap_or_default()))
    }

    /// Nothing is drawn any more.
    pub fn end(&self) {
        if let Surface::Terminal(bar) = &self.surface {
            bar.finish_and_clear();
        }
    }
}

/// Red as soon as there is one.
fn alarming(what: &str, count: u64) -> String {
    let text = format!("{what} {count}");
    if count == 0 {
        text
    } else {
        style(text).red().bold().for_stderr().to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::pool::PoolSeen;
    use super::super::tally::Tally;
    use super::*;

    #[test]
    fn the_sizes_of_the_pool_are_shown_as_they_change() {
        let mut view = View::silent();
        for nodes in [1, 1, 2, 2, 4] {
            let pool = PoolSeen {
                nodes: Some(nodes),
                hit_rate: Some(0.5),
            };
            view.show(&Second::of(1, &Tally::default(), 0, pool));
        }
        let second = Second::of(6, &Tally::default(), 0, PoolSeen::default());
        let lines = view.lines(&second);
        assert!(lines[0].contains("p50         -"), "{lines:?}");
        assert_eq!(lines[2], "nodes 1 → 2 → 4");
    }
}
