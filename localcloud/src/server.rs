//! The one endpoint: connections in, requests to the service they are signed for.

mod dispatch;
mod own;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};

use crate::cloud::Cloud;
use crate::wire::Response;

/// How long a connection may take to send a request's head, idle time included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(300);
/// How long requests in flight may take once localcloud stops.
const DRAIN: Duration = Duration::from_secs(2);

/// A request as it arrives.
pub type Request = http::Request<Incoming>;

/// Accepts connections and answers their requests.
#[derive(Debug)]
pub struct Server {
    cloud: Arc<Cloud>,
}

impl Server {
    /// A server of that cloud.
    pub fn new(cloud: Arc<Cloud>) -> Self {
        Self { cloud }
    }

    /// Serves until the cloud is told to stop, then finishes what is in flight.
    pub async fn serve(self, listener: TcpListener) {
        let stopping = self.cloud.context.stopping.clone();
        let connections = GracefulShutdown::new();
        loop {
            tokio::select! {
                () = stopping.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.answer(stream, peer, &connections),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        drop(listener);
        if tokio::time::timeout(DRAIN, connections.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("requests were cut off after {} s", DRAIN.as_secs());
        }
    }

    fn answer(&self, stream: TcpStream, peer: SocketAddr, connections: &GracefulShutdown) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::warn!(%error, "cannot set TCP_NODELAY");
        }
        let cloud = Arc::clone(&self.cloud);
        let service = service_fn(move |request: Request| {
            let cloud = Arc::clone(&cloud);
            async move { Ok::<Response, Infallible>(dispatch::answer(&cloud, peer, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended badly");
            }
        });
    }
}
