//! Bodies of requests and answers.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt, stream};
use http::{HeaderMap, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, StreamBody};

/// How much of a body that nobody wants is read, so that the sender gets to see the answer.
const DISCARD_BYTES: u64 = 256 * 1024 * 1024;
/// For how long it is read.
const DISCARD_TIME: Duration = Duration::from_secs(30);

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type BoxBody = Pin<Box<dyn HttpBody<Data = Bytes, Error = BoxError> + Send>>;
type Ended = Box<dyn FnOnce(u64, bool) + Send>;
type Busy = crate::server::pulse::Busy;

/// The body of an answer (and of a request of [`crate::client`]). Whole bodies are handed to the
/// connection without being copied.
pub struct Body {
    inner: Inner,
    sent: u64,
    complete: bool,
    ended: Option<Ended>,
    busy: Option<Busy>,
    lasting: bool,
}

enum Inner {
    Full(Option<Bytes>),
    Stream(BoxBody),
}

/// No body.
#[must_use]
pub fn empty() -> Body {
    Body::new(Inner::Full(None))
}

/// A body that is all there. `Bytes` and static text are not copied.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    let bytes = bytes.into();
    Body::new(Inner::Full((!bytes.is_empty()).then_some(bytes)))
}

/// A body that comes in pieces. An error ends the connection, so that the reader sees it as cut off.
pub fn stream<S, E>(pieces: S) -> Body
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    let frames = pieces.map_ok(Frame::data).map_err(Into::into);
    Body::new(Inner::Stream(Box::pin(StreamBody::new(frames))))
}

/// A body that comes in pieces with long silences between them, for as long as somebody listens: the
/// server does not take silence for a stall as long as something comes within its
/// [`stall`](crate::server::Limits::stall), ends it as soon as the client has closed the connection,
/// and waits for its end when it is asked to stop.
pub fn lasting<S, E>(pieces: S) -> Body
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    let mut body = stream(pieces);
    body.lasting = true;
    body
}

impl Body {
    fn new(inner: Inner) -> Self {
        Self {
            inner,
            sent: 0,
            complete: false,
            ended: None,
            busy: None,
            lasting: false,
        }
    }

    /// How many bytes it has, if that is known.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.size_hint().exact()
    }

    /// Ends the request in work when the body is done with.
    pub(crate) fn hold(&mut self, busy: Busy) {
        if self.lasting {
            busy.last();
        }
        self.busy = Some(busy);
    }

    /// Calls `ended` with the bytes sent and whether that was all, when the body is done with.
    pub(crate) fn on_end(&mut self, ended: impl FnOnce(u64, bool) + Send + 'static) {
        self.ended = Some(Box::new(ended));
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            ended(self.sent, self.complete);
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Body")
            .field("length", &self.length())
            .finish_non_exhaustive()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match &mut self.inner {
            Inner::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Stream(stream) => stream.as_mut().poll_frame(context),
        };
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                self.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Poll::Ready(None) => self.complete = true,
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Full(bytes) => bytes.is_none(),
            Inner::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Inner::Stream(stream) => stream.size_hint(),
        }
    }
}

/// Whether the client of a request waits for `100 Continue` before it sends the body.
pub(crate) fn waits_for_continue(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// The body of a request. Dropped before its end, it goes on reading a bounded rest and throws it
/// away: a client that is still sending then gets the answer instead of a reset, and the connection
/// stays usable. Of a client that waits for `100 Continue` nothing is read unless asked for.
#[derive(Debug)]
pub struct Incoming {
    inner: Option<hyper::body::Incoming>,
    waits_for_continue: bool,
}

impl Incoming {
    pub(crate) fn new(inner: hyper::body::Incoming, waits_for_continue: bool) -> Self {
        Self {
            inner: Some(inner),
            waits_for_continue,
        }
    }

    /// The length that the client announced, if it did.
    #[must_use]
    pub fn announced(&self) -> Option<u64> {
        self.size_hint().exact()
    }
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.waits_for_continue = false;
        match &mut self.inner {
            Some(inner) => Pin::new(inner).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let Some(rest) = self.inner.take() else {
            return;
        };
        if rest.is_end_stream() || self.waits_for_continue {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(DISCARD_TIME, discard(rest)));
        }
    }
}

async fn discard(mut rest: hyper::body::Incoming) {
    let mut read = 0;
    while let Some(Ok(frame)) = rest.frame().await {
        read += frame.data_ref().map_or(0, |data| data.len() as u64);
        if read > DISCARD_BYTES {
            return;
        }
    }
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is longer than is taken here.
    #[error("the body is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// It ended early, or is not what HTTP calls a body.
    #[error("the body could not be read to its end")]
    Broken(#[from] hyper::Error),
}

impl ReadError {
    /// 413 or 400.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The answer to it, in the shape of `path` (see [`crate::reply::failure_at`]).
    #[must_use]
    pub fn reply(&self, path: &str) -> Response<Body> {
        crate::reply::failure_at(path, self.status(), &self.to_string())
    }
}

/// Reads a body of at most `limit` bytes. A body in one piece is not copied.
///
/// # Errors
/// When it is longer (at once if the client announced so), or cut off.
pub async fn read_limited(mut body: Incoming, limit: u64) -> Result<Bytes, ReadError> {
    let announced = body.announced();
    if announced.is_some_and(|length| length > limit) {
        return Err(ReadError::TooLong { limit });
    }
    let Some(first) = next_piece(&mut body).await? else {
        return Ok(Bytes::new());
    };
    let length = first.len() as u64;
    if length > limit {
        return Err(ReadError::TooLong { limit });
    }
    if Some(length) == announced {
        return Ok(first);
    }
    // The announced length is only reserved as far as bytes have shown up to fill it.
    let expected = announced
        .unwrap_or(0)
        .min(1024 * 1024)
        .max(length * 2)
        .min(limit);
    let mut whole = BytesMut::with_capacity(usize::try_from(expected).unwrap_or(0));
    whole.extend_from_slice(&first);
    while let Some(piece) = next_piece(&mut body).await? {
        if (whole.len() + piece.len()) as u64 > limit {
            return Err(ReadError::TooLong { limit });
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// The pieces of a body as they come (for `multer::Multipart::new`), ending with
/// [`ReadError::TooLong`] after `limit` bytes (at once if the client announced more).
pub fn limited(body: Incoming, limit: u64) -> impl Stream<Item = Result<Bytes, ReadError>> + Send {
    let announced_too_long = body.announced().is_some_and(|length| length > limit);
    let left = if announced_too_long {
        None
    } else {
        Some(limit)
    };
    stream::try_unfold((body, left), move |(mut body, left)| async move {
        let Some(left) = left else {
            return Err(ReadError::TooLong { limit });
        };
        let Some(piece) = next_piece(&mut body).await? else {
            return Ok(None);
        };
        let left = left
            .checked_sub(piece.len() as u64)
            .ok_or(ReadError::TooLong { limit })?;
        Ok(Some((piece, (body, Some(left)))))
    })
}

async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, ReadError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
