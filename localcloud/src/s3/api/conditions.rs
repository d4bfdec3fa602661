//! `If-Match` and its kin, for reads and for writes.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>

use http::{HeaderMap, HeaderName, header};
use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::super::object::{Object, timestamp};

/// The conditions of a read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Read<'a> {
    pub(super) matches: Option<&'a ETagCondition>,
    pub(super) matches_not: Option<&'a ETagCondition>,
    pub(super) modified_since: Option<&'a Timestamp>,
    pub(super) unmodified_since: Option<&'a Timestamp>,
}

impl Read<'_> {
    /// Evaluates them in the order of RFC 9110, section 13.2.2.
    pub(super) fn check(self, object: &Object) -> S3Result<()> {
        let modified = timestamp(object.modified);
        match (self.matches, self.unmodified_since) {
            (Some(condition), _) if !is(condition, object) => return Err(failed()),
            (None, Some(since)) if modified > *since => return Err(failed()),
            _ => {}
        }
        match (self.matches_not, self.modified_since) {
            (Some(condition), _) if is(condition, object) => Err(not_modified(object)),
            (None, Some(since)) if modified <= *since => Err(not_modified(object)),
            _ => Ok(()),
        }
    }
}

/// The conditions of a write, on what is there before it.
#[derive(Debug, Clone, Default)]
pub(super) struct Write {
    pub(super) matches: Option<ETagCondition>,
    pub(super) matches_not: Option<ETagCondition>,
}

impl Write {
    pub(super) fn check(&self, existing: Option<&Object>) -> S3Result<()> {
        match (&self.matches, existing) {
            (Some(_), None) => {
                return Err(s3_error!(NoSuchKey, "The specified key does not exist."));
            }
            (Some(condition), Some(object)) if !is(condition, object) => return Err(failed()),
            _ => {}
        }
        match (&self.matches_not, existing) {
            (Some(condition), Some(object)) if is(condition, object) => Err(failed()),
            _ => Ok(()),
        }
    }
}

fn is(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == object.etag,
    }
}

/// The object's `ETag` as the wire has it.
pub(super) fn etag(object: &Object) -> ETag {
    ETag::Strong(object.etag.clone())
}

fn failed() -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )
}

fn not_modified(object: &Object) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    let mut headers = HeaderMap::new();
    let mut add = |name: HeaderName, value: Option<http::HeaderValue>| {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    };
    add(header::ETAG, etag(object).to_http_header().ok());
    let mut modified = Vec::new();
    let written =
        timestamp(object.modified).format(s3s::dto::TimestampFormat::HttpDate, &mut modified);
    add(
        header::LAST_MODIFIED,
        written
            .ok()
            .and_then(|()| http::HeaderValue::from_bytes(&modified).ok()),
    );
    error.set_headers(headers);
    error
}
