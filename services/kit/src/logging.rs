//! Logs: one JSON object a line on standard output, which `boot` passes on to the console.

mod tail;

use std::fmt::Write as _;
use std::io;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::writer::MakeWriterExt;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

pub use tail::Tail;

static TAIL: Tail = Tail::new();

/// The newest lines of this process's log, after [`init_with_tail`].
#[must_use]
pub fn tail() -> &'static Tail {
    &TAIL
}

/// Starts logging for `service`. `RUST_LOG` chooses what is logged (default `info`). A panic is
/// logged like everything else. A second call changes nothing.
pub fn init(service: &'static str) {
    start(service, io::stdout);
}

/// Starts logging as [`init`] does, and keeps the newest lines for [`tail`].
pub fn init_with_tail(service: &'static str) {
    start(service, io::stdout.and(tail));
}

fn start<W>(service: &'static str, output: W)
where
    W: for<'line> MakeWriter<'line> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new("info,hyper=error,aws_config=error,aws_smithy_runtime=error")
    });
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(output)
        .event_format(JsonLines { service })
        .try_init();
    if started.is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic
                .location()
                .map(ToString::to_string)
                .unwrap_or_default();
            let reason = panic.payload_as_str().unwrap_or("no reason given");
            tracing::error!(at_line = place, reason, "panic");
        }));
    }
}

/// `{"at":…,"level":…,"service":…,"message":…,<fields>,"request-id":…}`; `_` in field names is
/// written as `-`.
struct JsonLines {
    service: &'static str,
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { message, rest } = &fields;
        write!(
            writer,
            r#"{{"at":"{:.3}","level":"{}","service":"{}","message":{}{rest}"#,
            jiff::Timestamp::now(),
            level(event.metadata().level()),
            self.service,
            if message.is_empty() { r#""""# } else { message },
        )?;
        if let Some(id) = crate::request_id::current() {
            write!(writer, r#","request-id":"{}""#, id.as_str())?;
        }
        writeln!(writer, "}}")
    }
}

fn level(level: &tracing::Level) -> &'static str {
    match *level {
        tracing::Level::ERROR => "error",
        tracing::Level::WARN => "warn",
        tracing::Level::INFO => "info",
        tracing::Level::DEBUG => "debug",
        tracing::Level::TRACE => "trace",
    }
}

fn quoted(text: &str) -> String {
    // A text can always be written.
    serde_json::to_string(text).unwrap_or_default()
}

/// What an event says, as JSON; the front-end writes a line for every request.
#[derive(Default)]
struct Fields {
    message: String,
    /// `,"name":value` for each further field.
    rest: String,
}

impl Fields {
    fn push(&mut self, field: &Field, value: impl std::fmt::Display) {
        self.rest.push_str(",\"");
        // Names are identifiers: nothing in them needs escaping.
        let name = field.name().chars();
        self.rest
            .extend(name.map(|letter| if letter == '_' { '-' } else { letter }));
        // Writing to a String cannot fail.
        let _ = write!(self.rest, "\":{value}");
    }

    fn push_text(&mut self, field: &Field, text: &str) {
        if field.name() == "message" {
            self.message = quoted(text);
        } else {
            self.push(field, quoted(text));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.push_text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push_text(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, serde_json::Value::from(value));
    }

    /// An error is written with its causes, outermost first.
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.push_text(field, &chain(value));
    }
}

/// An error and its causes in one line: `outer: inner: innermost`.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_json_object_whatever_it_says() {
        let captured = Captured::default();
        let sink = captured.clone();
        let subscriber = tracing_subscriber::fmt()
            .event_format(JsonLines { service: "example" })
            .with_writer(move || sink.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(
                node_id = "a\"b\n",
                count = 3_u64,
                share = 0.5,
                "said \"{}\"",
                "no\n"
            );
        });
        let bytes = captured.0.lock().unwrap().clone();
        let line: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(line["level"], "warn");
        assert_eq!(line["service"], "example");
        assert_eq!(line["message"], "said \"no\n\"");
        assert_eq!(line["node-id"], "a\"b\n");
        assert_eq!(line["count"], 3);
        assert_eq!(line["share"], 0.5);
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}
