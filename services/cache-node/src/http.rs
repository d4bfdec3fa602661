//! What a node answers over HTTP.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::future::{BoxFuture, Either, Ready, ready};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use kit::body::{self, Body, Incoming, ReadError};
use kit::pool::{Configuration, EPOCH, LEASE, Place, STORED};
use kit::reply;
use kit::token::Token;
use serde::de::DeserializeOwned;

use crate::cache::{Fill, Lookup, Value};
use crate::key;
use crate::node::{Node, Refusal, TableError};

/// The longest value that is taken at all.
const VALUE_LIMIT: u64 = 64 * 1024 * 1024;
/// The longest table or configuration.
const ORDER_LIMIT: u64 = 16 * 1024;
/// What a value is when nobody said.
const UNKNOWN_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Answers requests for a node.
pub struct Handler {
    node: Arc<Node>,
    token: Token,
}

impl Handler {
    /// Answers those who know `token`.
    #[must_use]
    pub fn new(node: Arc<Node>, token: Token) -> Self {
        Self { node, token }
    }

    /// Answers one request: at once if that takes no more than memory, as most do.
    pub fn handle(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Either<Ready<Response<Body>>, BoxFuture<'static, Response<Body>>> {
        if !self.token.accepts(request.headers()) {
            return Either::Left(ready(Refused::Token.reply()));
        }
        if request.method() == Method::GET
            && let Some(written) = request.uri().path().strip_prefix("/entries/")
        {
            let answer = self.look_up(written, request.headers());
            return Either::Left(ready(answer.unwrap_or_else(Refused::reply)));
        }
        let handler = self.clone();
        let answer = async move { handler.route(request).await.unwrap_or_else(Refused::reply) };
        Either::Right(Box::pin(answer))
    }

    fn look_up(&self, written: &str, headers: &HeaderMap) -> Result<Response<Body>, Refused> {
        let key = key::decode(written).ok_or(Refused::Key)?;
        self.get(&key, headers)
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Response<Body>, Refused> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        if let Some(written) = path.strip_prefix("/entries/") {
            let key = key::decode(written).ok_or(Refused::Key)?;
            // GET is answered before it comes here.
            return match head.method {
                Method::PUT => self.fill(&key, &head.headers, body).await,
                Method::DELETE => self.invalidate(&key, &head.headers),
                _ => Err(Refused::Method("GET, PUT, DELETE")),
            };
        }
        match (path, &head.method) {
            ("/table", &Method::PUT) => self.adopt(body).await,
            ("/configuration", &Method::PUT) => self.configure(body).await,
            ("/clear", &Method::POST) => Ok(self.clear()),
            ("/statistics", &Method::GET) => Ok(self.statistics()),
            ("/log", &Method::GET) => Ok(log()),
            ("/table" | "/configuration", _) => Err(Refused::Method("PUT")),
            ("/clear", _) => Err(Refused::Method("POST")),
            ("/statistics" | "/log", _) => Err(Refused::Method("GET")),
            _ => Err(Refused::Path),
        }
    }

    fn get(&self, key: &str, headers: &HeaderMap) -> Result<Response<Body>, Refused> {
        let epoch = number(headers, EPOCH)?;
        match self
            .node
            .get(key, epoch, Instant::now())
            .map_err(Refused::Node)?
        {
            Lookup::Hit(value) => {
                let mut response = Response::new(body::full(value.content));
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, value.content_type);
                Ok(response)
            }
            Lookup::Miss(lease) => {
                let mut response = reply::empty(StatusCode::NOT_FOUND);
                response.headers_mut().insert(LEASE, lease.into());
                Ok(response)
            }
        }
    }

    async fn fill(
        &self,
        key: &str,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Response<Body>, Refused> {
        let epoch = number(headers, EPOCH)?;
        let lease = number(headers, LEASE)?;
        let capacity = self.node.configuration().capacity;
        if body
            .announced()
            .is_some_and(|length| length > capacity && length <= VALUE_LIMIT)
        {
            return Ok(not_stored());
        }
        let content = read_value(body).await?;
        let content_type = headers
            .get(header::CONTENT_TYPE)
            .cloned()
            .unwrap_or(UNKNOWN_TYPE);
        let value = Value {
            content,
            content_type,
        };
        match self
            .node
            .fill(key, epoch, lease, value, Instant::now())
            .map_err(Refused::Node)?
        {
            Fill::Stored => Ok(done()),
            Fill::TooLarge => Ok(not_stored()),
            Fill::Void => Err(Refused::LeaseVoid),
        }
    }

    fn invalidate(&self, key: &str, headers: &HeaderMap) -> Result<Response<Body>, Refused> {
        let epoch = number(headers, EPOCH)?;
        self.node
            .invalidate(key, epoch, Instant::now())
            .map_err(Refused::Node)?;
        Ok(done())
    }

    async fn adopt(&self, body: Incoming) -> Result<Response<Body>, Refused> {
        let place: Place = order(body).await?;
        match self.node.adopt(place, Instant::now()) {
            Ok(()) => Ok(done()),
            Err(TableError::Old { own }) => Err(Refused::Node(Refusal::Epoch(own))),
            Err(error @ TableError::Place) => Err(Refused::Order(error.to_string())),
        }
    }

    async fn configure(&self, body: Incoming) -> Result<Response<Body>, Refused> {
        let configuration: Configuration = order(body).await?;
        self.node.configure(configuration);
        tracing::info!(capacity = configuration.capacity, policy = ?configuration.policy, "configured");
        Ok(done())
    }

    fn clear(&self) -> Response<Body> {
        self.node.clear();
        tracing::info!("cleared");
        done()
    }

    fn statistics(&self) -> Response<Body> {
        reply::json(StatusCode::OK, &self.node.statistics(Instant::now()))
    }
}

