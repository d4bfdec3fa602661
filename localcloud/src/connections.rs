//! Connections of the API and of the metadata services: how many there may be, how long one may
//! keep us waiting, and what becomes of them when the service ends.

mod patient;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::wire::{Response, full};
use patient::Patient;

/// The body of a request.
pub type RequestBody = UnsyncBoxBody<Bytes, io::Error>;

/// A request as it arrives.
pub type Request = http::Request<RequestBody>;

/// Connections at a time to one service; more wait to be accepted.
const MOST_CONNECTIONS: u32 = 1024;
/// Header lines of a request; more are answered 431.
const MOST_HEADERS: usize = 100;
/// Bytes of a request's head.
const LARGEST_HEAD: usize = 128 * 1024;
/// How long a connection may take to send a request's head, idle time included.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// How long nothing at all may come of a body that has not ended.
const BODY_PAUSE: Duration = Duration::from_secs(60);
/// How long to wait after the system has refused a connection: it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Marks the place of an answer in which the connection is closed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("closed without an answer")]
struct Closed;

/// In the place of an answer: the connection is closed.
pub(crate) fn closed() -> Response {
    let mut response = Response::new(full(Bytes::new()));
    response.extensions_mut().insert(Closed);
    response
}

/// Room for the connections of one service.
pub(crate) fn slots() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MOST_CONNECTIONS as usize))
}

/// Waits until all connections have ended. One slot is always held for the next.
pub(crate) async fn all_gone(slots: &Semaphore) {
    // It is never closed.
    let _ = slots.acquire_many(MOST_CONNECTIONS - 1).await;
}

/// Accepts connections and answers their requests until told to stop. Then requests in flight have
/// `drain` to end. False if some were cut off.
pub(crate) async fn serve<H, F>(
    listener: TcpListener,
    slots: Arc<Semaphore>,
    stop: CancellationToken,
    drain: Duration,
    answer: H,
) -> bool
where
    H: Fn(SocketAddr, Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let cut = CancellationToken::new();
    while let Some((stream, peer, slot)) = next(&listener, &slots, &stop).await {
        let (answer, watcher, cut) = (answer.clone(), graceful.watcher(), cut.clone());
        tokio::spawn(async move {
            let _slot = slot;
            tokio::select! {
                () = cut.cancelled() => {}
                () = converse(stream, peer, answer, Some(watcher)) => {}
            }
        });
    }
    drop(listener);
    let drained = tokio::time::timeout(drain, graceful.shutdown()).await;
    cut.cancel();
    drained.is_ok()
}

/// The next connection that there is room for; `None` once told to stop.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let accepted = async {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        let (stream, peer) = accept(listener).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection is gone already");
        }
        Some((stream, peer, slot))
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        accepted = accepted => accepted,
    }
}

/// The next connection, however long the system may refuse to give one.
pub(crate) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "cannot accept connections; trying again");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers the requests of one connection until it ends.
pub(crate) async fn converse<S, H, F>(
    stream: S,
    peer: SocketAddr,
    answer: H,
    watcher: Option<Watcher>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(SocketAddr, Request) -> F,
    F: Future<Output = Response>,
{
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let request = request.map(|body| Patient::new(body, BODY_PAUSE).boxed_unsync());
        let answer = answer(peer, request);
        async move {
            let answer = answer.await;
            match answer.extensions().get::<Closed>() {
                Some(closed) => Err(*closed),
                None => Ok(answer),
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .half_close(true)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let ended = match watcher {
        Some(watcher) => watcher.watch(connection).await,
        None => connection.await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}
