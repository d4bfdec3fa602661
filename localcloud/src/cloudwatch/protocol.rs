//! The protocols in which CloudWatch is spoken to with types: CBOR by the Rust SDK and the newest
//! boto3, JSON 1.0 by those of 2025 and the AWS CLI. What is older speaks [`super::text`].
//! <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>

use ciborium::Value;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::wire::{ApiError, Response, response, too_large, unpacked};

/// "Each PutMetricData request is limited to 1 MB in size for HTTP POST requests."
const LARGEST_BODY: usize = 1 << 20;
/// Tag of a time in seconds since 1970 (RFC 8949, section 3.4.2).
pub(super) const TIME: u64 = 1;

/// How a request is written, and so its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Cbor,
    Json,
}

impl Protocol {
    /// Told by the headers; none for Query.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let starts = |name: &str, with: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .is_some_and(|value| value.starts_with(with))
        };
        if starts("smithy-protocol", "rpc-v2-cbor") || starts("content-type", "application/cbor") {
            Some(Self::Cbor)
        } else if headers.contains_key("x-amz-target") {
            Some(Self::Json)
        } else {
            None
        }
    }

    /// Reads a body, unpacking it first if it is compressed.
    ///
    /// # Errors
    /// It is too large, or not what it says it is.
    pub(super) fn decode(self, body: &[u8], headers: &HeaderMap) -> Result<Value, ApiError> {
        if body.len() > LARGEST_BODY {
            return Err(too_large(LARGEST_BODY));
        }
        let body = &*unpacked(body, headers)?;
        match self {
            Self::Cbor if body.is_empty() => Ok(Value::Map(Vec::new())),
            Self::Cbor => ciborium::from_reader(body).map_err(|error| malformed(&error)),
            Self::Json => serde_json::from_slice(body).map_err(|error| malformed(&error)),
        }
    }

    /// An answer.
    pub(super) fn answer(self, value: &Value) -> Response {
        self.respond(StatusCode::OK, value)
    }

    /// An error, with its code both as the newer protocols have it and as older SDKs know it.
    pub(super) fn refuse(self, error: &ApiError) -> Response {
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
            Self::Json => (
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
