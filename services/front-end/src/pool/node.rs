//! The protocol of a cache node, from the front-end's side (docs/ARCHITECTURE.md).

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kit::body::{self, Body};
use kit::client::{Client, ClientError};
use kit::pool::{EPOCH, LEASE, Member};
use kit::token::{self, Token};

use crate::image::Kind;
use crate::key::Key;
use crate::photo::Photo;

/// A node answers a lookup from memory: past this it is as good as dead, and the bucket is quicker.
const LOOKUP_TIME: Duration = Duration::from_millis(400);
/// For the bytes of the largest photo to pass between two hosts of a zone.
const TRANSFER_TIME: Duration = Duration::from_secs(5);
/// An invalidation is tried again until it worked: each attempt may be short.
const INVALIDATE_TIME: Duration = Duration::from_millis(1500);

/// Calls to cache nodes.
pub(super) struct Nodes {
    http: Client,
    token: Token,
}

/// What a node has of a key.
pub(super) enum Found {
    Photo(Photo),
    /// Not there; a fill has to present this lease.
    Nothing(u64),
}

/// Why a node did not do as asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum NodeError {
    #[error("the node has the table of epoch {0}")]
    Epoch(u64),
    #[error("the node holds no lease from the manager, or is handing the key over")]
    NotServing,
    #[error("the lease of the fill is void")]
    LeaseVoid,
    #[error("the node cannot be reached")]
    Unreachable(#[source] ClientError),
    #[error("the node broke off its answer")]
    BrokenOff,
    #[error("the node answered {0}, which makes no sense here")]
    Unexpected(StatusCode),
}

impl From<ClientError> for NodeError {
    fn from(error: ClientError) -> Self {
        Self::Unreachable(error)
    }
}

impl Nodes {
    pub(super) fn new(token: &Token, http: &Client) -> Self {
        Self {
            http: http.clone(),
            token: token.clone(),
        }
    }

    pub(super) async fn get(
        &self,
        member: &Member,
        epoch: u64,
        key: &Key,
    ) -> Result<Found, NodeError> {
        let request = self.request(Method::GET, member, epoch, key, body::empty());
        let answer = self.http.open(request, LOOKUP_TIME).await?;
        match answer.status() {
            StatusCode::OK => {
                let kind = answer
                    .headers()
                    .get(CONTENT_TYPE)
                    .and_then(|value| value.to_str().ok());
                let kind = kind.map_or(Kind::Other, Kind::of_content_type);
                Ok(Found::Photo(Photo::new(
                    kind,
                    pieces(answer.into_body()).await?,
                )))
            }
            StatusCode::NOT_FOUND => {
                let lease = answer
                    .headers()
                    .get(&LEASE)
                    .and_then(|value| value.to_str().ok());
                let lease = lease.and_then(|text| text.parse().ok());
                lease
                    .map(Found::Nothing)
                    .ok_or(NodeError::Unexpected(StatusCode::NOT_FOUND))
            }
            status => Err(refused(status, answer.headers())),
        }
    }

    pub(super) async fn put(
        &self,
        member: &Member,
        epoch: u64,
        lease: u64,
        key: &Key,
        photo: &Photo,
    ) -> Result<(), NodeError> {
        let pieces: Vec<_> = photo
            .chunks()
            .iter()
            .map(|chunk| Ok::<_, std::convert::Infallible>(chunk.clone()))
            .collect();
        let mut request = self.request(
            Method::PUT,
            member,
            epoch,
            key,
            body::stream(stream::iter(pieces)),
        );
        let headers = request.headers_mut();
        headers.insert(&LEASE, lease.into());
        headers.insert(CONTENT_LENGTH, photo.length().into());
        headers.insert(
            CONTENT_TYPE,
            http::HeaderValue::from_static(photo.kind().content_type()),
        );
        let answer = self.http.send(request, TRANSFER_TIME).await?;
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(()),
            StatusCode::CONFLICT if own_epoch(answer.headers()).is_none() => {
                Err(NodeError::LeaseVoid)
            }
            status => Err(refused(status, answer.headers())),
        }
    }

    pub(super) async fn delete(
        &self,
        member: &Member,
        epoch: u64,
        key: &Key,
    ) -> Result<(), NodeError> {
        let request = self.request(Method::DELETE, member, epoch, key, body::empty());
        let answer = self.http.send(request, INVALIDATE_TIME).await?;
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(()),
            status => Err(refused(status, answer.headers())),
        }
    }

    fn request(
        &self,
        method: Method,
        member: &Member,
        epoch: u64,
        key: &Key,
        body: Body,
    ) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        // An address that is none ends as an error of the call.
        *request.uri_mut() = format!("http://{}/entries/{}", member.address, key.path_segment())
            .parse()
            .unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(&EPOCH, epoch.into());
        headers.insert(token::HEADER, self.token.header_value());
        request
    }
}

/// A node names its own epoch when it refuses ours; a void lease has no such header.
fn own_epoch(headers: &HeaderMap) -> Option<u64> {
    headers.get(&EPOCH)?.to_str().ok()?.parse().ok()
}

fn refused(status: StatusCode, headers: &HeaderMap) -> NodeError {
    match (status, own_epoch(headers)) {
        (StatusCode::CONFLICT, Some(own)) => NodeError::Epoch(own),
        (StatusCode::SERVICE_UNAVAILABLE, _) => NodeError::NotServing,
        (status, _) => NodeError::Unexpected(status),
    }
}

async fn pieces(mut body: Incoming) -> Result<Vec<Bytes>, NodeError> {
    let read = async {
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame.map_err(|_| NodeError::BrokenOff)?.into_data() {
                pieces.push(piece);
            }
        }
        Ok(pieces)
    };
    tokio::time::timeout(TRANSFER_TIME, read)
        .await
        .unwrap_or(Err(NodeError::BrokenOff))
}
