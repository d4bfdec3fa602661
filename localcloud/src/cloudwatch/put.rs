//! `PutMetricData`, checked as CloudWatch checks it.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::wire::ApiError;

use super::fields::Fields;
use super::series::{Datum, Series, Statistics, minute_of, unit};

const MOST_DATA: usize = 1000;
const MOST_VALUES: usize = 150;
const MOST_DIMENSIONS: usize = 30;
const LONGEST_NAME: usize = 255;
const LONGEST_VALUE: usize = 1024;
const OLDEST: SignedDuration = SignedDuration::from_hours(14 * 24);
const NEWEST: SignedDuration = SignedDuration::from_hours(2);
/// "Values must be in the range of -2^360 to 2^360."
const LARGEST: i32 = 360;

/// The data of a request.
///
/// # Errors
/// What CloudWatch answers to the first thing that is wrong; nothing of the request then counts.
pub(super) fn parse(fields: &Fields, region: &str, now: Timestamp) -> Result<Vec<Datum>, ApiError> {
    let namespace = namespace(fields)?;
    if namespace.starts_with("AWS/") {
        return Err(fields.invalid("Namespace", "AWS/ is reserved for AWS's own metrics"));
    }
    let data = fields.structures("MetricData")?;
    if data.is_empty() {
        return Err(ApiError::new(
            "MissingParameter",
            "The parameter MetricData is required.",
        ));
    }
    if data.len() > MOST_DATA {
        return Err(fields.invalid(
            "MetricData",
            &format!("there are more than {MOST_DATA} data"),
        ));
    }
    data.iter()
        .map(|datum| {
            let series = Series {
                region: region.to_owned(),
                namespace: namespace.clone(),
                name: name(datum, "MetricName")?,
                dimensions: dimensions(datum)?,
            };
            let minute = minute_of(time(datum, now)?);
            let unit = match datum.text("Unit")? {
                None => 0,
                Some(text) => unit(&text)
                    .ok_or_else(|| datum.invalid("Unit", &format!("there is no unit {text:?}")))?,
            };
            if !matches!(datum.integer("StorageResolution")?, None | Some(1 | 60)) {
                return Err(datum.invalid("StorageResolution", "it is neither 1 nor 60"));
            }
            Ok(Datum {
                series,
                minute,
                unit,
                statistics: statistics(datum)?,
            })
        })
        .collect()
}

/// A namespace, as puts and queries name it.
pub(super) fn namespace(fields: &Fields) -> Result<String, ApiError> {
    let text = name(fields, "Namespace")?;
    let plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || ".-_/#: ".contains(c));
    if !plain || text.starts_with(':') {
        return Err(fields.invalid(
            "Namespace",
            "it has characters that a namespace cannot have",
        ));
    }
    Ok(text)
}

/// A text of 1 to 255 characters.
pub(super) fn name(fields: &Fields, member: &str) -> Result<String, ApiError> {
    let text = fields.required_text(member)?;
    if text.chars().count() > LONGEST_NAME || text.chars().any(char::is_control) {
        return Err(fields.invalid(
            member,
            &format!("it is longer than {LONGEST_NAME} or not printable"),
        ));
    }
    Ok(text)
}

/// Dimensions by name, of a datum or of a metric that is asked for.
pub(super) fn dimensions(fields: &Fields) -> Result<BTreeMap<String, String>, ApiError> {
    let given = fields.structures("Dimensions")?;
    if given.len() > MOST_DIMENSIONS {
        return Err(fields.invalid(
            "Dimensions",
            &format!("there are more than {MOST_DIMENSIONS}"),
        ));
    }
    let mut dimensions = BTreeMap::new();
    for dimension in &given {
        let name = name(dimension, "Name")?;
        let value = dimension.required_text("Value")?;
        if name.starts_with(':') || !name.is_ascii() {
            return Err(dimension.invalid("Name", "it begins with a colon or is not ASCII"));
        }
        if value.len() > LONGEST_VALUE
            || value.trim().is_empty()
            || value.chars().any(char::is_control)
        {
            return Err(dimension.invalid(
                "Value",
                &format!("it is longer than {LONGEST_VALUE}, blank or not printable"),
            ));
        }
        if dimensions.insert(name, value).is_some() {
            return Err(dimension.invalid("Name", "it is given twice"));
        }
    }
    Ok(dimensions)
}

fn time(datum: &Fields, now: Timestamp) -> Result<Timestamp, ApiError> {
    let time = datum.time("Timestamp")?.unwrap_or(now);
    let age = now.duration_since(time);
    if age > OLDEST || age < -NEWEST {
        return Err(datum.invalid(
            "Timestamp",
            "it is more than two weeks ago or more than two hours ahead",
        ));
    }
    Ok(time)
}

fn statistics(datum: &Fields) -> Result<Statistics, ApiError> {
    let given = ["Value", "Values", "StatisticValues"]
        .into_iter()
        .filter(|name| datum.has(name))
        .collect::<Vec<_>>();
    match given[..] {
        ["Value"] => Ok(Statistics::of(
            finite(datum, "Value", datum.required_number("Value")?)?,
            1.0,
        )),
        ["Values"] => values(datum),
        ["StatisticValues"] => set(&datum.required_structure("StatisticValues")?),
        [] => Err(ApiError::new(
            "MissingParameter",
            format!(
                "The parameter {} or {} is required.",
                datum.path("Value"),
                datum.path("StatisticValues")
            ),
        )),
        _ => Err(ApiError::new(
            "InvalidParameterCombination",
            format!(
                "The parameters {} are mutually exclusive and you have specified more than one.",
                given.join(", ")
            ),
        )),
    }
}

fn values(datum: &Fields) -> Result<Statistics, ApiError> {
    let values = datum.numbers("Values")?.unwrap_or_default();
    let counts = datum
        .numbers("Counts")?
        .unwrap_or_else(|| vec![1.0; values.len()]);
    if values.is_empty() || values.len() > MOST_VALUES {
        return Err(datum.invalid("Values", &format!("there must be 1 to {MOST_VALUES}")));
    }
    if values.len() != counts.len() {
        return Err(datum.invalid("Counts", "there must be as many as values"));
    }
    let mut all: Option<Statistics> = None;
    for (value, count) in values.into_iter().zip(counts) {
        let count = finite(datum, "Counts", count)?;
        if count < 0.0 {
            return Err(datum.invalid("Counts", "one is negative"));
        }
        let one = Statistics::of(finite(datum, "Values", value)?, count);
        if count > 0.0 {
            all = Some(all.map_or(one, |all| all.and(one)));
        }
    }
    all.ok_or_else(|| datum.invalid("Counts", "all are zero"))
}

fn set(set: &Fields) -> Result<Statistics, ApiError> {
    let number = |name| finite(set, name, set.required_number(name)?);
    let statistics = Statistics {
        count: number("SampleCount")?,
        sum: number("Sum")?,
        minimum: number("Minimum")?,
        maximum: number("Maximum")?,
    };
    if statistics.count <= 0.0 {
        return Err(set.invalid("SampleCount", "it is not positive"));
    }
    if statistics.minimum > statistics.maximum {
        return Err(set.invalid("Minimum", "it is greater than Maximum"));
    }
    Ok(statistics)
}

fn finite(fields: &Fields, name: &str, value: f64) -> Result<f64, ApiError> {
    if value.is_finite() && value.abs() <= 2_f64.powi(LARGEST) {
        return Ok(value);
    }
    Err(fields.invalid(
        name,
        &format!("{value} is not a number from -2^{LARGEST} to 2^{LARGEST}"),
    ))
}
