//! Events as bars on a terminal: a line for each step that runs, and one bar for all of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Event, Line, Report};

#[derive(Default)]
pub(super) struct Bars(Mutex<State>);

#[derive(Default)]
struct State {
    multi: MultiProgress,
    lines: Vec<Line>,
    running: BTreeMap<usize, ProgressBar>,
    overall: Option<ProgressBar>,
}

impl Report for Bars {
    fn event(&self, event: &Event<'_>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Building { done, all } => state.overall("building the programs", *done, *all),
            Event::Note { text } => state.print(text),
            Event::Steps { steps } => {
                state.clear();
                state.lines.clone_from(steps);
                // Apart from the plan or list above it.
                state.print("");
                state.overall("", 0, steps.len() as u64);
            }
            Event::Started { step } => state.started(*step),
            Event::Waiting { step, text } => state.waiting(*step, text),
            Event::Done { step, seconds, .. } => {
                let mark = style("✓").green().for_stderr().to_string();
                state.ended(*step, &mark, &format!("{seconds:.1} s"));
            }
            Event::Failed { step, error, .. } => {
                let mark = style("✗").red().bold().for_stderr().to_string();
                state.ended(*step, &mark, error);
            }
            Event::Finished => state.clear(),
        }
    }
}

impl State {
    fn print(&self, text: &str) {
        // A terminal that is gone shows nothing, and the work goes on.
        let _ = self.multi.println(text);
    }

    fn clear(&mut self) {
        self.running.clear();
        self.overall = None;
        let _ = self.multi.clear();
        self.multi = MultiProgress::new();
    }

    fn overall(&mut self, text: &str, done: u64, all: u64) {
        let bar = self.overall.get_or_insert_with(|| {
            let bar = self.multi.add(ProgressBar::new(all));
            bar.set_style(template("  {bar:30.cyan/dim} {pos}/{len} {msg}"));
            bar
        });
        bar.set_length(all);
        bar.set_position(done);
        bar.set_message(text.to_owned());
    }

    fn started(&mut self, step: usize) {
        // Added first: a bar that is not in the group yet draws over it.
        let spinner = match &self.overall {
            Some(overall) => self
                .multi
                .insert_before(overall, ProgressBar::new_spinner()),
            None => self.multi.add(ProgressBar::new_spinner()),
        };
        spinner.set_style(template("  {spinner:.cyan} {prefix}  {wide_msg:.dim}"));
        spinner.set_prefix(self.resource(step));
        spinner.enable_steady_tick(Duration::from_millis(100));
        self.running.insert(step, spinner);
    }

    fn waiting(&self, step: usize, text: &str) {
        if let Some(spinner) = self.running.get(&step) {
            spinner.set_message(text.lines().next().unwrap_or_default().to_owned());
        }
    }

    fn ended(&mut self, step: usize, mark: &str, text: &str) {
        if let Some(spinner) = self.running.remove(&step) {
            spinner.finish_and_clear();
            self.multi.remove(&spinner);
        }
        let dim = style(text).dim().for_stderr();
        self.print(&format!("  {mark} {}  {dim}", self.resource(step)));
        if let Some(overall) = &self.overall {
            overall.inc(1);
        }
    }

    fn resource(&self, step: usize) -> String {
        let width = self
            .lines
            .iter()
            .map(|l| l.resource.len())
            .max()
            .unwrap_or(0);
        let resource = self.lines.get(step).map_or("", |l| l.resource.as_str());
        format!("{resource:width$}")
    }
}

fn template(text: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_bar());
    style
        .progress_chars("━━─")
        .tick_strings(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "])
}
