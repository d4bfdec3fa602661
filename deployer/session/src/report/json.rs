//! Events as JSON on standard output, one a line.

use std::io::Write;

use super::{Event, Report};

pub(super) struct Json;

impl Report for Json {
    fn event(&self, event: &Event<'_>) {
        if let Ok(line) = serde_json::to_string(event) {
            // A closed pipe is no reason to stop half way.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}
