//! CloudWatch: metrics, put and read back; alarms and dashboards, kept.
//!
//! Data are added up into whole UTC minutes by their timestamps, one series per region, namespace,
//! name and set of dimensions; nothing is added up over dimensions, as on AWS. Minutes are kept for
//! 15 days, as AWS keeps them: `DIR/metrics/log`, appended to at each put and rewritten now and then.

mod alarms;
mod answer;
mod fields;
mod list;
mod log;
mod periods;
mod protocol;
mod put;
mod query;
mod series;
mod text;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ciborium::Value;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::StartError;
use crate::access::{self, Access};
use crate::auth::Caller;
use crate::context::Context;
use crate::rehearsal::Delay;
use crate::state::Document;
use crate::wire::{ApiError, ErrorStyle, Params, Response};

use alarms::Watched;
use fields::{Fields, Scalars};
use log::Log;
use protocol::Protocol;
use series::{Datum, Series};

/// The metrics of an account.
#[derive(Debug)]
pub struct CloudWatch {
    context: Arc<Context>,
    access: Arc<Access>,
    watched: Document<Watched>,
    log: Arc<Mutex<Log>>,
}

impl CloudWatch {
    /// Opens the service on the metrics that are on disk.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn open(context: Arc<Context>, access: Arc<Access>) -> Result<Self, StartError> {
        let watched = context.state.document("alarms")?;
        let folder = context.home.join("metrics");
        let log = tokio::task::spawn_blocking(move || Log::open(&folder, Timestamp::now()))
            .await
            .map_err(std::io::Error::from)
            .flatten()
            .map_err(|source| StartError::Service {
                service: "CloudWatch",
                source: source.into(),
            })?;
        Ok(Self {
            context,
            access,
            watched,
            log: Arc::new(Mutex::new(log)),
        })
    }

    /// Answers a call in one of the protocols that name the operation outside of the body.
    #[expect(clippy::unused_async, reason = "the frame awaits it")]
    pub async fn call(
        &self,
        caller: &Caller,
        operation: &str,
        body: Bytes,
        headers: &HeaderMap,
    ) -> Response {
        let protocol = Protocol::of(headers).unwrap_or(Protocol::Json);
        let answer = protocol
            .decode(&body, headers)
            .and_then(|body| Fields::of(body, Scalars::Typed))
            .and_then(|fields| {
                self.perform(caller, operation, &fields)
                    .unwrap_or_else(|| Err(unknown(operation)))
            });
        match answer {
            Ok(answer) => protocol.answer(&answer),
            Err(error) => protocol.refuse(&error),
        }
    }

    /// Answers a call in the Query protocol with what belongs inside `<ActionResult>`.
    ///
    /// # Errors
    /// What CloudWatch answers in that case.
    pub fn query(&self, caller: &Caller, params: &Params) -> Result<String, ApiError> {
        let action = params.action()?;
        let fields = Fields::of(text::value(params), Scalars::Text)?;
        self.perform(caller, action, &fields)
            .unwrap_or_else(|| Err(ApiError::invalid_action(action)))
            .map(|answer| text::xml(&answer))
    }

    /// Performs an operation, in whatever protocol it was asked for. There may be none of that name.
    fn perform(
        &self,
        caller: &Caller,
        operation: &str,
        fields: &Fields,
    ) -> Option<Result<Value, ApiError>> {
        // One that is not a text is for the operation to refuse.
        let namespace = fields.text("Namespace").ok().flatten();
        let named = match named_in(operation, fields) {
            Ok(named) => named,
            Err(error) => return Some(Err(error)),
        };
        let checks = access::table::metrics(caller, operation, namespace.as_deref(), &named)?;
        if let Err(refusal) = self.access.permit(caller, &checks) {
            return Some(Err(refusal.error("monitoring")));
        }
        let region = &caller.region;
        let now = Timestamp::now();
        Some(match operation {
            "PutMetricData" => self.put(fields, region, now),
            "GetMetricData" => query::metric_data(fields, region, self.log().store()),
            "GetMetricStatistics" => query::statistics(fields, region, self.log().store()),
            "ListMetrics" => {
                let stage = &self.context.stage;
                let is_shown =
                    |series: &Series| !stage.is_under_way(Delay::MetricListed, &series.key());
                list::metrics(fields, region, self.log().store(), now, is_shown)
            }
            "PutMetricAlarm" => alarms::put_alarm(fields, region, &self.watched, now),
            "DescribeAlarms" => alarms::describe_alarms(fields, region, &self.watched),
            "DeleteAlarms" => alarms::delete_alarms(fields, region, &self.watched),
            "PutDashboard" => alarms::put_dashboard(fields, region, &self.watched, now),
            "ListDashboards" => alarms::list_dashboards(fields, region, &self.watched),
            "DeleteDashboards" => alarms::delete_dashboards(fields, region, &self.watched),
            _ => return None,
        })
    }

    /// What is left, one line each; metrics expire by themselves.
    pub fn remaining(&self) -> Vec<String> {
        self.watched.read(Watched::remaining)
    }

    fn put(&self, fields: &Fields, region: &str, now: Timestamp) -> Result<Value, ApiError> {
        let data = put::parse(fields, region, now)?;
        let stage = &self.context.stage;
        if stage.rehearsal().is_some() {
            self.put_late(data, now);
            return Ok(answer::nothing());
        }
        self.log()
            .append(data, now)
            .map_err(|error| ApiError::internal(&error))?;
        Ok(answer::nothing())
    }

    /// In a rehearsal data can be read some seconds after they were put, and a new metric is listed
    /// later still.
    fn put_late(&self, data: Vec<Datum>, now: Timestamp) {
        let stage = &self.context.stage;
        let Some(first) = data.first() else {
            return;
        };
        for datum in &data {
            let key = datum.series.key();
            let is_new = self.log().store().minutes(&datum.series).is_none();
            if is_new && !stage.is_under_way(Delay::MetricListed, &key) {
                let _due = stage.begin(Delay::MetricListed, &key);
            }
        }
        let due = stage.begin(Delay::DatumReadable, &first.series.namespace);
        let log = Arc::clone(&self.log);
        self.context.tasks.spawn(async move {
            due.over().await;
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = log.append(data, now) {
                tracing::error!(%error, "cannot keep metric data");
            }
        });
    }

    /// An error in the protocol of the request.
    pub fn refuse(&self, headers: &HeaderMap, error: &ApiError, request_id: &str) -> Response {
        match Protocol::of(headers) {
            Some(protocol) => protocol.refuse(error),
            None => error.render(ErrorStyle::Query, request_id),
        }
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The alarms or dashboards that a call makes or deletes.
fn named_in(operation: &str, fields: &Fields) -> Result<Vec<String>, ApiError> {
    match operation {
        "PutMetricAlarm" => fields.required_text("AlarmName").map(|name| vec![name]),
        "PutDashboard" => fields.required_text("DashboardName").map(|name| vec![name]),
        "DeleteAlarms" => fields.texts("AlarmNames"),
        "DeleteDashboards" => fields.texts("DashboardNames"),
        _ => Ok(Vec::new()),
    }
}

fn unknown(operation: &str) -> ApiError {
    ApiError::with_status(
        StatusCode::NOT_FOUND,
        "UnknownOperationException",
        format!("The operation {operation} is not known (localcloud does not implement it)."),
    )
}
