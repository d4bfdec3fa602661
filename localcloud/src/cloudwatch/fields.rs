//! The members of a structure in a request, read by name.

use ciborium::Value;
use jiff::Timestamp;

use crate::wire::ApiError;

use super::protocol::TIME;

/// How a request writes numbers and booleans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalars {
    /// As what they are: CBOR and JSON.
    Typed,
    /// As text, and an empty list as an empty text: Query.
    Text,
}

impl Scalars {
    fn boolean(self, value: &Value) -> Option<bool> {
        match (self, value) {
            (Self::Text, Value::Text(text)) => text.parse().ok(),
            _ => value.as_bool(),
        }
    }

    fn integer(self, value: &Value) -> Option<i64> {
        match (self, value) {
            (Self::Text, Value::Text(text)) => text.parse().ok(),
            _ => i64::try_from(value.as_integer()?).ok(),
        }
    }

    fn number(self, value: &Value) -> Option<f64> {
        match (self, value) {
            (Self::Text, Value::Text(text)) => text.parse().ok(),
            _ => number(value),
        }
    }

    fn list(self, value: &Value) -> Option<&[Value]> {
        match (self, value) {
            (Self::Text, Value::Text(text)) if text.is_empty() => Some(&[]),
            _ => value.as_array().map(Vec::as_slice),
        }
    }
}

/// A structure of a request.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    scalars: Scalars,
    path: String,
    members: Vec<(Value, Value)>,
}

impl Fields {
    /// The body of a request.
    ///
    /// # Errors
    /// It is not a structure.
    pub(super) fn of(body: Value, scalars: Scalars) -> Result<Self, ApiError> {
        Self::named(String::new(), body, scalars)
    }

    fn named(path: String, value: Value, scalars: Scalars) -> Result<Self, ApiError> {
        match value {
            Value::Map(members) => Ok(Self {
                scalars,
                path,
                members,
            }),
            _ => Err(invalid(&path, "it is not a structure")),
        }
    }

    /// A member's name with everything above it, as errors say it.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let found = self
            .members
            .iter()
            .find(|(key, _)| key.as_text() == Some(name));
        found
            .map(|(_, value)| value)
            .filter(|value| !value.is_null())
    }

    /// Whether a member is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn read<T>(
        &self,
        name: &str,
        kind: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .ok_or_else(|| invalid(&self.path(name), &format!("it is not {kind}"))),
        }
    }

    fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, ApiError> {
        value.ok_or_else(|| missing(&self.path(name)))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ApiError> {
        self.read(name, "a text", |value| value.as_text().map(str::to_owned))
    }

    pub(super) fn required_text(&self, name: &str) -> Result<String, ApiError> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        self.required(name, text)
    }

    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.read(name, "true or false", |value| self.scalars.boolean(value))
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.read(name, "a whole number", |value| self.scalars.integer(value))
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, ApiError> {
        self.read(name, "a number", |value| self.scalars.number(value))
    }

    pub(super) fn required_number(&self, name: &str) -> Result<f64, ApiError> {
        let number = self.number(name)?;
        self.required(name, number)
    }

    pub(super) fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>, ApiError> {
        self.read(name, "a list of numbers", |value| {
            let items = self.scalars.list(value)?.iter();
            items.map(|item| self.scalars.number(item)).collect()
        })
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, ApiError> {
        let texts = self.read(name, "a list of texts", |value| {
            let items = self.scalars.list(value)?.iter();
            items
                .map(|item| item.as_text().map(str::to_owned))
                .collect()
        })?;
        Ok(texts.unwrap_or_default())
    }

    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        self.read(name, "a time", |value| match value {
            Value::Tag(TIME, seconds) => time(number(seconds)?),
            // In JSON a number of seconds, or a text as some clients write it; in Query a text.
            Value::Text(text) => text.parse().ok(),
            other => time(number(other)?),
        })
    }

    pub(super) fn required_time(&self, name: &str) -> Result<Timestamp, ApiError> {
        let time = self.time(name)?;
        self.required(name, time)
    }

    pub(super) fn structure(&self, name: &str) -> Result<Option<Self>, ApiError> {
        self.get(name)
            .map(|value| Self::named(self.path(name), value.clone(), self.scalars))
            .transpose()
    }

    pub(super) fn required_structure(&self, name: &str) -> Result<Self, ApiError> {
        let structure = self.structure(name)?;
        self.required(name, structure)
    }

    pub(super) fn structures(&self, name: &str) -> Result<Vec<Self>, ApiError> {
        let Some(value) = self.get(name) else {
            return Ok(Vec::new());
        };
        let items = self
            .scalars
            .list(value)
            .ok_or_else(|| invalid(&self.path(name), "it is not a list"))?;
        let named = items.iter().enumerate();
        named
            .map(|(n, item)| {
                Self::named(
                    format!("{}.member.{}", self.path(name), n + 1),
                    item.clone(),
                    self.scalars,
                )
            })
            .collect()
    }

    /// An error about a member.
    pub(super) fn invalid(&self, name: &str, why: &str) -> ApiError {
        invalid(&self.path(name), why)
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        #[expect(
            clippy::cast_precision_loss,
            reason = "CloudWatch's numbers are doubles"
        )]
        Value::Integer(number) => Some(i128::from(*number) as f64),
        _ => None,
    }
}

fn time(seconds: f64) -> Option<Timestamp> {
    let span = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::from_duration(span).ok()
}

fn missing(path: &str) -> ApiError {
    ApiError::new(
        "MissingParameter",
        format!("The parameter {path} is required."),
    )
}

fn invalid(path: &str, why: &str) -> ApiError {
    ApiError::new(
        "InvalidParameterValue",
        format!("The value for parameter {path} is invalid: {why}."),
    )
}
