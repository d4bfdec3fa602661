//! The conditions of a statement.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

mod comparison;

use serde_json::Value;

use super::keys::Keys;
use comparison::Comparison;

/// One key under one operator.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// `Null`: whether the key has to be missing; both may be right.
    Missing(Vec<bool>),
    Values {
        quantifier: Quantifier,
        if_exists: bool,
        /// `…Not…`: none of the values may hold, instead of one that has to.
        negated: bool,
        values: Vec<Comparison>,
    },
}

/// Which of a request's values have to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    /// No prefix: the key has one value.
    TheOne,
    /// `ForAnyValue:`
    Any,
    /// `ForAllValues:`
    All,
}

impl Condition {
    /// Reads an operator with a key and its values.
    ///
    /// # Errors
    /// There is no such operator, or a value is not one of its kind.
    pub(super) fn parse(
        operator: &str,
        key: &str,
        values: &Value,
        variables: bool,
    ) -> Result<Self, String> {
        let texts = texts(values).ok_or_else(|| {
            format!("the values of {operator} for {key} must be texts, numbers or booleans.")
        })?;
        let test = if operator == "Null" {
            let missing = texts.iter().map(|text| comparison::boolean(text));
            Test::Missing(missing.collect::<Result<_, _>>()?)
        } else {
            let (quantifier, rest) = quantifier(operator);
            let (name, if_exists) = match rest.strip_suffix("IfExists") {
                Some(name) => (name, true),
                None => (rest, false),
            };
            let (kind, negated) = comparison::named(name)
                .ok_or_else(|| format!("Invalid condition operator {operator}."))?;
            let values = texts.iter().map(|text| kind.read(text, variables));
            Test::Values {
                quantifier,
                if_exists,
                negated,
                values: values.collect::<Result<_, _>>()?,
            }
        };
        Ok(Self {
            key: key.to_ascii_lowercase(),
            test,
        })
    }

    /// Whether a request meets it.
    pub(super) fn is_met(&self, keys: &Keys) -> bool {
        let given = keys.get(&self.key);
        match &self.test {
            Test::Missing(expected) => expected.contains(&given.is_none()),
            Test::Values {
                quantifier,
                if_exists,
                negated,
                values,
            } => {
                let Some(given) = given else {
                    return *if_exists
                        || match quantifier {
                            Quantifier::TheOne => *negated,
                            Quantifier::Any => false,
                            Quantifier::All => true,
                        };
                };
                let passes =
                    |one: &String| values.iter().any(|value| value.holds(one, keys)) != *negated;
                match (quantifier, negated) {
                    (Quantifier::All, _) | (Quantifier::TheOne, true) => given.iter().all(passes),
                    (Quantifier::Any, _) | (Quantifier::TheOne, false) => given.iter().any(passes),
                }
            }
        }
    }
}

fn quantifier(operator: &str) -> (Quantifier, &str) {
    if let Some(rest) = operator.strip_prefix("ForAnyValue:") {
        (Quantifier::Any, rest)
    } else if let Some(rest) = operator.strip_prefix("ForAllValues:") {
        (Quantifier::All, rest)
    } else {
        (Quantifier::TheOne, operator)
    }
}

/// One value or a list of them, as texts: `true` and `5` are as good as `"true"` and `"5"`.
fn texts(values: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        _ => None,
    };
    match values {
        Value::Array(list) if list.is_empty() => None,
        Value::Array(list) => list.iter().map(text).collect(),
        one => text(one).map(|text| vec![text]),
    }
}
