//! The services that speak JSON 1.1: a header names the operation, the body is one object.
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::wire::{ApiError, Response, response};

/// The operation that a request asks for, of the service whose target begins like that; empty if
/// none of it.
pub(crate) fn operation<'a>(headers: &'a HeaderMap, target: &str) -> &'a str {
    let named = headers.get("x-amz-target");
    let named = named.and_then(|value| value.to_str().ok());
    named
        .and_then(|named| named.strip_prefix(target))
        .unwrap_or_default()
}

/// An answer.
pub(crate) fn answer(status: StatusCode, body: &Value) -> Response {
    response(status, "application/x-amz-json-1.1", body.to_string())
}

/// The answer to a call that is refused.
pub(crate) fn refuse(error: &ApiError) -> Response {
    let body = json!({ "__type": error.code, "message": error.message });
    answer(error.status, &body)
}
