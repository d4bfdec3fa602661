//! Policy documents, read and checked.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::condition::Condition;
use super::decision::Check;
use super::keys::Keys;
use super::pattern::{ArnPattern, Pattern, Syntax};

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

/// A document as its author wrote it, together with what it means.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[serde(bound(
    deserialize = "P: TryFrom<Document, Error = Malformed>",
    serialize = "P: Clone"
))]
pub struct Written<P> {
    text: String,
    meaning: Arc<P>,
}

impl<P> Written<P> {
    /// The text, to the byte.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it means.
    pub fn meaning(&self) -> &Arc<P> {
        &self.meaning
    }
}

impl<P> From<Written<P>> for String {
    fn from(written: Written<P>) -> Self {
        written.text
    }
}

impl<P: TryFrom<Document, Error = Malformed>> TryFrom<String> for Written<P> {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let document: Document = serde_json::from_str(&text)
            .map_err(|error| Malformed(format!("Syntax errors in policy: {error}.")))?;
        let meaning = Arc::new(P::try_from(document)?);
        Ok(Self { text, meaning })
    }
}

/// A document of either kind: the grammar's outer form.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Document {
    version: Option<Version>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Version {
    #[serde(rename = "2008-10-17")]
    Older,
    #[serde(rename = "2012-10-17")]
    Current,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Raw {
    sid: Option<String>,
    effect: Effect,
    principal: Option<Value>,
    not_principal: Option<Value>,
    action: Option<Texts>,
    not_action: Option<Texts>,
    resource: Option<Texts>,
    not_resource: Option<Texts>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, Value>>,
}

/// What a statement does where it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// A text or a list of texts, not an empty one.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
struct Texts(Vec<String>);

impl TryFrom<Value> for Texts {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let texts = match value {
            Value::String(text) => Some(vec![text]),
            Value::Array(list) if !list.is_empty() => list
                .into_iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        };
        texts
            .map(Self)
            .ok_or_else(|| "it must be a text or a list of texts".to_owned())
    }
}

/// What a role may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub(super) statements: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    /// Its `Sid`, else its number, counted from 1.
    pub(super) name: String,
    pub(super) effect: Effect,
    pub(super) actions: Listed<Pattern>,
    pub(super) resources: Listed<ArnPattern>,
    conditions: Vec<Condition>,
}

/// What `NotAction` and `NotResource` mean.
const ALL_OTHERS: &str = "(all but those listed)";

/// Patterns as they are written, and whether they are those that are meant or those that are not
/// (`NotAction`, `NotResource`).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed<P> {
    pub(super) meant: bool,
    pub(super) patterns: Vec<(String, P)>,
}

impl<P> Listed<P> {
    fn read(
        these: Option<Texts>,
        not_these: Option<Texts>,
        name: &str,
        read: impl Fn(&str) -> Result<P, String>,
    ) -> Result<Self, String> {
        let (meant, texts) = match (these, not_these) {
            (Some(Texts(texts)), None) => (true, texts),
            (None, Some(Texts(texts))) => (false, texts),
            (Some(_), Some(_)) => return Err(format!("it has both {name} and Not{name}.")),
            (None, None) => return Err(format!("Missing required field {name}")),
        };
        let patterns = texts.into_iter().map(|text| {
            let pattern = read(&text)?;
            Ok((text, pattern))
        });
        Ok(Self {
            meant,
            patterns: patterns.collect::<Result<_, String>>()?,
        })
    }

    /// The patterns that match, as they are written; with `Not…`, if none does, all others as one.
    pub(super) fn matching(&self, matches: impl Fn(&P) -> bool) -> Vec<&str> {
        let found = self.patterns.iter().filter(|(_, pattern)| matches(pattern));
        let found: Vec<&str> = found.map(|(text, _)| text.as_str()).collect();
        match (self.meant, found.is_empty()) {
            (true, _) => found,
            (false, true) => vec![ALL_OTHERS],
            (false, false) => Vec::new(),
        }
    }

    /// What can match, as `matching` names it.
    pub(super) fn written(&self) -> Vec<&str> {
        match self.meant {
            true => self
                .patterns
                .iter()
                .map(|(text, _)| text.as_str())
                .collect(),
            false => vec![ALL_OTHERS],
        }
    }
}

impl Statement {
    fn read(raw: Raw, place: usize, variables: bool) -> Result<Self, String> {
        if raw.principal.is_some() || raw.not_principal.is_some() {
            return Err("Policy document should not specify a principal.".to_owned());
        }
        Ok(Self {
            name: name_of(raw.sid, place)?,
            effect: raw.effect,
            actions: Listed::read(raw.action, raw.not_action, "Action", action)?,
            resources: Listed::read(raw.resource, raw.not_resource, "Resource", |text| {
                ArnPattern::parse(text, variables)
            })?,
            conditions: conditions(&raw.condition, variables)?,
        })
    }

    /// Whether its conditions hold.
    pub(super) fn holds(&self, keys: &Keys) -> bool {
        self.conditions
            .iter()
            .all(|condition| condition.is_met(keys))
    }

    /// Whether it speaks of a call.
    pub(super) fn applies(&self, check: &Check) -> bool {
        !self.actions_for(check).is_empty()
            && !self.resources_for(check).is_empty()
            && self.holds(&check.keys)
    }

    /// Its `Action`s that mean a call.
    pub(super) fn actions_for(&self, check: &Check) -> Vec<&str> {
        let action = check.action.to_ascii_lowercase();
        self.actions
            .matching(|pattern| pattern.matches(&action, &check.keys))
    }

