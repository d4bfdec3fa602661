//! Events as plain lines on standard error, for logs and pipes.

use std::sync::{Mutex, PoisonError};

use super::{Event, Line, Report};

#[derive(Default)]
pub(super) struct Plain(Mutex<State>);

#[derive(Default)]
struct State {
    lines: Vec<Line>,
    tenths_built: u64,
}

impl Report for Plain {
    fn event(&self, event: &Event<'_>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            // A line for each tenth: a log need not hold hundreds of them.
            Event::Building { done, all } => {
                let tenths = if *all == 0 { 0 } else { done * 10 / all };
                if tenths > state.tenths_built {
                    state.tenths_built = tenths;
                    eprintln!("building the programs: {done} of {all}");
                }
            }
            Event::Note { text } => eprintln!("{text}"),
            Event::Steps { steps } => state.lines.clone_from(steps),
            Event::Started { .. } | Event::Finished => {}
            Event::Waiting { step, text } => eprintln!("  ... {}: {text}", state.resource(*step)),
            Event::Done { step, id, seconds } => {
                let id = id.map(|id| format!(" {id}")).unwrap_or_default();
                let verb = state.lines.get(*step).map_or("", |l| l.verb);
                eprintln!(
                    "  done {verb} {}{id} ({seconds:.1} s)",
                    state.resource(*step)
                );
            }
            Event::Failed {
                step,
                error,
                seconds,
            } => {
                eprintln!(
                    "  FAILED {} ({seconds:.1} s): {error}",
                    state.resource(*step)
                );
            }
        }
    }
}

impl State {
    fn resource(&self, step: usize) -> &str {
        self.lines.get(step).map_or("", |l| l.resource.as_str())
    }
}
