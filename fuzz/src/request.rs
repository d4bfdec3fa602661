//! Requests out of bytes: a head as HTTP/1.1 has it, and all that follows as the body.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};

/// The request that the bytes are; `None` if the head is not one.
pub fn parse(bytes: &[u8]) -> Option<Request<Bytes>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(bytes).ok()? else {
        return None;
    };
    let mut request = Request::builder().method(head.method?).uri(head.path?);
    for header in head.headers.iter() {
        request = request.header(
            HeaderName::from_bytes(header.name.as_bytes()).ok()?,
            HeaderValue::from_bytes(header.value).ok()?,
        );
    }
    request.body(Bytes::copy_from_slice(&bytes[length..])).ok()
}
