//! CloudWatch: metrics.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::StartError;
use crate::auth::Caller;
use crate::context::Context;
use crate::wire::{ApiError, Response, response};

/// The metrics of an account.
#[derive(Debug)]
pub struct CloudWatch {}

impl CloudWatch {
    /// Opens the service on the state that is on disk.
    ///
    /// # Errors
    /// The state cannot be read.
    #[expect(clippy::unused_async, reason = "the frame awaits it")]
    pub async fn open(_context: Arc<Context>) -> Result<Self, StartError> {
        Ok(Self {})
    }

    /// Answers a call. `operation` is empty in the Query protocol, where the body names it.
    pub async fn call(
        &self,
        _caller: &Caller,
        operation: &str,
        _body: Bytes,
        headers: &HeaderMap,
    ) -> Response {
        self.refuse(headers, &ApiError::invalid_action(operation))
    }

    /// An error in the protocol of the request.
    pub fn refuse(&self, _headers: &HeaderMap, error: &ApiError) -> Response {
        response(
            StatusCode::NOT_IMPLEMENTED,
            "application/cbor",
            error.to_string(),
        )
    }
}
