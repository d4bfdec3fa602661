//! What a running step says of itself. Bars, plain lines and JSON are readers of this elsewhere.

use std::sync::Arc;

/// Takes the short text that says what a step is waiting for, for example `RDS says: creating`.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(String) + Send + Sync>);

impl Progress {
    /// Hands every text to `reader`.
    pub fn new(reader: impl Fn(String) + Send + Sync + 'static) -> Progress {
        Progress(Arc::new(reader))
    }

    /// Drops every text.
    #[must_use]
    pub fn silent() -> Progress {
        Progress::new(drop)
    }

    pub(crate) fn say(&self, text: impl Into<String>) {
        (self.0)(text.into());
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}
