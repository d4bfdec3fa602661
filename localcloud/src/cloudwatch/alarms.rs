//! Alarms and dashboards: kept until they are deleted. An alarm here is never evaluated: its state stays
//! `INSUFFICIENT_DATA`.

use std::collections::BTreeMap;

use ciborium::Value;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::Document;
use crate::wire::ApiError;

use super::answer::{nothing, structure, text};
use super::fields::Fields;
use super::protocol::TIME;

/// All of the account, by region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Watched {
    alarms: BTreeMap<String, BTreeMap<String, Alarm>>,
    dashboards: BTreeMap<String, BTreeMap<String, Dashboard>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Alarm {
    namespace: String,
    metric: String,
    statistic: String,
    comparison: String,
    threshold: f64,
    period: i64,
    periods: i64,
    updated: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Dashboard {
    body: String,
    modified: Timestamp,
}

impl Watched {
    /// One line each.
    pub(super) fn remaining(&self) -> Vec<String> {
        let alarms = self.alarms.iter();
        let alarms = alarms.flat_map(|(region, all)| all.keys().map(move |n| (region, "alarm", n)));
        let dashboards = self.dashboards.iter();
        let dashboards =
            dashboards.flat_map(|(region, all)| all.keys().map(move |n| (region, "dashboard", n)));
        alarms
            .chain(dashboards)
            .map(|(region, kind, name)| format!("{region}: {kind} {name}"))
            .collect()
    }
}

/// `PutMetricAlarm`, of an alarm on one metric.
///
/// # Errors
/// What CloudWatch answers.
pub(super) fn put_alarm(
    fields: &Fields,
    region: &str,
    state: &Document<Watched>,
    now: Timestamp,
) -> Result<Value, ApiError> {
    let name = fields.required_text("AlarmName")?;
    let whole = |member| fields.integer(member).map(Option::unwrap_or_default);
    let alarm = Alarm {
        namespace: fields.required_text("Namespace")?,
        metric: fields.required_text("MetricName")?,
        statistic: fields.required_text("Statistic")?,
        comparison: fields.required_text("ComparisonOperator")?,
        threshold: fields.required_number("Threshold")?,
        period: whole("Period")?,
        periods: whole("EvaluationPeriods")?,
        updated: now,
    };
    if alarm.period <= 0 || alarm.periods <= 0 {
        return Err(fields.invalid("Period", "Period and EvaluationPeriods have to be positive"));
    }
    state.change(|all| {
        let here = all.alarms.entry(region.to_owned()).or_default();
        here.insert(name, alarm);
        Ok(nothing())
    })
}

/// `DescribeAlarms`.
///
/// # Errors
/// What CloudWatch answers.
pub(super) fn describe_alarms(
    fields: &Fields,
    region: &str,
    state: &Document<Watched>,
) -> Result<Value, ApiError> {
    let prefix = fields.text("AlarmNamePrefix")?.unwrap_or_default();
    let names = fields.texts("AlarmNames")?;
    let limit = fields.integer("MaxRecords")?.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(fields.invalid("MaxRecords", "it can be 1 to 100"));
    }
    let after = fields.text("NextToken")?.unwrap_or_default();
    let all = state.read(|all| all.alarms.get(region).cloned().unwrap_or_default());
    let mut rest = all.iter().filter(|(name, _)| {
        name.starts_with(&prefix)
            && (names.is_empty() || names.contains(name))
            && name.as_str() > after.as_str()
    });
    let here: Vec<_> = rest
        .by_ref()
        .take(usize::try_from(limit).unwrap_or(50))
        .collect();
    let next = here.last().map(|(name, _)| text((*name).clone()));
    let next = next.filter(|_| rest.next().is_some());
    let alarms = here.iter().map(|(name, alarm)| described(name, alarm));
    Ok(structure([
        ("MetricAlarms", Some(Value::Array(alarms.collect()))),
        ("CompositeAlarms", Some(Value::Array(Vec::new()))),
        ("NextToken", next),
    ]))
}

