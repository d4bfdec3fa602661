//! Server-Sent Events: a page is told of what changes while somebody looks at it
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::body::{self, Body};
use crate::reply;

/// How long the stream may be silent before a comment is sent: well below what routers between
/// forget a connection after, and what [`crate::server::Limits`] take for a stall.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Those who listen to one thing: a bounded number, until the service stops.
#[derive(Debug, Clone)]
pub struct Listeners {
    places: Arc<Semaphore>,
    stop: CancellationToken,
    heartbeat: Duration,
}

impl Listeners {
    /// Room for `most` at a time, until `stop`.
    #[must_use]
    pub fn new(most: usize, stop: CancellationToken) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most)),
            stop,
            heartbeat: HEARTBEAT,
        }
    }

    /// With a comment after another time of silence.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: Duration) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// An answer that sends each of `states` as an event; 503 when all places are taken. The next
    /// state is asked for only when the one before is sent, so that a slow listener makes nobody
    /// wait and nothing pile up.
    #[must_use]
    pub fn answer<S>(&self, states: S) -> Response<Body>
    where
        S: Stream<Item = String> + Send + 'static,
    {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return full();
        };
        let listening = Listening {
            states: Box::pin(states),
            stop: self.stop.clone(),
            heartbeat: self.heartbeat,
            _place: place,
        };
        let pieces = stream::unfold(listening, |mut listening| async move {
            let piece = listening.next().await?;
            Some((Ok::<_, Infallible>(piece), listening))
        });
        let mut response =
            reply::with_type(StatusCode::OK, "text/event-stream", body::lasting(pieces));
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

fn full() -> Response<Body> {
    let mut response = reply::error(
        StatusCode::SERVICE_UNAVAILABLE,
        "too many listen already; ask again in a minute",
    );
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    response
}

/// One who listens.
struct Listening {
    states: Pin<Box<dyn Stream<Item = String> + Send>>,
    stop: CancellationToken,
    heartbeat: Duration,
    _place: OwnedSemaphorePermit,
}

impl Listening {
    /// What is sent next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            state = self.states.next() => state.map(|state| event(&state)),
            () = tokio::time::sleep(self.heartbeat) => Some(Bytes::from_static(b":\n\n")),
        }
    }
}

/// An event with this data. A line break in it, whichever of the three that the format knows, begins
/// another line of data, so that no data can be taken for a field or for another event.
fn event(data: &str) -> Bytes {
    let mut text = String::with_capacity(data.len() + 8);
    for line in data.replace("\r\n", "\n").split(['\r', '\n']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use http_body_util::BodyExt;

    use super::*;

    async fn heard(response: Response<Body>) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn states_are_events_whatever_is_in_them() {
        let listeners = Listeners::new(1, CancellationToken::new());
        let states = ["4 nodes", "", "a\nid: 7\r\n\r\ndata: b\rc"].map(str::to_owned);
        let response = listeners.answer(stream::iter(states));
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/event-stream"
        );
        assert_eq!(
            heard(response).await,
            "data: 4 nodes\n\ndata: \n\n\
             data: a\ndata: id: 7\ndata: \ndata: data: b\ndata: c\n\n"
        );
    }

    #[tokio::test]
    async fn a_silence_is_filled_with_comments_until_the_stop() {
        let stop = CancellationToken::new();
        let listeners = Listeners::new(1, stop.clone()).heartbeat(Duration::from_millis(1));
        let mut body = listeners.answer(stream::pending()).into_body();
        for _ in 0..3 {
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), ":\n\n");
        }
        stop.cancel();
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn there_is_room_again_when_a_listener_leaves() {
        let listeners = Listeners::new(1, CancellationToken::new());
        let first = listeners.answer(stream::pending());
        let refused = listeners.answer(stream::pending());
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()[header::RETRY_AFTER], "60");
        drop(first);
        assert_eq!(listeners.answer(stream::pending()).status(), 200);
    }
}
