//! `GetMetricData` and `GetMetricStatistics`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use ciborium::Value;
use jiff::Timestamp;

use crate::wire::ApiError;

use super::answer::{structure, text, time};
use super::fields::Fields;
use super::periods::{Statistic, Stretch};
use super::put::{dimensions, name, namespace};
use super::series::{Minute, Series, Statistics, Store, Unit, unit, unit_name};

const MOST_QUERIES: usize = 500;
const MOST_DATAPOINTS: i64 = 100_800;
/// Most points that one `GetMetricStatistics` answers.
const MOST_STATISTICS: u32 = 1440;

fn validation(message: String) -> ApiError {
    ApiError::new("ValidationError", message)
}

fn asked_unit(fields: &Fields) -> Result<Option<Unit>, ApiError> {
    match fields.text("Unit")? {
        None => Ok(None),
        Some(text) => unit(&text)
            .map(Some)
            .ok_or_else(|| fields.invalid("Unit", &format!("there is no unit {text:?}"))),
    }
}

fn series_of(fields: &Fields, region: &str) -> Result<Series, ApiError> {
    Ok(Series {
        region: region.to_owned(),
        namespace: namespace(fields)?,
        name: name(fields, "MetricName")?,
        dimensions: dimensions(fields)?,
    })
}

/// From when until when, in that order; each action has a code of its own for what is not.
fn window(fields: &Fields, code: &'static str) -> Result<(Timestamp, Timestamp), ApiError> {
    let from = fields.required_time("StartTime")?;
    let until = fields.required_time("EndTime")?;
    let wrong = |must| {
        ApiError::new(
            code,
            format!("The parameter StartTime must {must} EndTime."),
        )
    };
    match from.cmp(&until) {
        Ordering::Less => Ok((from, until)),
        Ordering::Equal => Err(wrong("not equal parameter")),
        Ordering::Greater => Err(wrong("be less than the parameter")),
    }
}

/// One line of a `GetMetricData`.
struct Query {
    id: String,
    label: String,
    series: Series,
    stretch: Stretch,
    statistic: Statistic,
    unit: Option<Unit>,
}

