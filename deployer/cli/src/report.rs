//! What a command says while it works. The engine tells events; bars, plain lines and JSON are
//! three readers of them.

use std::io::IsTerminal;

use console::{StyledObject, style};
use deployer_core::plan::{Change, Note, Plan, Refusal, Step};
use serde::Serialize;

use crate::arguments::Colour;

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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<Change>,
}

/// A reader of events.
pub(crate) trait Report: Send + Sync {
    fn event(&self, event: &Event<'_>);
}

/// Colours as asked for. Left to itself, a stream is coloured where it is a terminal that can, and
/// `NO_COLOR` is not set (<https://no-color.org>).
pub(crate) fn set_colours(when: Colour) {
    let enabled = match when {
        Colour::Auto => return,
        Colour::Always => true,
        Colour::Never => false,
    };
    console::set_colors_enabled(enabled);
    console::set_colors_enabled_stderr(enabled);
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
        changes: s.changes.clone(),
    };
    steps.iter().enumerate().map(line).collect()
}

/// Where a text is printed, which decides whether it is coloured: each stream may be a terminal or not.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Output,
    Error,
}

impl Stream {
    pub(crate) fn paint<T>(self, styled: StyledObject<T>) -> StyledObject<T> {
        match self {
            Stream::Output => styled.for_stdout(),
            Stream::Error => styled.for_stderr(),
        }
    }
}

/// A plan as text: a line a step and below it what it changes, then what cannot be done, then what
/// there is to know.
pub(crate) fn plan_text(plan: &Plan, stream: Stream) -> String {
    let shown = lines(&plan.steps);
    let width = shown.iter().map(|l| l.resource.len()).max().unwrap_or(0);
    let mut text = String::new();
    for line in &shown {
        let sign = stream.paint(colour(line.sign));
        text.push_str(&format!(
            "  {sign} {:width$}  {}\n",
            line.resource, line.detail
        ));
        for change in &line.changes {
            text.push_str(&change_text(change));
        }
    }
    for Refusal { resource, reason } in &plan.refusals {
        let sign = stream.paint(style('!').red().bold());
        text.push_str(&format!("  {sign} {resource}  {reason}\n"));
    }
    for Note {
        resource,
        text: note,
    } in &plan.notes
    {
        let sign = stream.paint(style('i').dim());
        text.push_str(&format!("  {sign} {resource}  {note}\n"));
    }
    text
}

/// A change on one line, or what it brings with it on a second one where that does not fit.
fn change_text(change: &Change) -> String {
    const WIDTH: usize = 74;
    let whole = change.to_string();
    match whole.split_once("; ") {
        Some((what, means)) if whole.chars().count() > WIDTH => {
            format!("      {what}\n        {means}\n")
        }
        _ => format!("      {whole}\n"),
    }
}

fn colour(sign: char) -> StyledObject<char> {
    let styled = style(sign);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_is_coloured_by_what_it_is_itself() {
        console::set_colors_enabled(false);
        console::set_colors_enabled_stderr(true);
        assert_eq!(Stream::Output.paint(colour('+')).to_string(), "+");
        assert_eq!(
            Stream::Error.paint(colour('+')).to_string(),
            "\u{1b}[32m+\u{1b}[0m"
        );
    }
}
