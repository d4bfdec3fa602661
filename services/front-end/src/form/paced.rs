//! A body handed to the multipart parser in measured portions: the parser reads for as long as
//! bytes are ready and keeps in memory whatever it has not made sense of yet.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use http_body::Body;

/// After how many bytes of a part's content the parser is made to hand them out.
const PORTION: u64 = 64 * 1024;

/// How many bytes may come before the headers of the next part are whole.
const HEADERS: u64 = 32 * 1024;

/// How much more of the body may be read.
#[derive(Clone)]
pub(super) struct Allowance {
    body: Arc<AtomicU64>,
    headers: Arc<AtomicU64>,
}

impl Allowance {
    pub(super) fn new(body: u64) -> Self {
        Self {
            body: Arc::new(AtomicU64::new(body)),
            headers: Arc::new(AtomicU64::new(HEADERS)),
        }
    }

    /// The parser looks for a part's headers now.
    pub(super) fn for_headers(&self) {
        self.headers.store(HEADERS, Ordering::Relaxed);
    }

    /// The parser hands out a part's content now.
    pub(super) fn for_content(&self) {
        self.headers.store(u64::MAX, Ordering::Relaxed);
    }

    /// After how many bytes the parser is made to look at what it has: while it looks for headers,
    /// after every piece, for they may be whole.
    fn portion(&self) -> u64 {
        if self.headers.load(Ordering::Relaxed) == u64::MAX {
            PORTION
        } else {
            1
        }
    }

    fn take(&self, bytes: u64) -> Result<(), Exceeded> {
        let headers = self.headers.load(Ordering::Relaxed);
        if headers == 0 {
            return Err(Exceeded::Headers);
        }
        if headers != u64::MAX {
            self.headers
                .store(headers.saturating_sub(bytes), Ordering::Relaxed);
        }
        let body = self.body.load(Ordering::Relaxed);
        let left = body.checked_sub(bytes).ok_or(Exceeded::Body)?;
        self.body.store(left, Ordering::Relaxed);
        Ok(())
    }
}

/// Which allowance is used up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Exceeded {
    #[error("the body is too large")]
    Body,
    #[error("the headers of a part are too large")]
    Headers,
}

/// See the module.
pub(super) struct Paced<'a, B> {
    body: &'a mut B,
    allowance: Allowance,
    since_pause: u64,
}

impl<'a, B> Paced<'a, B> {
    pub(super) fn new(body: &'a mut B, allowance: Allowance) -> Self {
        Self {
            body,
            allowance,
            since_pause: 0,
        }
    }
}

impl<B> Stream for Paced<'_, B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.since_pause >= self.allowance.portion() {
            self.since_pause = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            let frame = match Pin::new(&mut *self.body).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            let Ok(bytes) = frame.into_data() else {
                continue; // trailers
            };
            self.since_pause += bytes.len() as u64;
            return Poll::Ready(Some(match self.allowance.take(bytes.len() as u64) {
                Ok(()) => Ok(bytes),
                Err(exceeded) => Err(exceeded.into()),
            }));
        }
    }
}
