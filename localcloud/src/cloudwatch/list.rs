//! `ListMetrics`.

use ciborium::Value;
use jiff::Timestamp;

use crate::wire::ApiError;

use super::answer::{metric, structure, text};
use super::fields::Fields;
use super::put::name;
use super::series::{Minute, Series, Store, minute_of};

const METRICS_PER_PAGE: usize = 500;
/// `RecentlyActive=PT3H`.
const RECENT_MINUTES: Minute = 180;

/// `ListMetrics`.
///
/// # Errors
/// What CloudWatch answers.
pub(super) fn metrics(
    fields: &Fields,
    region: &str,
    store: &Store,
    now: Timestamp,
    is_shown: impl Fn(&Series) -> bool,
) -> Result<Value, ApiError> {
    let in_namespace = fields.text("Namespace")?;
    let of_name = fields.text("MetricName")?;
    let mut with = Vec::new();
    for dimension in fields.structures("Dimensions")? {
        with.push((name(&dimension, "Name")?, dimension.text("Value")?));
    }
    let since = match fields.text("RecentlyActive")?.as_deref() {
        None => 0,
        Some("PT3H") => minute_of(now).saturating_sub(RECENT_MINUTES),
        Some(_) => return Err(fields.invalid("RecentlyActive", "it can only be PT3H")),
    };
    let skip = match fields.text("NextToken")? {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| fields.invalid("NextToken", "it is none of ours"))?,
    };
    let mut found = store
        .all()
        .filter(|(series, minutes)| {
            series.region == region
                && is_shown(series)
                && in_namespace
                    .as_ref()
                    .is_none_or(|namespace| *namespace == series.namespace)
                && of_name.as_ref().is_none_or(|name| *name == series.name)
                && with.iter().all(|(name, value)| {
                    series
                        .dimensions
                        .get(name)
                        .is_some_and(|has| value.as_ref().is_none_or(|value| value == has))
                })
                && minutes
                    .last_key_value()
                    .is_some_and(|((minute, _), _)| *minute >= since)
        })
        .skip(skip);
    let page: Vec<Value> = found
        .by_ref()
        .take(METRICS_PER_PAGE)
        .map(|(series, _)| metric(series))
        .collect();
    let more = found.next().is_some();
    Ok(structure([
        ("Metrics", Some(Value::Array(page))),
        (
            "NextToken",
            more.then(|| text((skip + METRICS_PER_PAGE).to_string())),
        ),
    ]))
}
