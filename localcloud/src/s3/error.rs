//! The error answers that several operations share.

use std::borrow::Cow;

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};

/// Something of ours failed, not the request: logged in full, told in brief.
pub(crate) fn internal(source: impl std::error::Error + Send + Sync + 'static) -> S3Error {
    tracing::error!(error = &source as &dyn std::error::Error, "S3");
    if crate::state::is_out_of_room(&source) {
        return custom(
            crate::wire::NO_ROOM,
            StatusCode::INSUFFICIENT_STORAGE,
            "The disk that localcloud keeps its files on is full; make room on it.",
        );
    }
    let mut error = S3Error::with_source(S3ErrorCode::InternalError, Box::new(source));
    error.set_message("localcloud could not read or write its files; its log says why.");
    error
}

/// An error code that the wire library has no name for.
pub(crate) fn custom(
    code: &str,
    status: StatusCode,
    message: impl Into<Cow<'static, str>>,
) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InvalidRequest);
    let mut error = S3Error::with_message(code, message);
    error.set_status_code(status);
    error
}
