//! CloudWatch: metrics, put and read back.
//!
//! Data are added up into whole UTC minutes by their timestamps, one series per region, namespace,
//! name and set of dimensions; nothing is added up over dimensions, as on AWS. Minutes are kept for
//! 15 days, as AWS keeps them: `DIR/metrics/log`, appended to at each put and rewritten now and then.

mod answer;
mod fields;
mod list;
mod log;
mod protocol;
mod put;
mod query;
mod series;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::StartError;
use crate::auth::Caller;
use crate::context::Context;
use crate::wire::{ApiError, Response};

use fields::Fields;
use log::Log;
use protocol::Protocol;

/// The metrics of an account.
#[derive(Debug)]
pub struct CloudWatch {
    log: Mutex<Log>,
}

impl CloudWatch {
    /// Opens the service on the metrics that are on disk.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn open(context: Arc<Context>) -> Result<Self, StartError> {
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
            log: Mutex::new(log),
        })
    }

    /// Answers a call. `operation` is empty in the Query protocol, where the body names it.
    #[expect(clippy::unused_async, reason = "the frame awaits it")]
    pub async fn call(
        &self,
        caller: &Caller,
        operation: &str,
        body: Bytes,
        headers: &HeaderMap,
    ) -> Response {
        let protocol = Protocol::of(headers);
        match self.answer(caller, operation, &body, headers, protocol) {
            Ok(answer) => protocol.answer(&answer),
            Err(error) => protocol.refuse(&error),
        }
    }

    fn answer(
        &self,
        caller: &Caller,
        operation: &str,
        body: &[u8],
        headers: &HeaderMap,
        protocol: Protocol,
    ) -> Result<ciborium::Value, ApiError> {
        let fields = Fields::of(protocol.decode(body, headers)?)?;
        let region = &caller.region;
        let now = Timestamp::now();
        match operation {
            "PutMetricData" => {
                let data = put::parse(&fields, region, now)?;
                self.log()
                    .append(data, now)
                    .map_err(|error| ApiError::internal(&error))?;
                Ok(answer::nothing())
            }
            "GetMetricData" => query::metric_data(&fields, region, self.log().store()),
            "GetMetricStatistics" => query::statistics(&fields, region, self.log().store()),
            "ListMetrics" => list::metrics(&fields, region, self.log().store(), now),
            other => Err(ApiError::with_status(
                StatusCode::NOT_FOUND,
                "UnknownOperationException",
                format!(
                    "localcloud does not implement {other}; of CloudWatch it has PutMetricData, GetMetricData, GetMetricStatistics and ListMetrics."
                ),
            )),
        }
    }

    /// An error in the protocol of the request.
    pub fn refuse(&self, headers: &HeaderMap, error: &ApiError) -> Response {
        Protocol::of(headers).refuse(error)
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
