//! What the services need and nobody measures: a manager with a table of one node, a bucket that
//! remembers nothing, a CloudWatch that takes everything.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use kit::body::{self, Body, Incoming};
use kit::client::Client;
use kit::health::Health;
use kit::metrics::Registry;
use kit::pool::{LEASE, Member, Place, Table};
use kit::reply;
use kit::server::{Access, Server};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::SIZES;
use super::content::{content, key};
use super::errors::BenchError;

/// The services' token.
pub(super) const TOKEN: &str = "a-token-of-the-bench";
/// The epoch of the only table.
pub(super) const EPOCH: u64 = 1;

/// For how long the node may serve: longer than any bench.
const LEASE_TIME: Duration = Duration::from_secs(24 * 3600);
/// How long a poll for a newer table is kept waiting.
const POLL: Duration = Duration::from_secs(20);
const START: Duration = Duration::from_secs(30);
const CALL: Duration = Duration::from_secs(10);

/// See the module. It closes when dropped.
pub(super) struct Backstage {
    client: Client,
    node: SocketAddr,
    _stop: DropGuard,
}

impl Backstage {
    /// Listens at `address`, for the node at `node` and the front-end in front of it.
    pub(super) async fn open(address: SocketAddr, node: SocketAddr) -> Result<Self, BenchError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(BenchError::machine("listening"))?;
        let stop = CancellationToken::new();
        let server = Server::new(Health::new(), Registry::new()).access(Access::Failures);
        tokio::spawn(server.serve(listener, move |request| answer(node, request), stop.clone()));
        Ok(Self {
            client: Client::new(),
            node,
            _stop: stop.drop_guard(),
        })
    }

    /// Gives the node its place, and the content of every size.
    pub(super) async fn fill(&self) -> Result<(), BenchError> {
        let place = Place {
            epoch: EPOCH,
            position: 0,
            nodes: 1,
            lease_ms: LEASE_TIME.as_millis() as u64,
            ..Place::default()
        };
        let place = serde_json::to_vec(&place).unwrap_or_default();
        self.call("PUT", "/table", None, place.into(), StatusCode::NO_CONTENT)
            .await?;
        for size in SIZES {
            let path = format!("/entries/{}", key(size));
            let miss = self
                .call("GET", &path, None, Bytes::new(), StatusCode::NOT_FOUND)
                .await?;
            let lease = miss.headers().get(LEASE).cloned();
            self.call("PUT", &path, lease, content(size), StatusCode::NO_CONTENT)
                .await?;
        }
        Ok(())
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        lease: Option<HeaderValue>,
        body: Bytes,
        status: StatusCode,
    ) -> Result<Response<Bytes>, BenchError> {
        let mut request = Request::new(body::full(body));
        *request.method_mut() = method.parse().unwrap_or_default();
        *request.uri_mut() = format!("http://{}{path}", self.node)
            .parse()
            .unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(kit::token::HEADER, HeaderValue::from_static(TOKEN));
        headers.insert(kit::pool::EPOCH, EPOCH.into());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
        if let Some(lease) = lease {
            headers.insert(LEASE, lease);
        }
        let answer = self.send(self.node, request).await?;
        if answer.status() == status {
            return Ok(answer);
        }
        Err(BenchError::Wrong {
            server: "cache-node".to_owned(),
            asked: format!("{method} {path}"),
            came: answer.status().to_string(),
        })
    }

    async fn send(
        &self,
        host: SocketAddr,
        request: Request<Body>,
    ) -> Result<Response<Bytes>, BenchError> {
        let sent = self.client.send(request, CALL).await;
        sent.map_err(|error| BenchError::Exchange {
            host: host.to_string(),
            source: std::io::Error::other(error),
        })
    }

    /// Waits until the service at `address` has all it needs.
    pub(super) async fn until_ready(&self, address: SocketAddr) -> Result<(), BenchError> {
        let deadline = Instant::now() + START;
        loop {
            let mut request = Request::new(body::empty());
            *request.uri_mut() = format!("http://{address}/readyz")
                .parse()
                .unwrap_or_default();
            let answer = self.send(address, request).await?;
            if answer.status() == StatusCode::OK {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(BenchError::Wrong {
                    server: "front-end".to_owned(),
                    asked: "GET /readyz".to_owned(),
                    came: String::from_utf8_lossy(answer.body()).into_owned(),
                });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn answer(node: SocketAddr, request: Request<Incoming>) -> Response<Body> {
    if request.uri().path() == "/internal/table" {
        return table(node, request.uri().query()).await;
    }
    match *request.method() {
        Method::PUT => store(request).await,
        // CloudWatch's answer: an empty map in CBOR (RFC 8949), marked as Smithy's protocol has it.
        Method::POST => {
            let mut answer =
                reply::with_type(StatusCode::OK, "application/cbor", body::full(&b"\xa0"[..]));
            let protocol = HeaderValue::from_static("rpc-v2-cbor");
            answer.headers_mut().insert("smithy-protocol", protocol);
            answer
        }
        _ => reply::empty(StatusCode::OK),
    }
}

async fn table(node: SocketAddr, query: Option<&str>) -> Response<Body> {
    if query == Some(&format!("after={EPOCH}")) {
        tokio::time::sleep(POLL).await;
    }
    let member = Member {
        instance: "i-0123456789abcdef0".to_owned(),
        address: node.to_string(),
    };
    let table = Table {
        epoch: EPOCH,
        nodes: vec![Some(member)],
    };
    reply::json(StatusCode::OK, &table)
}

/// Takes an object, unless it has the length of a content and is not that content.
async fn store(request: Request<Incoming>) -> Response<Body> {
    let limit = 4 * SIZES[SIZES.len() - 1] as u64;
    let object = match body::read_limited(request.into_body(), limit).await {
        Ok(object) => object,
        Err(error) => return error.reply("/"),
    };
    if SIZES.contains(&object.len()) && !is_content(&object) {
        return reply::error(
            StatusCode::BAD_REQUEST,
            "these are not the bytes that were uploaded",
        );
    }
    let mut answer = reply::empty(StatusCode::OK);
    answer
        .headers_mut()
        .insert(ETAG, HeaderValue::from_static("\"0\""));
    answer
}

fn is_content(object: &Bytes) -> bool {
    static CONTENTS: std::sync::LazyLock<[Bytes; 4]> =
        std::sync::LazyLock::new(|| SIZES.map(content));
    CONTENTS.contains(object)
}
