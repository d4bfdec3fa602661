//! The protocols in which CloudWatch is spoken to: CBOR by the Rust SDK, JSON 1.0 by boto3 and the
//! AWS CLI. <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>

use std::io::Read as _;

use ciborium::Value;
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::wire::{ApiError, ErrorStyle, Response, response};

/// "Each PutMetricData request is limited to 1 MB in size for HTTP POST requests."
const LARGEST_BODY: usize = 1 << 20;
/// What a compressed body may become.
const LARGEST_UNPACKED: u64 = 8 << 20;
/// Tag of a time in seconds since 1970 (RFC 8949, section 3.4.2).
pub(super) const TIME: u64 = 1;

/// How a request is written, and so its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Cbor,
    Json,
    Query,
}

impl Protocol {
    /// Told by the headers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let starts = |name: &str, with: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .is_some_and(|value| value.starts_with(with))
        };
        if starts("smithy-protocol", "rpc-v2-cbor") || starts("content-type", "application/cbor") {
            Self::Cbor
        } else if headers.contains_key("x-amz-target") {
            Self::Json
        } else {
            Self::Query
        }
    }

    /// Reads a body, unpacking it first if it is compressed.
    ///
    /// # Errors
    /// It is too large, not what it says it is, or in a protocol that localcloud does not speak.
    pub(super) fn decode(self, body: &[u8], headers: &HeaderMap) -> Result<Value, ApiError> {
        if body.len() > LARGEST_BODY {
            return Err(too_large());
        }
        let unpacked;
        let body = match headers
            .get(header::CONTENT_ENCODING)
            .map(HeaderValue::as_bytes)
        {
            Some(b"gzip") => {
                unpacked = unpack(body)?;
                &unpacked
            }
            _ => body,
        };
        match self {
            Self::Cbor if body.is_empty() => Ok(Value::Map(Vec::new())),
            Self::Cbor => ciborium::from_reader(body).map_err(|error| malformed(&error)),
            Self::Json => serde_json::from_slice(body).map_err(|error| malformed(&error)),
            Self::Query => Err(ApiError::new(
                "InvalidAction",
                "localcloud speaks to CloudWatch's clients in CBOR and JSON, not in the older Query protocol: use a newer SDK.",
            )),
        }
    }

    /// An answer.
    pub(super) fn answer(self, value: &Value) -> Response {
        self.respond(StatusCode::OK, value)
    }

    /// An error, with its code both as the newer protocols have it and as older SDKs know it.
    pub(super) fn refuse(self, error: &ApiError) -> Response {
        if self == Self::Query {
            return error.render(ErrorStyle::Query, &uuid::Uuid::new_v4().to_string());
        }
        let text = |text: &str| Value::Text(text.to_owned());
        let body = Value::Map(vec![
            (
                text("__type"),
                text(&format!("com.amazonaws.cloudwatch#{}", error.code)),
            ),
            (text("message"), text(&error.message)),
        ]);
        let mut refusal = self.respond(error.status, &body);
        let side = if error.status.is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        if let Ok(code) = HeaderValue::try_from(format!("{};{side}", error.code)) {
            refusal.headers_mut().insert("x-amzn-query-error", code);
        }
        refusal
    }

    fn respond(self, status: StatusCode, value: &Value) -> Response {
        let (kind, body) = match self {
            Self::Cbor => {
                let mut body = Vec::new();
                // Writing to memory cannot fail.
                let _ = ciborium::into_writer(value, &mut body);
                ("application/cbor", body)
            }
            Self::Json | Self::Query => (
                "application/x-amz-json-1.0",
                serde_json::to_vec(&plain(value)).unwrap_or_default(),
            ),
        };
        let mut answer = response(status, kind, body);
        if self == Self::Cbor {
            answer
                .headers_mut()
                .insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
        }
        answer
    }
}

fn unpack(body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let mut unpacked = Vec::new();
    let read = GzDecoder::new(body)
        .take(LARGEST_UNPACKED + 1)
        .read_to_end(&mut unpacked);
    let read = read.map_err(|error| malformed(&error))?;
    if read as u64 > LARGEST_UNPACKED {
        return Err(too_large());
    }
    Ok(unpacked)
}

fn too_large() -> ApiError {
    ApiError::with_status(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestEntityTooLarge",
        format!("The request is larger than {LARGEST_BODY} bytes."),
    )
}

fn malformed(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::new(
        "SerializationException",
        format!("The body cannot be read: {error}"),
    )
}

/// The same without tags, which JSON does not have: a time is a number of seconds.
fn plain(value: &Value) -> Value {
    match value {
        Value::Tag(_, inner) => plain(inner),
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        Value::Map(members) => Value::Map(
            members
                .iter()
                .map(|(name, member)| (name.clone(), plain(member)))
                .collect(),
        ),
        other => other.clone(),
    }
}