/// The newest lines of the log, one JSON object each.
fn log() -> Response<Body> {
    let lines = body::full(kit::logging::tail().text());
    reply::with_type(StatusCode::OK, "application/x-ndjson", lines)
}

fn done() -> Response<Body> {
    reply::empty(StatusCode::NO_CONTENT)
}

fn not_stored() -> Response<Body> {
    let mut response = done();
    response
        .headers_mut()
        .insert(STORED, HeaderValue::from_static("no"));
    response
}

/// Why a request is not done.
enum Refused {
    Token,
    Path,
    Method(&'static str),
    Key,
    Header(HeaderName),
    Order(String),
    Body(ReadError),
    LeaseVoid,
    Node(Refusal),
}

impl From<ReadError> for Refused {
    fn from(error: ReadError) -> Self {
        Self::Body(error)
    }
}

impl Refused {
    fn reply(self) -> Response<Body> {
        let bad = |what: &str| reply::error(StatusCode::BAD_REQUEST, what);
        match self {
            Self::Token => reply::error(
                StatusCode::UNAUTHORIZED,
                "this needs the deployment's internal token",
            ),
            Self::Path => reply::error(StatusCode::NOT_FOUND, "no such path"),
            Self::Method(allow) => reply::method_not_allowed("/", allow),
            Self::Key => bad("a key is 1 to 255 bytes of percent-encoded UTF-8 without U+0000"),
            Self::Header(name) => bad(&format!(
                "the header {name} is missing or not a whole number"
            )),
            Self::Order(what) => bad(&what),
            Self::Body(error) => error.reply("/"),
            Self::LeaseVoid => reply::error(StatusCode::CONFLICT, "lease-void"),
            Self::Node(Refusal::NoLease) => reply::error(StatusCode::SERVICE_UNAVAILABLE, "lease"),
            Self::Node(Refusal::Epoch(own)) => other_epoch(own),
            Self::Node(Refusal::NotOwner) => reply::error(StatusCode::MISDIRECTED_REQUEST, "owner"),
        }
    }
}

fn other_epoch(own: u64) -> Response<Body> {
    let mut response = reply::error(StatusCode::CONFLICT, "epoch");
    response.headers_mut().insert(EPOCH, own.into());
    response
}

/// A header that holds a whole number.
fn number(headers: &HeaderMap, name: HeaderName) -> Result<u64, Refused> {
    headers
        .get(&name)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .ok_or(Refused::Header(name))
}

async fn order<T: DeserializeOwned>(body: Incoming) -> Result<T, Refused> {
    let text = body::read_limited(body, ORDER_LIMIT).await?;
    serde_json::from_slice(&text).map_err(|error| Refused::Order(format!("the body: {error}")))
}

/// Reads a value into memory of exactly its size: what arrives in the connection's buffers would
/// hold on to more than the entry weighs.
async fn read_value(mut body: Incoming) -> Result<Bytes, ReadError> {
    let too_long = ReadError::TooLong { limit: VALUE_LIMIT };
    let announced = body.announced().unwrap_or(0);
    if announced > VALUE_LIMIT {
        return Err(too_long);
    }
    let mut value = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else {
            continue;
        };
        if (value.len() + piece.len()) as u64 > VALUE_LIMIT {
            return Err(too_long);
        }
        value.extend_from_slice(&piece);
    }
    Ok(value.into_boxed_slice().into())
}
