//! A body that is waited for, but not for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// A body that fails once nothing has come of it for `pause`.
pub(super) struct Patient<B> {
    body: B,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<B> Patient<B> {
    pub(super) fn new(body: B, pause: Duration) -> Self {
        Self {
            body,
            pause,
            waiting: None,
        }
    }
}

impl<B> Body for Patient<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
        }
        let until = Instant::now() + this.pause;
        let waiting = this
            .waiting
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        waiting
            .as_mut()
            .poll(context)
            .map(|()| Some(Err(io::ErrorKind::TimedOut.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures::StreamExt as _;
    use http_body_util::{BodyExt as _, StreamBody};
    use std::convert::Infallible;

    #[tokio::test]
    async fn a_body_is_read_to_its_end_and_one_that_stops_is_given_up() {
        let pieces = || {
            futures::stream::iter(["a", "b"]).then(|text| async move {
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(Frame::data(Bytes::from(text)))
            })
        };
        let body = StreamBody::new(Box::pin(pieces()));
        let read = Patient::new(body, Duration::from_secs(60)).collect().await;
        assert_eq!(read.unwrap().to_bytes(), "ab");
        let stopped = pieces().chain(futures::stream::pending());
        let body = StreamBody::new(Box::pin(stopped));
        let read = Patient::new(body, Duration::from_millis(1)).collect().await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
