//! What hyper refuses by itself, before there is a request to hand on: it answers with a head alone.
//! Clients of the contract read JSON, so it is given a body on its way out, and the rest of what the
//! client sends is read: else the system would reset the connection and the answer with it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::Limits;
use super::pulse::Pulse;

/// How much is read after a refusal, and for how long.
const LINGER_BYTES: usize = 4 * 1024 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(2);

/// A stream on which hyper's refusals have a body.
pub(super) struct Refusing<S> {
    stream: S,
    pulse: Arc<Pulse>,
    limits: Limits,
    /// What is left to say of a refusal, and how many of hyper's bytes it stands for.
    saying: Option<(Bytes, usize)>,
    lingering: Option<(Pin<Box<Sleep>>, usize)>,
    refused: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Refusing<S> {
    pub(super) fn new(stream: S, pulse: Arc<Pulse>, limits: Limits) -> Self {
        Self {
            stream,
            pulse,
            limits,
            saying: None,
            lingering: None,
            refused: false,
        }
    }

    /// Before a write of hyper's, beginning with `head` and of `length` bytes: what is written when
    /// every request has been answered can only be a refusal.
    fn listen(&mut self, head: &[u8], length: usize) {
        if self.saying.is_some() || !self.pulse.is_answered() {
            return;
        }
        if let Some(status) = status(head) {
            self.refused = true;
            self.saying = Some((answer(status, &self.limits), length));
        }
    }

    /// Says what is to be said instead; ready with hyper's own count when all of it is out.
    fn poll_say(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<usize>>> {
        let Some((rest, length)) = &mut self.saying else {
            return Poll::Ready(None);
        };
        while rest.has_remaining() {
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest)) {
                Ok(0) => return Poll::Ready(Some(Err(io::ErrorKind::WriteZero.into()))),
                Ok(written) => rest.advance(written),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        let length = *length;
        self.saying = None;
        Poll::Ready(Some(Ok(length)))
    }

    /// Reads and forgets until the client is done, or has had its time.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (timer, left) = self
            .lingering
            .get_or_insert_with(|| (Box::pin(tokio::time::sleep(LINGER_TIME)), LINGER_BYTES));
        let mut space = [0; 8192];
        while *left > 0 {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    *left = left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return timer.as_mut().poll(context),
            }
        }
        Poll::Ready(())
    }
}

/// The status of the answer whose head this is, if it refuses.
fn status(head: &[u8]) -> Option<StatusCode> {
    let digits = head.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    StatusCode::from_bytes(digits)
        .ok()
        .filter(StatusCode::is_client_error)
}

/// The whole answer, in the contract's shape: which path was meant cannot be known.
fn answer(status: StatusCode, limits: &Limits) -> Bytes {
    let message = match status {
        StatusCode::URI_TOO_LONG => "the address is too long; send at most 65,534 bytes".to_owned(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => format!(
            "the request's head is too large; send at most {} headers and {} bytes",
            limits.headers, limits.head_bytes
        ),
        _ => "this is not an HTTP/1.1 request; its first line or one of its headers is malformed"
            .to_owned(),
    };
    let text = crate::reply::failure_text(status, &message);
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-content-type-options: nosniff\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
    .into()
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Refusing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Refusing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.listen(bytes, bytes.len());
        match ready!(self.poll_say(context)) {
            Some(said) => Poll::Ready(said),
            None => Pin::new(&mut self.stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let head = pieces.iter().find(|piece| !piece.is_empty());
        let length = pieces.iter().map(|piece| piece.len()).sum();
        self.listen(head.map_or(&[], |head| head), length);
        match ready!(self.poll_say(context)) {
            Some(said) => Poll::Ready(said),
            None => Pin::new(&mut self.stream).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.pulse.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = ready!(Pin::new(&mut self.stream).poll_shutdown(context));
        if self.refused && done.is_ok() {
            ready!(self.poll_linger(context));
        }
        Poll::Ready(done)
    }
}
