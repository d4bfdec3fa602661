//! What a command says while it works. The engine tells events; bars, plain lines and JSON are
//! three readers of them.

use std::io::IsTerminal;

use deployer_core::plan::{Plan, Refusal, Step};
use serde::Serialize;

mod bars;
mod json;
mod plain;

/// Something that happened.
#[derive(Debug, Serialize)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub(crate) enum Event<'a> {
    /// Cargo has compiled `done` of `all` things.
    Building { done: u64, all: u64 },
    /// Something worth a line.
    Note { text: &'a str },
    /// These steps are about to be taken.
    Steps { steps: Vec<Line> },
    /// A step has begun.
    Started { step: usize },
    /// A running step says what it waits for.
    Waiting { step: usize, text: &'a str },
    /// A step is done.
    Done {
        step: usize,
        id: Option<&'a str>,
        seconds: f64,
    },
    /// A step has failed.
    Failed {
        step: usize,
        error: &'a str,
        seconds: f64,
    },
    /// All of it has ended.
    Finished,
}

/// A step as it is shown.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Line {
    pub(crate) step: usize,
    pub(crate) sign: char,
    pub(crate) verb: &'static str,
    pub(crate) resource: String,
    pub(crate) detail: String,
}

/// A reader of events.
pub(crate) trait Report: Send + Sync {
    fn event(&self, event: &Event<'_>);
}

/// The reader that fits: JSON when asked for, bars on a terminal, plain lines elsewhere.
pub(crate) fn reader(json: bool) -> std::sync::Arc<dyn Report> {
    if json {
        std::sync::Arc::new(json::Json)
    } else if std::io::stderr().is_terminal()
        && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
    {
        std::sync::Arc::new(bars::Bars::default())
    } else {
        std::sync::Arc::new(plain::Plain::default())
    }
}

/// The lines of a plan.
pub(crate) fn lines(steps: &[Step]) -> Vec<Line> {
    let line = |(step, s): (usize, &Step)| Line {
        step,
        sign: s.verb.sign(),
        verb: s.verb.as_str(),
        resource: s.resource.clone(),
        detail: s.detail.clone(),
    };
    steps.iter().enumerate().map(line).collect()
}

/// A plan as text: a line a step, then what cannot be done, then the count.
pub(crate) fn plan_text(plan: &Plan) -> String {
    let shown = lines(&plan.steps);
    let width = shown.iter().map(|l| l.resource.len()).max().unwrap_or(0);
    let mut text = String::new();
    for line in &shown {
        let sign = colour(line.sign);
        text.push_str(&format!(
            "  {sign} {:width$}  {}\n",
            line.resource, line.detail
        ));
    }
    for Refusal { resource, reason } in &plan.refusals {
        let sign = console::style('!').red().bold().for_stderr();
        text.push_str(&format!("  {sign} {resource}  {reason}\n"));
    }
    text
}

fn colour(sign: char) -> console::StyledObject<char> {
    let styled = console::style(sign).for_stderr();
    match sign {
        '+' => styled.green(),
        '-' => styled.red(),
        '~' => styled.yellow(),
        _ => styled.dim(),
    }
}

/// `1 step`, `2 steps`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}
