//! Calls from one service to another: pooled HTTP/1.1, each with a deadline.

mod connections;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use http_body_util::BodyExt;

use crate::body::Body;
use crate::request_id;
pub use connections::ConnectError;
use connections::Connections;

/// The longest answer that [`Client::send`] collects: the largest value of a node, and some.
const ANSWER_LIMIT: u64 = 65 * 1024 * 1024;

/// A pool of connections. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Client {
    connections: Connections,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection: the other side never saw the request.
    #[error("connecting to {host}")]
    Connect {
        /// `address:port`.
        host: String,
        /// What the connection said.
        source: ConnectError,
    },
    /// The connection broke after the request was (perhaps) seen.
    #[error("calling {host}")]
    Exchange {
        /// `address:port`.
        host: String,
        /// What the connection said.
        source: hyper::Error,
    },
    /// The answer broke off.
    #[error("reading the answer of {host}")]
    Answer {
        /// `address:port`.
        host: String,
        /// What the connection said.
        source: hyper::Error,
    },
    /// The answer is longer than anything we ask for.
    #[error("the answer of {host} is longer than {ANSWER_LIMIT} bytes")]
    TooLong {
        /// `address:port`.
        host: String,
    },
    /// The time was over.
    #[error("{host} did not answer within {} ms", deadline.as_millis())]
    Deadline {
        /// `address:port`.
        host: String,
        /// The time it had.
        deadline: Duration,
    },
}

impl Client {
    /// A pool without connections yet: `TCP_NODELAY`, 250 ms to connect.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends a request with an absolute address (`http://address:port/path`) and reads the whole
    /// answer, all within `deadline`. The id of the request being answered goes along.
    ///
    /// # Errors
    /// When there is no connection, no complete answer, or no time left. An answer of any status is
    /// an answer.
    pub async fn send(
        &self,
        request: Request<Body>,
        deadline: Duration,
    ) -> Result<Response<Bytes>, ClientError> {
        let host = host_of(&request);
        let exchange = async {
            let (head, body) = self.exchange(request, &host).await?.into_parts();
            Ok(Response::from_parts(head, collect(body, &host).await?))
        };
        match tokio::time::timeout(deadline, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::Deadline { host, deadline }),
        }
    }

    /// Sends a request and gives back the answer as soon as its head is there (within `deadline`);
    /// the body is read by the caller, for as long as that takes.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn open(
        &self,
        request: Request<Body>,
        deadline: Duration,
    ) -> Result<Response<hyper::body::Incoming>, ClientError> {
        let host = host_of(&request);
        match tokio::time::timeout(deadline, self.exchange(request, &host)).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::Deadline { host, deadline }),
        }
    }

    async fn exchange(
        &self,
        mut request: Request<Body>,
        host: &str,
    ) -> Result<Response<hyper::body::Incoming>, ClientError> {
        if let Some(id) = request_id::current() {
            request
                .headers_mut()
                .entry(request_id::HEADER)
                .or_insert_with(|| id.header_value());
        }
        connections::to_origin_form(&mut request, host);
        let exchange = |source| ClientError::Exchange {
            host: host.to_owned(),
            source,
        };
        while let Some(mut sender) = self.connections.take(host) {
            match sender.try_send_request(request).await {
                Ok(answer) => {
                    self.connections.keep(host, sender);
                    return Ok(answer);
                }
                // The other side closed it before the request was on its way: another connection.
                Err(mut refused) => match refused.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(exchange(refused.into_error())),
                },
            }
        }
        let connecting = self.connections.open(host).await;
        let mut sender = connecting.map_err(|source| ClientError::Connect {
            host: host.to_owned(),
            source,
        })?;
        let answer = sender.send_request(request).await.map_err(exchange)?;
        self.connections.keep(host, sender);
        Ok(answer)
    }
}

fn host_of(request: &Request<Body>) -> String {
    request
        .uri()
        .authority()
        .map_or_else(|| "(no host)".to_owned(), ToString::to_string)
}

async fn collect(body: hyper::body::Incoming, host: &str) -> Result<Bytes, ClientError> {
    let too_long = || ClientError::TooLong {
        host: host.to_owned(),
    };
    if body.size_hint().lower() > ANSWER_LIMIT {
        return Err(too_long());
    }
    match http_body_util::Limited::new(body, usize::try_from(ANSWER_LIMIT).unwrap_or(usize::MAX))
        .collect()
        .await
    {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => match error.downcast::<hyper::Error>() {
            Ok(source) => Err(ClientError::Answer {
                host: host.to_owned(),
                source: *source,
            }),
            Err(_) => Err(too_long()),
        },
    }
}
