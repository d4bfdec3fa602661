//! The one endpoint: requests to the service they are signed for.

mod dispatch;
mod own;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

use crate::cloud::Cloud;
use crate::connections::{self, Request};
use crate::wire::Response;

/// How long requests in flight may take once localcloud stops.
const DRAIN: Duration = Duration::from_secs(2);

/// Accepts connections and answers their requests.
#[derive(Clone, Debug)]
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
        let answer = move |peer, request| self.clone().answer(peer, request);
        if !connections::serve(listener, stopping, DRAIN, answer).await {
            tracing::warn!("requests were cut off after {} s", DRAIN.as_secs());
        }
    }

    /// Answers the requests of one connection, whatever it is made of, until it ends.
    pub async fn converse(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
    ) {
        let answer = |peer, request| self.clone().answer(peer, request);
        connections::converse(stream, peer, answer, None).await;
    }

    /// Answers one request that came from `peer`.
    pub async fn answer(self, peer: SocketAddr, request: Request) -> Response {
        dispatch::answer(&self.cloud, peer, request).await
    }
}
