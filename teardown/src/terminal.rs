//! What a teardown says on a terminal: what would go, what goes, and what it has come to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deployer_aws::AwsError;
use deployer_aws::progress::Progress;
use deployer_core::cost::rates::Rates;
use deployer_core::destroy::Removal;
use deployer_core::inventory::Listed;
use deployer_core::money::Microdollars;
use deployer_core::names::Scope;
use deployer_session::failure::Exit;
use deployer_session::report::{Event, Line, Report};

use crate::receipt::Left;
use crate::{Ended, Observer, Verdict};

/// The lines of what there is, each behind a sign.
#[must_use]
pub fn lines(listed: &[Listed], sign: char, rates: Option<&Rates>) -> String {
    let width = listed.iter().map(|l| l.resource.len()).max().unwrap_or(0);
    let mut text = String::new();
    for left in Left::of(listed, rates) {
        let styled = console::style(sign);
        let styled = match sign {
            '-' => styled.red().for_stderr(),
            _ => styled.green().for_stderr(),
        };
        let (resource, id, state) = (&left.resource, &left.id, &left.state);
        let price = a_day(left.a_day, rates);
        let line = format!("  {styled} {resource:width$}  {id} {state}{price}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What a thing costs, where things are billed. What is free says nothing.
fn a_day(amount: Option<Microdollars>, rates: Option<&Rates>) -> String {
    match (rates, amount) {
        (None, _) | (_, Some(Microdollars::ZERO)) => String::new(),
        (_, Some(amount)) => format!("  {amount} a day"),
        (_, None) => "  no price known".to_owned(),
    }
}

/// What things that stay cost together, as a line, where things are billed.
#[must_use]
pub fn in_all(listed: &[Listed], rates: Option<&Rates>) -> String {
    let told = rates.map(|rates| format!("  {}\n", rates.in_all(listed)));
    told.unwrap_or_default()
}

/// What a teardown has come to, as text, its word, and how the program ends.
#[must_use]
pub fn verdict(
    ended: &Ended,
    scope: &Scope,
    took: Duration,
    rates: Option<&Rates>,
) -> (String, &'static str, Exit) {
    let (name, region) = (&scope.deployment, &scope.region);
    let seconds = took.as_secs_f64();
    match &ended.verdict {
        Verdict::Zero => {
            let text = format!(
                "ZERO: nothing of {name} is left in {region} ({seconds:.1} s, two empty listings)."
            );
            (text + &scope_text(ended), "zero", Exit::Done)
        }
        Verdict::Kept(kept) => {
            let text = format!(
                "KEPT: of {name} in {region} there is what was to be kept, and nothing else \
                 ({seconds:.1} s, two listings):\n{}",
                plain(kept, rates)
            );
            (text.trim_end().to_owned(), "kept", Exit::Done)
        }
        Verdict::Remains { left, .. } => (remains(ended, left, rates), "remains", Exit::Remains),
        Verdict::CannotProve(unread) => {
            let mut text = "CANNOT PROVE that nothing is left. These were not read:".to_owned();
            for unread in unread {
                text.push_str(&format!("\n  {}: {}", unread.what, unread.error));
            }
            (text, "cannot-prove", Exit::CannotProve)
        }
        Verdict::Stopped => ("stopped".to_owned(), "stopped", Exit::Interrupted),
    }
}

/// How what was read was read, where that needs to be said.
fn scope_text(ended: &Ended) -> String {
    let notes = ended.looks.last().map(|look| look.notes.as_slice());
    let notes = notes.unwrap_or_default().iter();
    notes.map(|note| format!("\n  {note}")).collect()
}

fn plain(listed: &[Listed], rates: Option<&Rates>) -> String {
    let width = listed.iter().map(|l| l.resource.len()).max().unwrap_or(0);
    let line = |left: Left| {
        let price = a_day(left.a_day, rates);
        let line = format!(
            "  {:width$}  {} {}{price}",
            left.resource, left.id, left.state
        );
        format!("{}\n", line.trim_end())
    };
    let lines: String = Left::of(listed, rates).into_iter().map(line).collect();
    lines + &in_all(listed, rates)
}

/// What is left, and below it why it would not go.
fn remains(ended: &Ended, left: &[Listed], rates: Option<&Rates>) -> String {
    let mut text = format!("REMAINS:\n{}", plain(left, rates));
    for blocked in &ended.blocked {
        let (resource, id) = (&blocked.resource, &blocked.id);
        text.push_str(&format!("  {resource} {id}: {}\n", blocked.error));
        for holder in &blocked.holders {
            text.push_str(&format!("    {}\n", holder.what));
            text.push_str(&format!("    free it: {}\n", holder.command));
        }
    }
    let unread = ended.looks.last().map(|look| look.unread.as_slice());
    for unread in unread.unwrap_or_default() {
        text.push_str(&format!("  not read, and may hold more: {unread}\n"));
    }
    text.trim_end().to_owned()
}

/// Turns what a teardown says into events.
pub struct Removing {
    report: Arc<dyn Report>,
    begun: Mutex<BTreeMap<usize, Instant>>,
}

impl Removing {
    /// Tells them to a reader.
    #[must_use]
    pub fn to(report: Arc<dyn Report>) -> Removing {
        Removing {
            report,
            begun: Mutex::default(),
        }
    }

    fn begun(&self) -> MutexGuard<'_, BTreeMap<usize, Instant>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Removing {
    fn planned(&self, removals: &[Removal]) {
        let line = |(step, r): (usize, &Removal)| Line {
            step,
            sign: '-',
            verb: "remove",
            resource: r.resource.clone(),
            detail: r.id.clone(),
            changes: Vec::new(),
        };
        self.report.event(&Event::Steps {
            steps: removals.iter().enumerate().map(line).collect(),
        });
    }

    fn started(&self, step: usize) {
        self.begun().insert(step, Instant::now());
        self.report.event(&Event::Started { step });
    }

    fn progress(&self, step: usize) -> Progress {
        let report = self.report.clone();
        Progress::new(move |text| report.event(&Event::Waiting { step, text: &text }))
    }

    fn ended(&self, step: usize, result: &Result<(), AwsError>) {
        let begun = self.begun().get(&step).copied();
        let seconds = begun.map_or(0.0, |b| b.elapsed().as_secs_f64());
        match result {
            Ok(()) => self.report.event(&Event::Done {
                step,
                id: None,
                seconds,
            }),
            Err(error) => self.report.event(&Event::Failed {
                step,
                error: &error.to_string(),
                seconds,
            }),
        }
    }

    fn scanning(&self, scan: u32, after: Duration) {
        if after > Duration::from_secs(1) {
            let text = format!(
                "looking a {} time in {} s",
                if scan == 1 { "first" } else { "second" },
                after.as_secs()
            );
            self.report.event(&Event::Note { text: &text });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use deployer_core::cost::Billed;
    use deployer_core::prices::Prices;

    fn ended() -> Ended {
        let line = |resource: &str, billed| Listed {
            resource: resource.to_owned(),
            id: "it".to_owned(),
            state: String::new(),
            billed,
        };
        let left = vec![
            line("elastic address", Some(vec![Billed::PublicAddress])),
            line("security-group/data", Some(Vec::new())),
            line("volume", None),
        ];
        Ended {
            verdict: Verdict::Remains {
                left,
                failures: Vec::new(),
            },
            removed: Vec::new(),
            blocked: Vec::new(),
            looks: Vec::new(),
        }
    }

    fn told(rates: Option<&Rates>) -> String {
        let scope = Scope {
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            deployment: "camp".parse().unwrap(),
        };
        verdict(&ended(), &scope, Duration::ZERO, rates).0
    }

    #[test]
    fn what_remains_on_an_account_says_what_it_costs() {
        let rates = Rates::new(Prices::built_in("us-east-1").unwrap(), "us-east-1");
        let text = told(Some(&rates));
        assert!(
            text.contains("elastic address      it   $0.120 a day\n"),
            "{text}"
        );
        assert!(text.contains("security-group/data  it\n"), "{text}");
        assert!(
            text.contains("volume               it   no price known\n"),
            "{text}"
        );
        assert!(
            text.contains("In all $0.120 a day, $3.65 a month; of 1 thing"),
            "{text}"
        );
    }

    #[test]
    fn on_a_laptop_nothing_has_a_price() {
        let text = told(None);
        assert!(!text.contains('$') && !text.contains("price"), "{text}");
    }
}
