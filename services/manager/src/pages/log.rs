//! The newest lines of a node's log, as the node keeps them.

use http::Response;
use jiff::Timestamp;
use kit::body::Body;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::told;
use super::visit::Visit;
use crate::bucket::Bucket;
use crate::manager::Manager;
use crate::reconcile::chain;

/// The page.
pub(super) async fn page<B: Bucket>(visit: &Visit<'_, B>) -> Response<Body> {
    let Some(instance) = visit.parameter("node") else {
        return visit.nothing("Which node? Choose one on the page of the pool.");
    };
    let Some(address) = address(visit.manager, &instance) else {
        return visit.nothing("There is no node of this name in the pool, or not any more.");
    };
    let content = json!({
        "title": format!("Log of {instance}"),
        "section": "pool",
        "instance": instance,
        "address": address,
        "log": read(visit.manager, &address).await,
    });
    visit.page("log", content)
}

/// The lines, for the script.
pub(super) async fn part<B: Bucket>(visit: &Visit<'_, B>) -> Response<Body> {
    let instance = visit.parameter("node").unwrap_or_default();
    let log = match address(visit.manager, &instance) {
        Some(address) => read(visit.manager, &address).await,
        None => json!({ "problem": "The node is gone.", "lines": [] }),
    };
    visit.part("lines", &json!({ "log": log }))
}

fn address<B>(manager: &Manager<B>, instance: &str) -> Option<String> {
    let state = manager.keeper.state()?;
    let of_that_name = |node: &&catalog::NodeRow| node.instance.as_deref() == Some(instance);
    state.nodes.iter().find(of_that_name)?.address.clone()
}

async fn read<B>(manager: &Manager<B>, address: &str) -> Value {
    match manager.nodes.log(address).await {
        Ok(text) => json!({ "problem": null, "lines": lines(&text) }),
        Err(error) => {
            tracing::debug!(error = chain(&error), address, "reading a node's log");
            json!({ "problem": "The node does not answer at the moment.", "lines": [] })
        }
    }
}

/// One line, for the template.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct LineShown {
    /// When, as a machine reads it.
    time: Option<String>,
    moment: String,
    level: String,
    tone: &'static str,
    message: String,
    /// Its other fields.
    rest: Vec<(String, String)>,
}

/// The lines of a log, newest first.
fn lines(text: &str) -> Vec<LineShown> {
    text.lines().rev().map(line).collect()
}

/// A line is a JSON object, unless it was cut or came from elsewhere: then it is shown as it is.
fn line(text: &str) -> LineShown {
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(text) else {
        return LineShown {
            time: None,
            moment: told::NOTHING.to_owned(),
            level: String::new(),
            tone: "",
            message: text.to_owned(),
            rest: Vec::new(),
        };
    };
    let mut take = |name: &str| fields.remove(name).map(field_told).unwrap_or_default();
    let (at, level, message) = (take("at"), take("level"), take("message"));
    take("service");
    let at: Option<Timestamp> = at.parse().ok();
    LineShown {
        time: at.map(|at| at.to_string()),
        moment: told::or_nothing(at.map(told::moment)),
        tone: match level.as_str() {
            "error" => "bad",
            "warn" => "warn",
            _ => "",
        },
        level,
        message,
        rest: fields
            .into_iter()
            .map(|(name, value)| (name, field_told(value)))
            .collect(),
    }
}

fn field_told(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_and_the_newest_comes_first() {
        let text = "{\"at\":\"2026-03-04T05:06:07.008Z\",\"level\":\"warn\",\"service\":\"cache-node\",\
                    \"message\":\"slow\",\"ms\":7}\n{\"level\":\"info\",\"message\":\"newer\"}\n";
        let lines = lines(text);
        assert_eq!(lines[0].message, "newer");
        assert_eq!(lines[0].moment, "–");
        assert_eq!(lines[1].moment, "2026-03-04 05:06:07");
        assert_eq!((lines[1].tone, lines[1].message.as_str()), ("warn", "slow"));
        assert_eq!(lines[1].rest, [("ms".to_owned(), "7".to_owned())]);
    }

    #[test]
    fn a_line_that_is_no_object_is_shown_as_it_is() {
        for text in ["{\"at\":", "[1]", "\u{0}<script>", "7", ""] {
            assert_eq!(line(text).message, text);
        }
        let odd = line("{\"at\":7,\"level\":{},\"message\":[1]}");
        assert_eq!(odd.message, "[1]");
        assert_eq!(odd.moment, "–");
    }
}
