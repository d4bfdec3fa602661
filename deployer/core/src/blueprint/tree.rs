//! YAML as a tree in which every node knows where it stands. Nothing is judged here but whether
//! the text is YAML at all: that is what lets the reader report every other problem at once.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_saphyr::{
    DuplicateKeyPolicy, Error, MergeKeyPolicy, Options, Spanned, options::NonFiniteFloatPolicy,
};

use super::problem::{Notes, Span};

/// A node of the tree.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// Nothing, `~` or `null`.
    Empty,
    /// `true` or `false`. YAML 1.2 is read, in which `no` and `on` are texts.
    Flag(bool),
    Whole(i128),
    Decimal(f64),
    Text(String),
    List(Vec<Located>),
    /// Every entry as it stands, repeated keys too.
    Map(Vec<(Located, Located)>),
}

impl Node {
    /// What a person would call it, for "expected …, found …".
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Node::Empty => "nothing",
            Node::Flag(_) => "the truth value",
            Node::Whole(_) | Node::Decimal(_) => "the number",
            Node::Text(_) => "a text",
            Node::List(_) => "a list",
            Node::Map(_) => "a mapping",
        }
    }
}

/// A node and its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub(crate) node: Node,
    pub(crate) span: Span,
}

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Node>::deserialize(deserializer)?;
        let span = spanned.referenced.span();
        let start = usize::try_from(span.byte_offset().unwrap_or(0)).unwrap_or(usize::MAX);
        let length = usize::try_from(span.byte_len().unwrap_or(0)).unwrap_or(0);
        Ok(Located {
            node: spanned.value,
            span: Span {
                start,
                end: start.saturating_add(length),
            },
        })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Whole(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Whole(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Decimal(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Empty)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Node::Map(map))
    }
}

/// Reads the only document of a YAML file.
///
/// A second document is noted and skipped; a text that is not YAML gives problems and no tree.
pub(crate) fn parse(notes: &Notes<'_>) -> Option<Located> {
    let mut documents: Vec<Located> =
        match serde_saphyr::from_str_multiple_with_options(notes.text, options()) {
            Ok(documents) => documents,
            Err(error) => {
                note_not_yaml(notes, &error);
                return None;
            }
        };
    if let Some(second) = documents.get(1) {
        let help = "put it into a file of its own, and remove the `---` line".to_owned();
        notes.note(
            second.span.head(),
            "a second document begins here",
            Some(help),
        );
    }
    documents.truncate(1);
    documents.pop()
}

/// Bounds far above any file a person writes, far below what would hurt.
fn options() -> Options {
    let budget = serde_saphyr::budget! {
        max_documents: 8,
        max_depth: 32,
        max_nodes: 20_000,
        max_anchors: 1_000,
        max_aliases: 1_000,
    };
    serde_saphyr::options! {
        budget: budget,
        // Repeated keys reach the visitor one by one under this policy.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000, },
        with_snippet: false,
    }
}

/// Says why a text is not YAML. Tabs come first: they are the cause that the parser names least
/// clearly, and each of their lines can be shown.
fn note_not_yaml(notes: &Notes<'_>, error: &serde_saphyr::Error) {
    note_tabs(notes);
    if !notes.is_empty() {
        return;
    }
    let end = Span {
        start: notes.text.len(),
        end: notes.text.len(),
    };
    let place = error
        .location()
        .map_or(end, |at| notes.place(at.line(), at.column()));
    let (message, help) = explained(error.without_snippet());
    notes.note(place, message, help);
}

/// What a parser's complaint means to a person.
fn explained(error: &Error) -> (String, Option<String>) {
    match error {
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => (
            "the file has more in it than a blueprint may have".to_owned(),
            Some("at most 20,000 values, 32 levels deep, each alias written out".to_owned()),
        ),
        Error::RecursiveReferencesRequireWeakTypes { .. } => (
            "this alias stands inside of what it stands for".to_owned(),
            Some("write out what is meant".to_owned()),
        ),
        Error::AliasError { error, .. } => explained(error),
        _ => {
            let text = error.to_string();
            let reason = text.split(" at line ").next().unwrap_or(&text);
            let reason = reason.trim_end_matches([':', ' ']);
            (format!("this is not YAML: {reason}"), None)
        }
    }
}

fn note_tabs(notes: &Notes<'_>) {
    let mut offset = 0;
    for line in notes.text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line.get(..indent).and_then(|indent| indent.find('\t')) {
            let span = Span {
                start: offset + tab,
                end: offset + tab + 1,
            };
            let help = "use spaces, two per level".to_owned();
            notes.note(span, "YAML does not allow a tab to indent", Some(help));
        }
        offset += line.len();
    }
}
