//! The accept loop of every service: HTTP/1.1, limits, request ids, logs, metrics, health, drain.

mod answer;
pub(crate) mod pulse;
mod refusal;
mod stall;

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderName;
use http::{Request, Response};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body::{Body, Incoming};
use crate::health::Health;
use crate::metrics::{Gauge, Registry};
use crate::threads::Threads;
use crate::token::Token;
use answer::Answering;
use pulse::{Open, Pulse};
use refusal::Refusing;
use stall::Stall;

/// How long to wait after the system has refused a connection: it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The header lines that hyper takes unless it is told otherwise.
const HYPERS_HEADERS: usize = 100;

/// What a client may ask of a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time. For one more, the one that has been without a request for the longest
    /// is closed; while all are busy, it waits.
    pub connections: usize,
    /// Header lines of a request; more are answered 431.
    pub headers: usize,
    /// Bytes of a request's head, and of what is read ahead of a body.
    pub head_bytes: usize,
    /// Time to send a request's head; an idle connection is closed after it too.
    pub head: Duration,
    /// Time in which fewer than `pace` bytes move while a request is in work before the connection is
    /// closed: a body that stops coming, an answer that nobody reads. Longer than any long poll.
    pub stall: Duration,
    /// The fewest bytes in `stall` of a body or an answer that is not all there; of an answer that
    /// lasts ([`crate::body::lasting`]) any byte will do.
    pub pace: usize,
    /// Time for requests in flight to end once the server is asked to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            headers: HYPERS_HEADERS,
            head_bytes: 128 * 1024,
            head: Duration::from_secs(10),
            stall: Duration::from_secs(60),
            pace: 64 * 1024,
            drain: Duration::from_secs(10),
        }
    }
}

/// Which requests get a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// All of them.
    All,
    /// Those answered with 5xx; the rest only if `RUST_LOG` asks for `debug`.
    Failures,
}

/// For whom a service of ours asks another: the address that its own request came from. Believed of
/// those only who know the deployment's token.
pub const CLIENT: HeaderName = HeaderName::from_static("x-bivouac-client");

/// The address a request came from, among its extensions if [`Server::tell_peers`] asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// All requests in flight were answered.
    Clean,
    /// So many connections were cut off at the deadline.
    Deadline {
        /// Connections that were cut off.
        cut: usize,
    },
}

/// A server before it starts. It answers `/healthz`, `/readyz` and `/metrics` itself.
pub struct Server {
    health: Health,
    metrics: Registry,
    limits: Limits,
    access: Access,
    tells_peers: bool,
    metrics_token: Option<Token>,
}

impl Server {
    /// A server with the usual limits that logs every request.
    #[must_use]
    pub fn new(health: Health, metrics: Registry) -> Self {
        Self {
            health,
            metrics,
            limits: Limits::default(),
            access: Access::All,
            tells_peers: false,
            metrics_token: None,
        }
    }

    /// With other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With other request logs.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Tells the handler who asks: requests carry their [`Peer`].
    #[must_use]
    pub fn tell_peers(mut self) -> Self {
        self.tells_peers = true;
        self
    }

    /// Answers `/metrics` to those who know the token only.
    #[must_use]
    pub fn metrics_for(mut self, token: Token) -> Self {
        self.metrics_token = Some(token);
        self
    }

