//! Bodies of requests, which some SDKs send compressed.
//! <https://smithy.io/2.0/spec/behavior-traits.html#requestcompression-trait>

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::ApiError;

/// What a compressed body may become.
const LARGEST_UNPACKED: usize = 8 << 20;

/// A body as it was before it was compressed, if it was.
///
/// # Errors
/// It is not what its header says, or becomes larger than 8 MiB.
pub fn unpacked<'a>(body: &'a [u8], headers: &HeaderMap) -> Result<Cow<'a, [u8]>, ApiError> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.map(HeaderValue::as_bytes) != Some(b"gzip") {
        return Ok(Cow::Borrowed(body));
    }
    let mut whole = Vec::new();
    GzDecoder::new(body)
        .take(LARGEST_UNPACKED as u64 + 1)
        .read_to_end(&mut whole)
        .map_err(|error| {
            ApiError::new(
                "SerializationException",
                format!("The body cannot be read: {error}"),
            )
        })?;
    if whole.len() > LARGEST_UNPACKED {
        return Err(too_large(LARGEST_UNPACKED));
    }
    Ok(Cow::Owned(whole))
}

/// A body of more bytes than a service takes.
pub fn too_large(most: usize) -> ApiError {
    ApiError::with_status(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestEntityTooLarge",
        format!("The request is larger than {most} bytes."),
    )
}
