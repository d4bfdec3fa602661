//! Writes down what is asked and what is answered, so that both can be held against AWS's own models of
//! its services.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, Method, Uri};
use http_body_util::{BodyExt as _, Collected, Full};
use serde::Serialize;

use crate::auth;
use crate::connections::Request;
use crate::wire::{Response, full};

/// Largest body that is written down; PutMetricData takes 1 MiB.
const LARGEST_BODY: u64 = 1 << 20;

/// A file of requests with their answers, one JSON object a line. It holds what was sent, passwords
/// too, and so only its owner may read it; signatures and session tokens are left out.
#[derive(Debug)]
pub(crate) struct Record {
    file: Mutex<File>,
}

#[derive(Serialize)]
struct Entry {
    /// As the signature names it; `s3` without one.
    service: String,
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    /// Base64. Left out when it is the content of an object, or too large.
    body: Option<String>,
    answer: Option<Answer>,
}

#[derive(Serialize)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    /// Base64. Left out when it is the content of an object.
    body: Option<String>,
}

impl Record {
    /// Opens a file to append to; makes it if it is not there.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(path)?;
        Ok(Self {
            file: Mutex::new(file),
        })
    }

    /// Has a request answered, and writes both down.
    pub(crate) async fn keep<F>(
        &self,
        request: Request,
        answer: impl FnOnce(Request) -> F,
    ) -> Response
    where
        F: Future<Output = Response>,
    {
        let (request, mut entry) = asked(request).await;
        let (response, answer) = answered(answer(request).await).await;
        entry.answer = Some(answer);
        if let Err(error) = self.append(&entry) {
            tracing::error!(%error, "a request could not be written down");
        }
        response
    }

    fn append(&self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line)
    }
}

/// A request to hand on, and what is written down of it.
async fn asked(request: Request) -> (Request, Entry) {
    let (parts, mut body) = request.into_parts();
    let mut text = None;
    if is_document(&parts.method, &parts.uri) && is_small(&parts.headers) {
        // What cannot be read is for the service to refuse: it gets the same failure.
        let bytes = body.collect().await.map(Collected::to_bytes);
        text = bytes.as_ref().ok().map(encoded);
        body = match bytes {
            Ok(bytes) => Full::new(bytes)
                .map_err(|never| match never {})
                .boxed_unsync(),
            Err(error) => failing(error),
        };
    }
    let scope = auth::scope_of(&parts.headers);
    let entry = Entry {
        service: scope.map_or_else(|| "s3".to_owned(), |scope| scope.service),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: readable(&parts.headers),
        body: text,
        answer: None,
    };
    (Request::from_parts(parts, body), entry)
}

async fn answered(response: Response) -> (Response, Answer) {
    let (parts, mut body) = response.into_parts();
    let mut text = None;
    if describes(&parts.headers) {
        match body.collect().await {
            Ok(read) => {
                let bytes = read.to_bytes();
                text = Some(encoded(&bytes));
                body = full(bytes);
            }
            Err(error) => body = failing(error),
        }
    }
    let answer = Answer {
        status: parts.status.as_u16(),
        headers: readable(&parts.headers),
        body: text,
    };
    (Response::from_parts(parts, body), answer)
}

/// Whether a request's body says something of the call, and is not the content of an object in S3.
fn is_document(method: &Method, uri: &Uri) -> bool {
    let has_key = uri.path().trim_matches('/').contains('/');
    let query = uri.query().unwrap_or_default();
    *method == Method::POST || !has_key || query.split('&').any(|part| part.starts_with("tagging"))
}

fn is_small(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|length| length <= LARGEST_BODY)
}

/// Whether an answer's body is one that a service made. What comes with an ETag is an object.
fn describes(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let is_made = ["xml", "json", "cbor"]
        .iter()
        .any(|form| kind.is_some_and(|kind| kind.contains(form)));
    is_made && !headers.contains_key(ETAG)
}

fn readable(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .filter(|(name, _)| **name != AUTHORIZATION && *name != "x-amz-security-token")
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect()
}

fn encoded(bytes: &Bytes) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

/// A body that fails as another has.
fn failing<E>(error: E) -> http_body_util::combinators::UnsyncBoxBody<Bytes, E>
where
    E: Send + 'static,
{
    let failure = futures::stream::once(async { Err(error) });
    http_body_util::StreamBody::new(failure).boxed_unsync()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn request(method: Method, uri: &str, body: &'static str) -> Request {
        let body = Full::new(Bytes::from_static(body.as_bytes()));
        http::Request::builder()
            .method(method)
            .uri(uri)
            .header(CONTENT_LENGTH, 5)
            .header(AUTHORIZATION, "AWS4-HMAC-SHA256 Credential=k/20261126/r/iam/aws4_request, SignedHeaders=host, Signature=s")
            .body(body.map_err(|never| match never {}).boxed_unsync())
            .unwrap()
    }

    async fn kept(request: Request) -> (String, serde_json::Value) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let record = Record::open(&path).unwrap();
        let echo = async |request: Request| {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            crate::wire::response(http::StatusCode::OK, "text/xml", body)
        };
        let answer = record.keep(request, echo).await;
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let line = std::fs::read_to_string(path).unwrap();
        let line = serde_json::from_str(&line).unwrap();
        (String::from_utf8_lossy(&body).into_owned(), line)
    }

    #[tokio::test]
    async fn a_call_is_handed_on_and_written_down_with_its_answer_and_without_its_signature() {
        let (answer, line) = kept(request(Method::POST, "/", "a=b&c")).await;
        assert_eq!(answer, "a=b&c");
        assert_eq!(line["service"], "iam");
        assert_eq!(line["body"], "YT1iJmM=");
        assert_eq!(line["answer"]["body"], "YT1iJmM=");
        assert!(!line.to_string().contains("Signature"));
    }

    #[tokio::test]
    async fn the_content_of_an_object_is_not_written_down() {
        let (answer, line) =
            kept(request(Method::PUT, "/bucket/key?x-id=PutObject", "photo")).await;
        assert_eq!(answer, "photo");
        assert!(line["body"].is_null());
        let (_, line) = kept(request(Method::PUT, "/bucket/key?tagging", "photo")).await;
        assert_eq!(line["body"], "cGhvdG8=");
    }
}
