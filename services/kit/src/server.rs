//! The accept loop of every service: HTTP/1.1, limits, request ids, logs, metrics, health, drain.

mod answer;
mod stall;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body::{Body, Incoming};
use crate::health::Health;
use crate::metrics::{Gauge, Registry};
use answer::Answering;
use stall::Stall;

/// What a client may ask of a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
    /// Header lines of a request; more are answered 431.
    pub headers: usize,
    /// Bytes of a request's head, and of what is read ahead of a body.
    pub head_bytes: usize,
    /// Time to send a request's head; an idle connection is closed after it too.
    pub head: Duration,
    /// Time in which nothing at all moves on a connection before it is closed: a body that stops
    /// coming, an answer that nobody reads. Longer than any long poll.
    pub stall: Duration,
    /// Time for requests in flight to end once the server is asked to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            headers: 100,
            head_bytes: 128 * 1024,
            head: Duration::from_secs(10),
            stall: Duration::from_secs(60),
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

    /// Serves until `shutdown`, then lets the requests in flight end, within a deadline, and says
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
        } = self;
        let connections = Connections {
            answering: Arc::new(Answering::new(handler, health.clone(), &metrics, access)),
            http: builder(&limits),
            stall: limits.stall,
            open: metrics.gauge("http_connections", "Open connections", &[]),
            tasks: TaskTracker::new(),
            stop: shutdown.clone(),
            cut: CancellationToken::new(),
        };
        let slots = Arc::new(Semaphore::new(limits.connections));
        while let Some((stream, slot)) = accept(&listener, &slots, &shutdown).await {
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
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(limits.headers)
        .max_buf_size(limits.head_bytes);
    http
}

/// The next connection that there is room for; `None` once asked to stop.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accepted = async {
        let slot = slots.clone().acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, slot)),
                Err(error) => {
                    // Out of file descriptors, or a connection that is gone already: accept(2).
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "accepting a connection"
                    );
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        accepted = accepted => accepted,
    }
}

struct Connections<H> {
    answering: Arc<Answering<H>>,
    http: http1::Builder,
    stall: Duration,
    open: Gauge,
    tasks: TaskTracker,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl<H, F> Connections<H>
where
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    fn start(&self, stream: TcpStream, slot: OwnedSemaphorePermit) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "a connection is gone already"
            );
            return;
        }
        let answering = self.answering.clone();
        let service = hyper::service::service_fn(move |request| answering.clone().answer(request));
        let io = TokioIo::new(Stall::new(stream, self.stall));
        let connection = self.http.serve_connection(io, service);
        let (stop, cut, open) = (self.stop.clone(), self.cut.clone(), self.open.clone());
        self.tasks.spawn(async move {
            let _slot = slot;
            open.add(1);
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => Some(ended),
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
        });
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