fn described(name: &str, alarm: &Alarm) -> Value {
    structure([
        ("AlarmName", Some(text(name))),
        ("Namespace", Some(text(&alarm.namespace))),
        ("MetricName", Some(text(&alarm.metric))),
        ("Statistic", Some(text(&alarm.statistic))),
        ("ComparisonOperator", Some(text(&alarm.comparison))),
        ("Threshold", Some(Value::Float(alarm.threshold))),
        ("Period", Some(Value::Integer(alarm.period.into()))),
        (
            "EvaluationPeriods",
            Some(Value::Integer(alarm.periods.into())),
        ),
        ("StateValue", Some(text("INSUFFICIENT_DATA"))),
        ("StateUpdatedTimestamp", Some(time(alarm.updated))),
    ])
}

fn time(at: Timestamp) -> Value {
    let seconds = at.as_duration().as_secs_f64();
    Value::Tag(TIME, Box::new(Value::Float(seconds)))
}

/// `DeleteAlarms`: none of them is deleted if one is not there.
///
/// # Errors
/// What CloudWatch answers.
pub(super) fn delete_alarms(
    fields: &Fields,
    region: &str,
    state: &Document<Watched>,
) -> Result<Value, ApiError> {
    let names = fields.texts("AlarmNames")?;
    state.change(|all| {
        let here = all.alarms.entry(region.to_owned()).or_default();
        for name in &names {
            here.remove(name).ok_or_else(|| {
                let message = format!("There is no alarm {name}.");
                ApiError::with_status(StatusCode::NOT_FOUND, "ResourceNotFound", message)
            })?;
        }
        Ok(nothing())
    })
}

/// `PutDashboard`.
///
/// # Errors
/// What CloudWatch answers.
pub(super) fn put_dashboard(
    fields: &Fields,
    region: &str,
    state: &Document<Watched>,
    now: Timestamp,
) -> Result<Value, ApiError> {
    let name = fields.required_text("DashboardName")?;
    let body = fields.required_text("DashboardBody")?;
    if serde_json::from_str::<serde_json::Value>(&body).is_err() {
        return Err(ApiError::new(
            "InvalidParameterInput",
            "The field DashboardBody must be a valid JSON object",
        ));
    }
    let dashboard = Dashboard {
        body,
        modified: now,
    };
    state.change(|all| {
        let here = all.dashboards.entry(region.to_owned()).or_default();
        here.insert(name, dashboard);
        Ok(structure([(
            "DashboardValidationMessages",
            Some(Value::Array(Vec::new())),
        )]))
    })
}

/// `ListDashboards`.
///
/// # Errors
/// What CloudWatch answers.
pub(super) fn list_dashboards(
    fields: &Fields,
    region: &str,
    state: &Document<Watched>,
) -> Result<Value, ApiError> {
    let prefix = fields.text("DashboardNamePrefix")?.unwrap_or_default();
    let all = state.read(|all| all.dashboards.get(region).cloned().unwrap_or_default());
    let found = all.iter().filter(|(name, _)| name.starts_with(&prefix));
    let entries = found.map(|(name, dashboard)| {
        let size = i64::try_from(dashboard.body.len()).unwrap_or(i64::MAX);
        structure([
            ("DashboardName", Some(text(name))),
            ("LastModified", Some(time(dashboard.modified))),
            ("Size", Some(Value::Integer(size.into()))),
        ])
    });
    Ok(structure([(
        "DashboardEntries",
        Some(Value::Array(entries.collect())),
    )]))
}

/// `DeleteDashboards`: none of them is deleted if one is not there.
///
/// # Errors
/// What CloudWatch answers.
pub(super) fn delete_dashboards(
    fields: &Fields,
    region: &str,
    state: &Document<Watched>,
) -> Result<Value, ApiError> {
    let names = fields.texts("DashboardNames")?;
    state.change(|all| {
        let here = all.dashboards.entry(region.to_owned()).or_default();
        for name in &names {
            here.remove(name).ok_or_else(|| {
                let message = format!("Dashboard {name} does not exist");
                ApiError::with_status(StatusCode::NOT_FOUND, "ResourceNotFound", message)
            })?;
        }
        Ok(nothing())
    })
}
