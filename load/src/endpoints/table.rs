//! The checks as a table for people, at most 80 columns wide: what was tried at which endpoint, what
//! came, and where that was not right, what was expected.

use std::fmt::Write as _;

use super::{Check, Report};

/// Columns of what was tried.
const TRIED: usize = 56;
/// Columns of an endpoint.
const ENDPOINT: usize = 26;

/// Prints rows as they come; a heading goes before the first of each endpoint.
#[derive(Debug, Default)]
pub struct Table {
    under: Option<&'static str>,
}

impl Table {
    /// The lines of one more check.
    pub fn row(&mut self, check: &Check) -> String {
        let mut lines = String::new();
        if self.under.replace(check.endpoint) != Some(check.endpoint) {
            let _ = writeln!(lines, "\nPOST {}", check.endpoint);
        }
        let came: Vec<String> = check.answered.iter().map(u16::to_string).collect();
        let came = came.join(" ");
        let word = match check.mismatch {
            None => console::style("ok    ").green(),
            Some(_) => console::style("FAILED").red().bold(),
        };
        let row = format!("  {word}  {:TRIED$}  {came}", check.name);
        let _ = writeln!(lines, "{}", row.trim_end());
        if let Some(mismatch) = &check.mismatch {
            let _ = writeln!(lines, "          expected  {}", mismatch.expected);
            let _ = writeln!(lines, "          got       {}", mismatch.came);
        }
        lines
    }
}

/// How many checks each endpoint passed, and all of them.
#[must_use]
pub fn summary(report: &Report) -> String {
    let mut endpoints: Vec<&str> = Vec::new();
    for check in &report.checks {
        if !endpoints.contains(&check.endpoint) {
            endpoints.push(check.endpoint);
        }
    }
    let mut text = format!("\n{:ENDPOINT$}  tried  passed  failed\n", "endpoint");
    for endpoint in endpoints {
        let of_it = || report.checks.iter().filter(|c| c.endpoint == endpoint);
        let failed = of_it().filter(|c| c.mismatch.is_some()).count();
        let tried = of_it().count();
        let _ = writeln!(
            text,
            "{endpoint:ENDPOINT$}  {tried:>5}  {:>6}  {failed:>6}",
            tried - failed
        );
    }
    let (tried, passed, failed) = (report.checks.len(), report.passed, report.failed);
    let _ = writeln!(
        text,
        "{:ENDPOINT$}  {tried:>5}  {passed:>6}  {failed:>6}",
        "all"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::Mismatch;
    use std::time::Duration;

    fn check(name: &str, answered: &[u16], mismatch: Option<Mismatch>) -> Check {
        Check {
            endpoint: "/api/upload",
            name: name.to_owned(),
            answered: answered.to_vec(),
            mismatch,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn a_failed_check_says_what_was_expected_and_what_came() {
        let mut table = Table::default();
        let right = table.row(&check("a key `1` works", &[200], None));
        let mismatch = Mismatch::new("413 application/json", "500 text/html");
        let wrong = table.row(&check("a large one is refused", &[500], Some(mismatch)));
        let plain = |text: &str| console::strip_ansi_codes(text).into_owned();
        let right = plain(&right);
        assert!(
            right.starts_with("\nPOST /api/upload\n  ok      a key `1` works"),
            "{right}"
        );
        assert!(right.trim_end().ends_with("200"), "{right}");
        assert!(right.lines().all(|line| line.len() <= 80), "{right}");
        let wrong = plain(&wrong);
        assert!(wrong.starts_with("  FAILED  a large one"), "{wrong}");
        assert!(wrong.contains("  expected  413 application/json\n"));
        assert!(wrong.contains("  got       500 text/html\n"));
    }

    #[test]
    fn the_summary_counts_each_endpoint_and_all() {
        let wrong = Some(Mismatch::new("a", "b"));
        let checks = vec![check("one", &[], None), check("two", &[], wrong)];
        let text = summary(&Report::new("http://x", checks));
        assert!(
            text.lines()
                .filter(|line| line.ends_with("2       1       1"))
                .count()
                == 2,
            "{text}"
        );
    }
}