    /// Serves until `shutdown`, on every thread of the service (see [`crate::threads`]), then lets the requests in flight end, within a deadline, and says
    /// which happened. A handler that panics is answered 500, in the contract's shape below `/api`.
    pub async fn serve<H, F>(
        self,
        listener: TcpListener,
        handler: H,
        shutdown: CancellationToken,
    ) -> Drained
    where
        H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let Self {
            health,
            metrics,
            limits,
            access,
            tells_peers,
            metrics_token,
        } = self;
        let answering = Answering::new(handler, health.clone(), &metrics, access);
        let connections = Connections {
            answering: Arc::new(answering.metrics_for(metrics_token)),
            tells_peers,
            http: builder(&limits),
            limits,
            all: Arc::default(),
            open: metrics.gauge("http_connections", "Open connections", &[]),
            tasks: TaskTracker::new(),
            stop: shutdown.clone(),
            cut: CancellationToken::new(),
            threads: Threads::current(),
        };
        let slots = Arc::new(Semaphore::new(limits.connections));
        while let Some((stream, slot)) =
            accept(&listener, &slots, &connections.all, &shutdown).await
        {
            connections.start(stream, slot);
        }
        drop(listener);
        health.drain();
        let drained = connections.drain(limits.drain).await;
        match drained {
            Drained::Clean => tracing::info!("stopped: every request was answered"),
            Drained::Deadline { cut } => {
                tracing::warn!(cut, "stopped: connections were cut off at the deadline");
            }
        }
        drained
    }
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.half_close(true).max_buf_size(limits.head_bytes);
    // For its own number hyper has room on the stack; for any other it allocates at each request.
    if limits.headers != HYPERS_HEADERS {
        http.max_headers(limits.headers);
    }
    http
}

/// The next connection, when there is room for it; `None` once asked to stop.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    all: &Open,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accepted = async {
        let mut quiet = false;
        let stream = loop {
            match listener.accept().await {
                Ok((stream, _)) => break stream,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if !std::mem::replace(&mut quiet, true) {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "cannot accept connections; trying again"
                        );
                    }
                    all.end_longest_idle();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        if slots.available_permits() == 0 {
            all.end_longest_idle();
        }
        let slot = slots.clone().acquire_owned().await.ok()?;
        Some((stream, slot))
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        accepted = accepted => accepted,
    }
}

struct Connections<H> {
    answering: Arc<Answering<H>>,
    tells_peers: bool,
    http: http1::Builder,
    limits: Limits,
    all: Arc<Open>,
    open: Gauge,
    tasks: TaskTracker,
    stop: CancellationToken,
    cut: CancellationToken,
    threads: Threads,
}

impl<H, F> Connections<H>
where
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    fn start(&self, stream: TcpStream, slot: OwnedSemaphorePermit) {
        let peer = self.tells_peers.then(|| stream.peer_addr().ok()).flatten();
        let given = stream
            .set_nodelay(true)
            .and_then(|()| self.threads.give(stream));
        let (thread, stream) = match given {
            Ok(given) => given,
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "a connection is gone already"
                );
                return;
            }
        };
        // Timers belong to the thread as the connection does.
        let _inside = thread.enter();
        let pulse = Pulse::new();
        let place = self.all.enter(pulse.clone());
        let (answering, requests) = (self.answering.clone(), pulse.clone());
        let service = hyper::service::service_fn(move |mut request: Request<_>| {
            if let Some(peer) = peer {
                request.extensions_mut().insert(Peer(peer.ip()));
            }
            answering.clone().answer(request, requests.begin())
        });
        let io = TokioIo::new(self.limited(stream, &pulse));
        let connection = self.http.serve_connection(io, service);
        let (stop, cut, open) = (self.stop.clone(), self.cut.clone(), self.open.clone());
        let serving = async move {
            let _held = (slot, place);
            open.add(1);
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => Some(ended),
                () = pulse.unwanted() => None,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection => Some(ended),
                        () = cut.cancelled() => None,
                    }
                }
            };
            open.add(-1);
            if let Some(Err(error)) = ended {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "a connection broke"
                );
            }
        };
        self.tasks.spawn_on(serving, thread);
    }

    /// The connection's bytes, within the limits.
    fn limited(&self, stream: TcpStream, pulse: &Arc<Pulse>) -> Refusing<Stall> {
        let stream = Stall::new(stream, pulse.clone(), &self.limits);
        Refusing::new(stream, pulse.clone(), self.limits)
    }

    async fn drain(self, deadline: Duration) -> Drained {
        self.tasks.close();
        if tokio::time::timeout(deadline, self.tasks.wait())
            .await
            .is_ok()
        {
            return Drained::Clean;
        }
        let cut = self.tasks.len();
        self.cut.cancel();
        self.tasks.wait().await;
        Drained::Deadline { cut }
    }
}
