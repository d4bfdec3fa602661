//! Connections that wait for their next request, and the making of new ones.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::body::Body;

/// A host in the same zone answers in well under a millisecond; a dead one never does.
const CONNECT_TIME: Duration = Duration::from_millis(250);
/// Below the server's own limit, so that a connection is not used just as it is closed.
const IDLE_TIME: Duration = Duration::from_secs(8);

/// The connections of all hosts. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<Mutex<HashMap<String, Vec<Kept>>>>);

impl std::fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Connections")
            .finish_non_exhaustive()
    }
}

/// A connection that has been used; the one used last is at the end of its host's.
struct Kept {
    sender: SendRequest<Body>,
    since: Instant,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The system says so.
    #[error("no connection")]
    System(#[from] io::Error),
    /// Nobody says anything.
    #[error("no connection within {} ms", CONNECT_TIME.as_millis())]
    Time,
    /// HTTP could not be begun.
    #[error("no HTTP connection")]
    Http(#[from] hyper::Error),
}

impl Connections {
    /// A connection that is ready for a request, if there is one: the one that was used last.
    pub(super) fn take(&self, host: &str) -> Option<SendRequest<Body>> {
        let mut all = self.lock();
        let kept = all.get_mut(host)?;
        kept.retain(Kept::is_good);
        // One whose answer is still being read is not ready.
        let ready = kept.iter().rposition(|kept| kept.sender.is_ready())?;
        Some(kept.remove(ready).sender)
    }

    /// Keeps a connection for later; its last answer may still be on its way.
    pub(super) fn keep(&self, host: &str, sender: SendRequest<Body>) {
        let kept = Kept {
            sender,
            since: Instant::now(),
        };
        let mut all = self.lock();
        match all.get_mut(host) {
            Some(others) => others.push(kept),
            None => {
                all.insert(host.to_owned(), vec![kept]);
            }
        }
    }

    /// Makes a new connection to `host` (`address:port`), and forgets all that are no good any more.
    pub(super) async fn open(&self, host: &str) -> Result<SendRequest<Body>, ConnectError> {
        self.lock().retain(|_, kept| {
            kept.retain(Kept::is_good);
            !kept.is_empty()
        });
        let connecting = TcpStream::connect(host);
        let stream = tokio::time::timeout(CONNECT_TIME, connecting)
            .await
            .map_err(|_| ConnectError::Time)??;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with its sender, or when the other side closes it; whoever asks is told.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Kept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn is_good(&self) -> bool {
        !self.sender.is_closed() && self.since.elapsed() < IDLE_TIME
    }
}

/// A request as it goes over a connection to its host: the path alone, the host in a header (RFC 9112,
/// section 3.2.1).
pub(super) fn to_origin_form(request: &mut Request<Body>, host: &str) {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(http::Uri::default, http::Uri::from);
    if let Ok(host) = http::HeaderValue::from_str(host) {
        request.headers_mut().insert(http::header::HOST, host);
    }
}