    /// Its `Resource`s that mean what a call acts on.
    pub(super) fn resources_for(&self, check: &Check) -> Vec<&str> {
        self.resources
            .matching(|pattern| pattern.matches(&check.resource, &check.keys))
    }
}

/// The case of an action does not matter.
fn action(text: &str) -> Result<Pattern, String> {
    let named = text.split_once(':').is_some_and(|(service, action)| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !service.is_empty() && service.chars().all(plain) && !action.is_empty()
    });
    if text != "*" && !named {
        return Err(format!(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: {text:?}"
        ));
    }
    let syntax = Syntax {
        wildcards: true,
        variables: false,
    };
    Pattern::parse(&text.to_ascii_lowercase(), syntax)
}

fn name_of(sid: Option<String>, place: usize) -> Result<String, String> {
    match sid.filter(|sid| !sid.is_empty()) {
        None => Ok(place.to_string()),
        Some(sid) if sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Ok(sid),
        Some(sid) => Err(format!(
            "Statement IDs (SID) must be alpha-numeric: {sid:?}"
        )),
    }
}

fn conditions(
    written: &BTreeMap<String, BTreeMap<String, Value>>,
    variables: bool,
) -> Result<Vec<Condition>, String> {
    let mut read = Vec::new();
    for (operator, keys) in written {
        for (key, values) in keys {
            read.push(Condition::parse(operator, key, values, variables)?);
        }
    }
    Ok(read)
}

impl Document {
    /// The statements, each read by `read` with its place and whether variables are variables.
    fn statements<S>(
        self,
        read: impl Fn(Raw, usize, bool) -> Result<S, String>,
    ) -> Result<Vec<S>, Malformed> {
        let statements = match self.statement {
            Value::Array(list) => list,
            one @ Value::Object(_) => vec![one],
            _ => Vec::new(),
        };
        if statements.is_empty() {
            return Err(Malformed(
                "Policy statement must contain at least one statement.".to_owned(),
            ));
        }
        let variables = self.version == Some(Version::Current);
        let mut sids = BTreeSet::new();
        let mut read_so_far = Vec::new();
        for (place, statement) in statements.into_iter().enumerate() {
            let place = place + 1;
            let wrong = |problem: String| Malformed(format!("Statement {place}: {problem}"));
            let raw: Raw =
                serde_json::from_value(statement).map_err(|error| wrong(error.to_string()))?;
            if let Some(sid) = raw.sid.clone().filter(|sid| !sid.is_empty())
                && !sids.insert(sid)
            {
                return Err(Malformed(
                    "Statement IDs (SID) in a single policy must be unique.".to_owned(),
                ));
            }
            read_so_far.push(read(raw, place, variables).map_err(wrong)?);
        }
        Ok(read_so_far)
    }
}

impl TryFrom<Document> for Policy {
    type Error = Malformed;

    fn try_from(document: Document) -> Result<Self, Malformed> {
        let statements = document.statements(Statement::read)?;
        Ok(Self { statements })
    }
}

/// Who may take a role.
#[derive(Clone, Debug, PartialEq)]
pub struct TrustPolicy {
    statements: Vec<Trust>,
}

#[derive(Clone, Debug, PartialEq)]
struct Trust {
    effect: Effect,
    services: Vec<String>,
    actions: Listed<Pattern>,
    conditions: Vec<Condition>,
}

impl TrustPolicy {
    /// Whether a service, for example `ec2.amazonaws.com`, may take the role.
    pub fn trusts_service(&self, service: &str) -> bool {
        let keys = Keys::default();
        let found = |effect| {
            self.statements.iter().any(|trust| {
                trust.effect == effect
                    && trust
                        .services
                        .iter()
                        .any(|name| name == service || name == "*")
                    && !trust
                        .actions
                        .matching(|pattern| pattern.matches("sts:assumerole", &keys))
                        .is_empty()
                    && trust
                        .conditions
                        .iter()
                        .all(|condition| condition.is_met(&keys))
            })
        };
        found(Effect::Allow) && !found(Effect::Deny)
    }
}

impl TryFrom<Document> for TrustPolicy {
    type Error = Malformed;

    fn try_from(document: Document) -> Result<Self, Malformed> {
        let statements = document.statements(|raw, _, variables| {
            if raw.resource.is_some() || raw.not_resource.is_some() {
                return Err("Has prohibited field Resource".to_owned());
            }
            Ok(Trust {
                effect: raw.effect,
                services: services(raw.principal, raw.not_principal.is_some())?,
                actions: Listed::read(raw.action, raw.not_action, "Action", action)?,
                conditions: conditions(&raw.condition, variables)?,
            })
        })?;
        Ok(Self { statements })
    }
}

/// The services among the principals; `*` is everybody.
fn services(principal: Option<Value>, has_not: bool) -> Result<Vec<String>, String> {
    match principal {
        // NotPrincipal with Allow is refused by IAM for roles; with Deny it names no service here.
        None if has_not => Ok(Vec::new()),
        None => Err("Missing required field Principal".to_owned()),
        Some(Value::String(everybody)) if everybody == "*" => Ok(vec![everybody]),
        Some(Value::Object(mut kinds)) => {
            for kind in kinds.keys() {
                if !["AWS", "Service", "Federated", "CanonicalUser"].contains(&kind.as_str()) {
                    return Err(format!("Invalid principal in policy: {kind:?}"));
                }
            }
            match kinds.remove("Service") {
                Some(names) => Texts::try_from(names).map(|Texts(names)| names),
                None => Ok(Vec::new()),
            }
        }
        Some(other) => Err(format!("Invalid principal in policy: {other}")),
    }
}
