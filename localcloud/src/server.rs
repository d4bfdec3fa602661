//! The one endpoint: requests to the service they are signed for.

pub(crate) mod dispatch;
mod own;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::{CONNECTION, EXPECT};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::cloud::Cloud;
use crate::connections::{self, Request};
use crate::faults;
use crate::record::Record;
use crate::wire::Response;

/// How long requests in flight may take once localcloud stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Accepts connections and answers their requests.
#[derive(Clone, Debug)]
pub struct Server {
    cloud: Arc<Cloud>,
    record: Option<Arc<Record>>,
}

impl Server {
    /// A server of that cloud.
    pub fn new(cloud: Arc<Cloud>) -> Self {
        Self {
            cloud,
            record: None,
        }
    }

    /// The same, which writes down what it is asked and what it answers, if there is a record.
    #[must_use]
    pub(crate) fn recording(self, record: Option<Record>) -> Self {
        let record = record.map(Arc::new);
        Self { record, ..self }
    }

    /// Serves until the cloud is told to stop, then finishes what is in flight.
    pub(crate) async fn serve(self, listener: TcpListener, slots: Arc<Semaphore>) {
        let stopping = self.cloud.context.stopping.clone();
        let answer = move |peer, request| self.clone().answer(peer, request);
        if !connections::serve(listener, slots, stopping, DRAIN, answer).await {
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

    /// Answers one request that came from `peer`. Whoever waits to be asked for a body and is refused
    /// does not send it; what comes next on such a connection would be taken for the body.
    pub async fn answer(self, peer: SocketAddr, request: Request) -> Response {
        let waits = request.headers().contains_key(EXPECT);
        let mut response = self.answered(peer, request).await;
        if waits && !response.status().is_success() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response
    }

    async fn answered(self, peer: SocketAddr, request: Request) -> Response {
        match &self.record {
            Some(record) if !own::is_for_us(&request) => {
                let answer = |request| faults::answer(&self.cloud, peer, request);
                record.keep(request, answer).await
            }
            _ => faults::answer(&self.cloud, peer, request).await,
        }
    }
}
