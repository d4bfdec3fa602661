//! What a node answers over HTTP.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::future::{BoxFuture, Either, Ready, ready};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use kit::body::{self, Body, Incoming, ReadError};
use kit::pool::{Clear, Configuration, EPOCH, HEIR_LIFE, LEASE, LIFE, Place, SEQUENCE, STORED};
use kit::reply;
use kit::token::Token;
use serde::de::DeserializeOwned;

use crate::cache::{Fill, Lookup, Value};
use crate::handover::Mark;
use crate::handover::incoming::Put;
use crate::handover::sending::Sender;
use crate::key;
use crate::node::{Invalidated, Node, Refusal, TableError};

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
    sender: Sender,
}

impl Handler {
    /// Answers those who know `token`.
    #[must_use]
    pub fn new(node: Arc<Node>, token: Token) -> Self {
        let sender = Sender::new(token.clone());
        Self {
            node,
            token,
            sender,
        }
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
                Method::DELETE => self.invalidate(&key, &head.headers).await,
                _ => Err(Refused::Method("GET, PUT, DELETE")),
            };
        }
        if let Some(rest) = path.strip_prefix("/handover/") {
            let (number, key) = handed_over(rest)?;
            return match head.method {
                Method::PUT => self.receive(number, &key, &head.headers, body).await,
                Method::DELETE => self.drop_received(number, &key, &head.headers),
                _ => Err(Refused::Method("PUT, DELETE")),
            };
        }
        match (path, &head.method) {
            ("/table", &Method::PUT) => self.adopt(body).await,
            ("/configuration", &Method::PUT) => self.configure(body).await,
            ("/clear", &Method::POST) => self.clear(body).await,
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
        let value = Value {
            content: read_value(body).await?,
            content_type: content_type(headers),
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

    /// Acknowledged only when the coming owner of the key, if there is one, has dropped it too.
    async fn invalidate(&self, key: &str, headers: &HeaderMap) -> Result<Response<Body>, Refused> {
        let epoch = number(headers, EPOCH)?;
        let invalidated = self
            .node
            .invalidate(key, epoch, Instant::now())
            .map_err(Refused::Node)?;
        if let Invalidated::PassOn(pass) = invalidated
            && let Err(error) = self.sender.pass(key, &pass).await
        {
            tracing::debug!(
                to = pass.to.instance,
                error = &error as &dyn std::error::Error,
                "an invalidation was not passed on"
            );
            return Err(Refused::HandOver);
        }
        Ok(done())
    }

    async fn receive(
        &self,
        number: u64,
        key: &str,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Response<Body>, Refused> {
        let mark = mark(headers)?;
        let value = Value {
            content: read_value(body).await?,
            content_type: content_type(headers),
        };
        let own_life = match headers.get(HEIR_LIFE) {
            Some(_) => Some(self::number(headers, HEIR_LIFE)?),
            None => None,
        };
        match self.node.receive(number, key, value, mark, own_life) {
            Put::Kept => Ok(done()),
            Put::OtherLife(own) => Err(Refused::OtherLife(own)),
            Put::Overtaken | Put::Closed => Err(Refused::NotWanted),
            Put::Full => Err(Refused::Full),
        }
    }

    fn drop_received(
        &self,
        number: u64,
        key: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Refused> {
        self.node.drop_received(number, key, mark(headers)?);
        Ok(done())
    }

    async fn adopt(&self, body: Incoming) -> Result<Response<Body>, Refused> {
        let place: Place = order(body).await?;
        let adopted = match self.node.adopt(place, Instant::now()) {
            Ok(adopted) => adopted,
            Err(TableError::Old { own }) => return Err(Refused::Node(Refusal::Epoch(own))),
            Err(error @ TableError::Place) => return Err(Refused::Order(error.to_string())),
            Err(error @ TableError::Other { .. }) => return Err(Refused::Other(error.to_string())),
        };
        if let Some(number) = adopted.begun {
            self.sender.begin(&self.node, number);
        }
        Ok(match adopted.progress {
            Some(progress) => reply::json(StatusCode::OK, &progress),
            None => done(),
        })
    }

    async fn configure(&self, body: Incoming) -> Result<Response<Body>, Refused> {
        let configuration: Configuration = order(body).await?;
        self.node.configure(configuration);
        tracing::info!(capacity = configuration.capacity, policy = ?configuration.policy, "configured");
        Ok(done())
    }

    async fn clear(&self, body: Incoming) -> Result<Response<Body>, Refused> {
        let text = body::read_limited(body, ORDER_LIMIT).await?;
        let clear = if text.is_empty() {
            Clear::default()
        } else {
            parsed(&text)?
        };
        self.node.clear(clear.void_through);
        tracing::info!("cleared");
        Ok(done())
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
    /// The coming owner of the key has not dropped it yet.
    HandOver,
    NotWanted,
    OtherLife(u64),
    Full,
    Other(String),
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
            Self::HandOver => reply::error(StatusCode::SERVICE_UNAVAILABLE, "handover"),
            Self::NotWanted => reply::error(StatusCode::CONFLICT, "not-wanted"),
            Self::OtherLife(own) => other_life(own),
            Self::Full => reply::error(StatusCode::INSUFFICIENT_STORAGE, "full"),
            Self::Other(whose) => reply::error(StatusCode::MISDIRECTED_REQUEST, &whose),
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

fn other_life(own: u64) -> Response<Body> {
    let mut response = reply::error(StatusCode::PRECONDITION_FAILED, "life");
    response.headers_mut().insert(HEIR_LIFE, own.into());
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
    parsed(&body::read_limited(body, ORDER_LIMIT).await?)
}

fn parsed<T: DeserializeOwned>(text: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(text).map_err(|error| Refused::Order(format!("the body: {error}")))
}

/// The rest of `/handover/<number>/<key>`.
fn handed_over(rest: &str) -> Result<(u64, std::borrow::Cow<'_, str>), Refused> {
    let (number, written) = rest.split_once('/').ok_or(Refused::Path)?;
    let number = number.parse().map_err(|_| Refused::Path)?;
    let key = key::decode(written).ok_or(Refused::Key)?;
    Ok((number, key))
}

fn mark(headers: &HeaderMap) -> Result<Mark, Refused> {
    Ok(Mark {
        life: number(headers, LIFE)?,
        sequence: number(headers, SEQUENCE)?,
    })
}

fn content_type(headers: &HeaderMap) -> HeaderValue {
    let sent = headers.get(header::CONTENT_TYPE);
    sent.cloned().unwrap_or(UNKNOWN_TYPE)
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
