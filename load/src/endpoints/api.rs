//! The HTTP client of the checks, and what a reply must look like.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::Mismatch;
use super::form::Form;
use crate::token::Token;

/// Passed, or what differed.
pub(super) type Outcome = Result<(), Mismatch>;

/// Everything but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const PATIENCE: Duration = Duration::from_secs(60);

/// The deployment under test.
#[derive(Clone)]
pub(super) struct Api {
    base: String,
    authorization: Option<HeaderValue>,
    /// The statuses that came, each once in a row.
    answered: Arc<Mutex<Vec<u16>>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A whole reply.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

impl Api {
    /// `None` if `base` is not an `http://host:port`.
    pub(super) fn new(base: &str, token: Option<&Token>) -> Option<Self> {
        let base = base.trim_end_matches('/');
        let uri: Uri = base.parse().ok()?;
        let plain = uri.scheme_str() == Some("http") && uri.host().is_some() && uri.path() == "/";
        if !plain || uri.query().is_some() {
            return None;
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Some(Self {
            base: base.to_owned(),
            authorization: token.map(Token::header),
            answered: Arc::default(),
            client,
        })
    }

    /// The same deployment, for requests beside the checks.
    pub(super) fn apart(&self) -> Self {
        Self {
            answered: Arc::default(),
            ..self.clone()
        }
    }

    /// The statuses that came since this was asked last.
    pub(super) fn answered(&self) -> Vec<u16> {
        std::mem::take(&mut *self.statuses())
    }

    fn note(&self, status: u16) {
        let mut statuses = self.statuses();
        if statuses.last() != Some(&status) {
            statuses.push(status);
        }
    }

    fn statuses(&self) -> MutexGuard<'_, Vec<u16>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A POST without a body.
    pub(super) async fn post(&self, target: &str) -> Result<Reply, Mismatch> {
        self.send(Method::POST, target, None, Bytes::new()).await
    }

    pub(super) async fn upload(&self, form: &Form) -> Result<Reply, Mismatch> {
        self.upload_to("/api/upload", form).await
    }

    pub(super) async fn upload_to(&self, target: &str, form: &Form) -> Result<Reply, Mismatch> {
        self.send(
            Method::POST,
            target,
            Some(&Form::content_type()),
            form.encode().into(),
        )
        .await
    }

    /// Uploads as nearly every client does; the reply must be right.
    pub(super) async fn store(&self, key: &str, content: &[u8]) -> Outcome {
        self.upload(&Form::of(key, content)).await?.is_stored(key)
    }

    /// The photo under `key` must be `content`, to the byte.
    pub(super) async fn reads_as(&self, key: &str, content: &[u8]) -> Outcome {
        self.post(&format!("/api/key/{}", encoded(key)))
            .await?
            .is_photo(key, content)
    }

    pub(super) async fn send(
        &self,
        method: Method,
        target: &str,
        content_type: Option<&str>,
        body: Bytes,
    ) -> Result<Reply, Mismatch> {
        let told = format!("{method} {target}");
        let failed = |problem: String| Mismatch::new(format!("an answer to {told}"), problem);
        let mut headers = HeaderMap::new();
        if let Some(kind) = content_type {
            let kind = HeaderValue::from_str(kind).map_err(|error| failed(error.to_string()))?;
            headers.insert(header::CONTENT_TYPE, kind);
        }
        if let Some(value) = &self.authorization {
            headers.insert(header::AUTHORIZATION, value.clone());
        }
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.base))
            .body(Full::new(body))
            .map_err(|error| failed(error.to_string()))?;
        *request.headers_mut() = headers;
        match tokio::time::timeout(PATIENCE, self.exchange(request)).await {
            Ok(result) => result.map_err(failed),
            Err(_) => Err(failed(format!("nothing within {} s", PATIENCE.as_secs()))),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply, String> {
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| chain(&error))?;
        let status = response.status().as_u16();
        self.note(status);
        let content_type = response
            .headers()
            .get(header::CONTENT_TYPE)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|error| chain(&error))?
            .to_bytes();
        Ok(Reply {
            status,
            content_type,
            body,
        })
    }
}

impl Reply {
    /// 200, JSON, and exactly these bytes.
    pub(super) fn is_success(&self, body: &str) -> Outcome {
        if self.status == 200 && self.is_json() && self.body == body.as_bytes() {
            Ok(())
        } else {
            Err(Mismatch::new(
                format!("200 application/json {}", shortened(body)),
                self.to_string(),
            ))
        }
    }

    pub(super) fn is_stored(&self, key: &str) -> Outcome {
        self.is_success(&format!(r#"{{"success":"true","key":{}}}"#, quoted(key)))
    }

    pub(super) fn is_photo(&self, key: &str, content: &[u8]) -> Outcome {
        let content = base64_simd::STANDARD.encode_to_string(content);
        self.is_success(&format!(
            r#"{{"success":"true","key":{},"content":"{content}"}}"#,
            quoted(key)
        ))
    }

    /// One of `statuses`, with the failure body that names the same status and says something.
    pub(super) fn is_failure(&self, statuses: &[u16]) -> Outcome {
        let message = self.message();
        let right = format!(
            r#"{{"success":"false","error":{{"code":{},"message":{}}}}}"#,
            self.status,
            quoted(&message)
        );
        let says_something = !message.trim().is_empty();
        if statuses.contains(&self.status)
            && self.is_json()
            && says_something
            && self.body == right.as_bytes()
        {
            return Ok(());
        }
        let wanted: Vec<String> = statuses.iter().map(u16::to_string).collect();
        let wanted = wanted.join(" or ");
        Err(Mismatch::new(
            format!(
                r#"{wanted} application/json {{"success":"false","error":{{"code":{wanted},"message":"…"}}}}"#
            ),
            self.to_string(),
        ))
    }

    /// What the body of a failure says; nothing if it is none.
    pub(super) fn message(&self) -> String {
        #[derive(Deserialize)]
        struct Failure {
            error: Problem,
        }
        #[derive(Deserialize)]
        struct Problem {
            message: String,
        }
        serde_json::from_slice::<Failure>(&self.body)
            .map(|failure| failure.error.message)
            .unwrap_or_default()
    }

    fn is_json(&self) -> bool {
        let essence = self.content_type.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        let kind = if self.content_type.is_empty() {
            "no type"
        } else {
            &self.content_type
        };
        write!(out, "{} {kind} {}", self.status, shortened(&body))
    }
}

/// A key as one segment of a path.
pub(super) fn encoded(key: &str) -> String {
    utf8_percent_encode(key, ENCODED).to_string()
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// On one line, and not the whole of a photo.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 160;
    let line: String = text
        .chars()
        .take(LONGEST)
        .map(|character| {
            if character.is_control() {
                '␤'
            } else {
                character
            }
        })
        .collect();
    if text.chars().count() > LONGEST {
        format!("{line}… ({} bytes)", text.len())
    } else {
        line
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
