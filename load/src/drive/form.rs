//! The upload as clients send it: multipart/form-data (RFC 7578) with a key and a file.

use bytes::Bytes;

const BOUNDARY: &str = "bivouac7MA4YWxkTrZu0gW";
pub(super) const CONTENT_TYPE: &str = "multipart/form-data; boundary=bivouac7MA4YWxkTrZu0gW";

/// The body of an upload.
pub(super) fn upload(key: &str, photo: &[u8]) -> Bytes {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n{key}\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"photo.png\"\r\n\r\n"
    );
    let end = format!("\r\n--{BOUNDARY}--\r\n");
    [head.as_bytes(), photo, end.as_bytes()].concat().into()
}
