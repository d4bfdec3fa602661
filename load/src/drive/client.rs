//! Requests to one host over connections that are kept.

use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::Address;
use crate::token::Token;

/// The longest answer that is read: more than any photo in base64.
const LONGEST: usize = 128 * 1024 * 1024;

/// Keeps as many connections as there were requests at once.
#[derive(Debug)]
pub(crate) struct Client {
    authority: String,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
    time: Duration,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("no answer within {} ms", .0.as_millis())]
    InTime(Duration),
    #[error("{0}")]
    Connection(String),
}

impl Client {
    /// Gives each request so much `time`.
    pub(crate) fn new(address: &Address, time: Duration) -> Self {
        let authority = address.authority();
        Self {
            // What an address allows in its host a header allows too.
            host: HeaderValue::from_str(&authority).unwrap_or(HeaderValue::from_static("")),
            authorization: address.token().map(Token::header),
            authority,
            time,
            idle: Mutex::default(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, NoAnswer> {
        self.send(Method::GET, path, None, Bytes::new()).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        content_type: Option<&'static str>,
        body: Bytes,
    ) -> Result<Answer, NoAnswer> {
        self.send(Method::POST, path, content_type, body).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&'static str>,
        body: Bytes,
    ) -> Result<Answer, NoAnswer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(Full::new(body))
            .map_err(|error| NoAnswer::Connection(error.to_string()))?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        if let Some(value) = &self.authorization {
            headers.insert(header::AUTHORIZATION, value.clone());
        }
        if let Some(kind) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        match timeout(self.time, self.exchange(request)).await {
            Ok(answer) => answer.map_err(|error| NoAnswer::Connection(in_words(error.as_ref()))),
            Err(_) => Err(NoAnswer::InTime(self.time)),
        }
    }

    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let (sender, response) = loop {
            let (mut sender, is_new) = match self.idle_connection().await {
                Some(sender) => (sender, false),
                None => (self.connect().await?, true),
            };
            match sender.try_send_request(request).await {
                Ok(response) => break (sender, response),
                // The other side closed it before the request was on its way: another connection.
                Err(mut refused) => match refused.take_message() {
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(refused.into_error().into()),
                },
            }
        };
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), LONGEST)
            .collect()
            .await?;
        self.idle().push(sender);
        Ok(Answer {
            status,
            body: body.to_bytes(),
        })
    }

    /// The connection that was used last of those that are still open.
    async fn idle_connection(&self) -> Option<SendRequest<Full<Bytes>>> {
        loop {
            let mut sender = self.idle().pop()?;
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with its sender, or when the other side closes it.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error and its causes, without what a cause says already.
fn in_words(error: &(dyn Error + 'static)) -> String {
    if error.is::<LengthLimitError>() {
        return format!("the answer is longer than {LONGEST} bytes");
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
