//! The wire of AWS's Query protocols: parameters in, XML out, errors in each service's own form.

mod body;
mod error;
mod params;
mod xml;

pub use body::{too_large, unpacked};
pub use error::{ApiError, ErrorStyle, NO_ROOM, ParameterError};
pub use params::Params;
pub use xml::Xml;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};

/// The failure of a body that is being streamed.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Body of every answer.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BodyError>;

/// An answer of localcloud.
pub type Response = http::Response<Body>;

/// A body that is already in memory.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// An answer with a status, a content type and a body in memory.
pub fn response(
    status: http::StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response {
    let mut response = http::Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static(content_type),
    );
    response
}
