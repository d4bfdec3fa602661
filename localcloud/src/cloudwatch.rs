//! CloudWatch: metrics, put and read back.
//!
//! Data are added up into whole UTC minutes by their timestamps, one series per region, namespace,
//! name and set of dimensions; nothing is added up over dimensions, as on AWS. Minutes are kept for
//! 15 days, as AWS keeps them: `DIR/metrics/log`, appended to at each put and rewritten now and then.

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
use crate::wire::{ApiError, ErrorStyle, Params, Response};

use fields::{Fields, Scalars};
use log::Log;
use protocol::Protocol;

/// The metrics of an account.
#[derive(Debug)]
pub struct CloudWatch {
    access: Arc<Access>,
    log: Mutex<Log>,
}

impl CloudWatch {
    /// Opens the service on the metrics that are on disk.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn open(context: Arc<Context>, access: Arc<Access>) -> Result<Self, StartError> {
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
            access,
            log: Mutex::new(log),
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
        let checks = access::table::metrics(operation, namespace.as_deref())?;
        if let Err(refusal) = self.access.permit(caller, &checks) {
            return Some(Err(refusal.error("monitoring")));
        }
        let region = &caller.region;
        let now = Timestamp::now();
        Some(match operation {
            "PutMetricData" => self.put(fields, region, now),
            "GetMetricData" => query::metric_data(fields, region, self.log().store()),
            "GetMetricStatistics" => query::statistics(fields, region, self.log().store()),
            "ListMetrics" => list::metrics(fields, region, self.log().store(), now),
            _ => return None,
        })
    }

    fn put(&self, fields: &Fields, region: &str, now: Timestamp) -> Result<Value, ApiError> {
        let data = put::parse(fields, region, now)?;
        self.log()
            .append(data, now)
            .map_err(|error| ApiError::internal(&error))?;
        Ok(answer::nothing())
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

fn unknown(operation: &str) -> ApiError {
    ApiError::with_status(
        StatusCode::NOT_FOUND,
        "UnknownOperationException",
        format!("The operation {operation} is not known (localcloud does not implement it)."),
    )
}