impl Query {
    fn parse(
        fields: &Fields,
        region: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Self, ApiError> {
        let id = fields.required_text("Id")?;
        let sound = id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.len() <= 255
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !sound {
            return Err(validation(format!(
                "The value {id:?} for parameter {} is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.",
                fields.path("Id")
            )));
        }
        if fields.has("Expression") {
            return Err(validation(format!(
                "localcloud computes no expressions: {} has to be a MetricStat.",
                fields.path("Expression")
            )));
        }
        let wanted = fields.required_structure("MetricStat")?;
        let metric = wanted.required_structure("Metric")?;
        let period = wanted
            .integer("Period")?
            .or(fields.integer("Period")?)
            .unwrap_or(0);
        let stretch = Stretch::of(from, until, period).ok_or_else(|| {
            validation(format!(
                "{} is {period}; localcloud keeps whole minutes: use a multiple of 60.",
                wanted.path("Period")
            ))
        })?;
        let statistic = wanted.required_text("Stat")?;
        let statistic = Statistic::named(&statistic).ok_or_else(|| {
            validation(format!(
                "{} is {statistic}; localcloud computes SampleCount, Average, Sum, Minimum and Maximum.",
                wanted.path("Stat")
            ))
        })?;
        let series = series_of(&metric, region)?;
        let label = fields.text("Label")?.unwrap_or_else(|| series.name.clone());
        Ok(Self {
            id,
            label,
            series,
            stretch,
            statistic,
            unit: asked_unit(&wanted)?,
        })
    }

    /// Points in time order. Data of several units, if no unit is asked for, are put together.
    fn points(&self, store: &Store) -> Vec<(Minute, f64)> {
        let mut periods: BTreeMap<Minute, Statistics> = BTreeMap::new();
        for ((minute, _), statistics) in self.stretch.read(store, &self.series, self.unit) {
            periods
                .entry(minute)
                .and_modify(|all| *all = all.and(statistics))
                .or_insert(statistics);
        }
        periods
            .into_iter()
            .map(|(minute, statistics)| (minute, self.statistic.of(statistics)))
            .collect()
    }
}

/// `GetMetricData`.
///
/// # Errors
/// What CloudWatch answers, and expressions and statistics that localcloud does not compute.
pub(super) fn metric_data(fields: &Fields, region: &str, store: &Store) -> Result<Value, ApiError> {
    let (from, until) = window(fields, "ValidationError")?;
    let asked = fields.structures("MetricDataQueries")?;
    if asked.is_empty() || asked.len() > MOST_QUERIES {
        return Err(validation(format!(
            "There must be 1 to {MOST_QUERIES} MetricDataQueries."
        )));
    }
    let limit = fields.integer("MaxDatapoints")?.unwrap_or(MOST_DATAPOINTS);
    if !(1..=MOST_DATAPOINTS).contains(&limit) {
        return Err(validation(format!(
            "MaxDatapoints must be from 1 to {MOST_DATAPOINTS}."
        )));
    }
    let newest_first = match fields.text("ScanBy")?.as_deref() {
        None | Some("TimestampDescending") => true,
        Some("TimestampAscending") => false,
        Some(other) => return Err(validation(format!("ScanBy cannot be {other}."))),
    };
    let mut ids = BTreeSet::new();
    let mut queries = Vec::new();
    for asked in &asked {
        let query = Query::parse(asked, region, from, until)?;
        if !ids.insert(query.id.clone()) {
            return Err(validation(format!("The Id {} is used twice.", query.id)));
        }
        if asked.boolean("ReturnData")?.unwrap_or(true) {
            queries.push(query);
        }
    }
    let mut skip = match fields.text("NextToken")? {
        None => 0,
        Some(token) => token.parse::<usize>().map_err(|_| {
            ApiError::new("InvalidNextToken", "The specified NextToken is not valid.")
        })?,
    };
    let reached = skip;
    let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut answered = 0;
    let mut more = false;
    let mut results = Vec::new();
    for query in &queries {
        let mut points = query.points(store);
        if newest_first {
            points.reverse();
        }
        let passed = skip.min(points.len());
        skip -= passed;
        let rest = &points[passed..];
        let page = &rest[..rest.len().min(left)];
        left -= page.len();
        answered += page.len();
        let cut = page.len() < rest.len();
        more |= cut;
        results.push(structure([
            ("Id", Some(text(&query.id))),
            ("Label", Some(text(&query.label))),
            (
                "Timestamps",
                Some(Value::Array(
                    page.iter().map(|(minute, _)| time(*minute)).collect(),
                )),
            ),
            (
                "Values",
                Some(Value::Array(
                    page.iter().map(|(_, value)| Value::Float(*value)).collect(),
                )),
            ),
            (
                "StatusCode",
                Some(text(if cut { "PartialData" } else { "Complete" })),
            ),
        ]));
    }
    Ok(structure([
        ("MetricDataResults", Some(Value::Array(results))),
        (
            "NextToken",
            more.then(|| text((reached + answered).to_string())),
        ),
        ("Messages", Some(Value::Array(Vec::new()))),
    ]))
}

/// `GetMetricStatistics`.
///
/// # Errors
/// What CloudWatch answers, and percentiles, which localcloud does not compute.
pub(super) fn statistics(fields: &Fields, region: &str, store: &Store) -> Result<Value, ApiError> {
    let series = series_of(fields, region)?;
    let (from, until) = window(fields, "InvalidParameterValue")?;
    let period = fields
        .integer("Period")?
        .ok_or_else(|| ApiError::new("MissingParameter", "The parameter Period is required."))?;
    let stretch = Stretch::of(from, until, period).ok_or_else(|| {
        fields.invalid(
            "Period",
            "localcloud keeps whole minutes: use a multiple of 60",
        )
    })?;
    if stretch.points() > MOST_STATISTICS {
        return Err(ApiError::new(
            "InvalidParameterCombination",
            format!(
                "You have requested up to {} datapoints, which exceeds the limit of {MOST_STATISTICS}. You may reduce the datapoints requested by increasing Period, or decreasing the time range.",
                stretch.points()
            ),
        ));
    }
    if fields.has("ExtendedStatistics") {
        return Err(fields.invalid("ExtendedStatistics", "localcloud computes no percentiles"));
    }
    let statistics = fields
        .texts("Statistics")?
        .iter()
        .map(|name| {
            Statistic::named(name).ok_or_else(|| {
                fields.invalid("Statistics", &format!("there is no statistic {name:?}"))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if statistics.is_empty() {
        return Err(ApiError::new(
            "MissingParameter",
            "The parameter Statistics is required.",
        ));
    }
    let points = stretch
        .read(store, &series, asked_unit(fields)?)
        .into_iter()
        .map(|((minute, unit), found)| {
            let values = statistics
                .iter()
                .map(|statistic| (text(statistic.name()), Value::Float(statistic.of(found))));
            let named = [
                (text("Timestamp"), time(minute)),
                (text("Unit"), text(unit_name(unit))),
            ];
            Value::Map(named.into_iter().chain(values).collect())
        });
    Ok(structure([
        ("Label", Some(text(&series.name))),
        ("Datapoints", Some(Value::Array(points.collect()))),
    ]))
}
