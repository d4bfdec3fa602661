//! What a command says while it works. The engine tells events; bars, plain lines and JSON are
//! three readers of them.

use std::io::IsTerminal;

use console::{StyledObject, style};
use deployer_core::plan::{Change, Note, Plan, Refusal, Step};
use serde::Serialize;

mod bars;
mod json;
mod plain;

/// How a command line asks for colours.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Colours {
    /// When to colour: auto is on terminals, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Colour::Auto, hide_default_value = true)]
    color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Colour {
    /// On terminals, unless `NO_COLOR` is set.
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

/// Something that happened.
#[derive(Debug, Serialize)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Event<'a> {
    /// Cargo has compiled `done` of `all` things.
    Building {
        /// So many.
        done: u64,
        /// Of so many.
        all: u64,
    },
    /// Something worth a line.
    Note {
        /// The line.
        text: &'a str,
    },
    /// These steps are about to be taken.
    Steps {
        /// A line each.
        steps: Vec<Line>,
    },
    /// A step has begun.
    Started {
        /// Its index.
        step: usize,
    },
    /// A running step says what it waits for.
    Waiting {
        /// Its index.
        step: usize,
        /// What it waits for.
        text: &'a str,
    },
    /// A step is done.
    Done {
        /// Its index.
        step: usize,
        /// The id of what it made.
        id: Option<&'a str>,
        /// How long it took.
        seconds: f64,
    },
    /// A step has failed.
    Failed {
        /// Its index.
        step: usize,
        /// Why.
        error: &'a str,
        /// How long it took.
        seconds: f64,
    },
    /// All of it has ended.
    Finished,
}

/// A step as it is shown.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Line {
    /// Its index.
    pub step: usize,
    /// `+`, `-` or `~`.
    pub sign: char,
    /// What is done, in a word.
    pub verb: &'static str,
    /// What it is done to.
    pub resource: String,
    /// More of it.
    pub detail: String,
    /// What of it changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// A reader of events.
pub trait Report: Send + Sync {
    /// Takes what happened.
    fn event(&self, event: &Event<'_>);
}

impl Colours {
    /// Colours as asked for, from now on. Left to itself, a stream is coloured where it is a terminal
    /// that can, and `NO_COLOR` is not set (<https://no-color.org>).
    pub fn set(self) {
        let enabled = match self.color {
            Colour::Auto => return,
            Colour::Always => true,
            Colour::Never => false,
        };
        console::set_colors_enabled(enabled);
        console::set_colors_enabled_stderr(enabled);
    }
}

/// The reader that fits: JSON when asked for, bars on a terminal, plain lines elsewhere.
pub fn reader(json: bool) -> std::sync::Arc<dyn Report> {
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
pub fn lines(steps: &[Step]) -> Vec<Line> {
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
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

impl Stream {
    /// Coloured as it is meant, where the stream takes colours.
    pub fn paint<T>(self, styled: StyledObject<T>) -> StyledObject<T> {
        match self {
            Stream::Output => styled.for_stdout(),
            Stream::Error => styled.for_stderr(),
        }
    }
}

/// A plan as text: a line a step and below it what it changes, then what cannot be done, then what
/// there is to know.
pub fn plan_text(plan: &Plan, stream: Stream) -> String {
    let shown = lines(&plan.steps);
    let width = shown.iter().map(|l| l.resource.len()).max().unwrap_or(0);
    let mut text = String::new();
    for line in &shown {
        let sign = stream.paint(colour(line.sign));
        let detail = wrapped(&line.detail, 2 + 1 + 1 + width + 2);
        text.push_str(&format!("  {sign} {:width$}  {detail}\n", line.resource));
        text.push_str(&changes_text(&line.changes));
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

/// Columns of the narrowest usual terminal.
pub const TERMINAL: usize = 80;

/// Lines that fit a terminal, all but the first behind an indent. Words stay whole.
#[must_use]
pub fn wrapped(text: &str, indent: usize) -> String {
    let room = TERMINAL.saturating_sub(indent).max(30);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join(&format!("\n{:indent$}", ""))
}

/// Changes one below the other; what several in a row bring with them is said once.
fn changes_text(changes: &[Change]) -> String {
    let alike = changes.chunk_by(|one, next| one.means == next.means && !one.means.is_empty());
    let texts = alike.map(|changes| match changes {
        [change] => change_text(change),
        several => {
            let what = several.iter().map(|change| {
                let means = String::new();
                let alone = Change {
                    means,
                    ..change.clone()
                };
                format!("      {alone}\n")
            });
            let means = &several[0].means;
            what.chain([format!("        each: {means}\n")]).collect()
        }
    });
    texts.collect()
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
pub fn counted(count: usize, what: &str) -> String {
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
    fn what_several_changes_bring_with_them_is_said_once() {
        let change = |what: &str, means: &str| Change {
            what: what.to_owned(),
            from: String::new(),
            to: String::new(),
            means: means.to_owned(),
        };
        let changes = [
            change("policy", "at once"),
            change("statement A added", "soon"),
            change("statement B added", "soon"),
            change("first", ""),
            change("second", ""),
        ];
        assert_eq!(
            changes_text(&changes),
            "      policy; at once\n      statement A added\n      statement B added\n        \
             each: soon\n      first\n      second\n"
        );
    }

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
