//! A connection that ends when nothing moves on it, or next to nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::pulse::Pulse;

/// A stream whose reads and writes fail once they have, while a request is in work, not moved `pace`
/// bytes for `limit`. The timer is set anew only when it fires, not for each byte.
pub(super) struct Stall {
    stream: TcpStream,
    pulse: Arc<Pulse>,
    limit: Duration,
    pace: usize,
    /// When the pace was last kept, and how many bytes have moved since.
    moved: Instant,
    bytes: usize,
    timer: Pin<Box<Sleep>>,
}

impl Stall {
    pub(super) fn new(stream: TcpStream, pulse: Arc<Pulse>, limit: Duration, pace: usize) -> Self {
        let moved = Instant::now();
        Self {
            stream,
            pulse,
            limit,
            pace,
            moved,
            bytes: 0,
            timer: Box::pin(tokio::time::sleep_until(moved + limit)),
        }
    }

    /// Called when the stream has nothing for us: ready when that has been so for too long.
    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let deadline = self.moved + self.limit;
            if deadline <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(deadline);
        }
    }

    /// `bytes` have moved, or else there is nothing for us.
    fn watched<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        let Poll::Ready(outcome) = outcome else {
            return self.poll_stalled(context).map(Err);
        };
        self.bytes += outcome.as_ref().map_or(0, bytes);
        // Between requests, how long a head may take is not ours to judge.
        if self.bytes >= self.pace || !self.pulse.is_busy() {
            self.moved = Instant::now();
            self.bytes = 0;
            self.pulse.moved(self.moved);
        }
        Poll::Ready(outcome)
    }
}

impl AsyncRead for Stall {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(context, buffer);
        this.watched(context, outcome, |()| buffer.filled().len() - before)
    }
}

impl AsyncWrite for Stall {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.watched(context, outcome, |written| *written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(context, pieces);
        this.watched(context, outcome, |written| *written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
