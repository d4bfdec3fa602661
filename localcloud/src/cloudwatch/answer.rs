//! Answers, put together.

use ciborium::Value;

use super::protocol::TIME;
use super::series::{Minute, Series};

/// A structure.
pub(super) fn structure<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let given = members
        .into_iter()
        .filter_map(|(name, value)| Some((text(name), value?)));
    Value::Map(given.collect())
}

/// The answer that has nothing in it.
pub(super) fn nothing() -> Value {
    Value::Map(Vec::new())
}

pub(super) fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

/// The beginning of a minute.
pub(super) fn time(minute: Minute) -> Value {
    Value::Tag(TIME, Box::new(Value::Float(f64::from(minute) * 60.0)))
}

/// A metric's name and dimensions.
pub(super) fn metric(series: &Series) -> Value {
    let dimensions = series
        .dimensions
        .iter()
        .map(|(name, value)| structure([("Name", Some(text(name))), ("Value", Some(text(value)))]));
    structure([
        ("Namespace", Some(text(&series.namespace))),
        ("MetricName", Some(text(&series.name))),
        ("Dimensions", Some(Value::Array(dimensions.collect()))),
    ])
}
