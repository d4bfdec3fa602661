//! A connection that ends when nothing moves on it, or next to nothing, and when no request comes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::Limits;
use super::pulse::Pulse;

/// A stream whose reads and writes fail once they have, while a request is in work, not moved `pace`
/// bytes for `limit`, or once no head was whole for the time that a head may take. hyper could watch
/// over the heads too, with a new timer for each; this one is set anew only when it fires.
pub(super) struct Stall {
    stream: TcpStream,
    pulse: Arc<Pulse>,
    limit: Duration,
    pace: usize,
    head: Duration,
    /// Since when all requests are answered, and how many had come by then.
    idle: (Instant, u64),
    /// When the pace was last kept, and how many bytes have moved since.
    moved: Instant,
    bytes: usize,
    timer: Pin<Box<Sleep>>,
}

impl Stall {
    pub(super) fn new(stream: TcpStream, pulse: Arc<Pulse>, limits: &Limits) -> Self {
        let moved = Instant::now();
        let Limits {
            head, stall, pace, ..
        } = *limits;
        Self {
            stream,
            pulse,
            limit: stall,
            pace,
            head,
            idle: (moved, 0),
            moved,
            bytes: 0,
            timer: Box::pin(tokio::time::sleep_until(moved + head)),
        }
    }

    /// Called when the stream has nothing for us: ready when that has been so for too long.
    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            let deadline = self.deadline();
            if deadline < self.timer.deadline() {
                self.timer.as_mut().reset(deadline);
            }
            ready!(self.timer.as_mut().poll(context));
            if deadline <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(deadline);
        }
    }

    fn deadline(&mut self) -> Instant {
        if !self.pulse.is_answered() {
            return self.moved + self.limit;
        }
        let requests = self.pulse.requests();
        if self.idle.1 != requests {
            self.idle = (Instant::now(), requests);
        }
        self.idle.0 + self.head
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
        // Between requests, how long a head may take is not ours to judge; and an answer that lasts
        // has little to say, but whoever reads it takes that little.
        if self.bytes >= self.pace || !self.pulse.is_busy() || self.pulse.is_lasting() {
            self.moved = Instant::now();
            self.bytes = 0;
            self.pulse.moved(self.moved);
        }
        Poll::Ready(outcome)
    }

    /// Ready when the client of an answer that lasts has gone. hyper does not read during an answer,
    /// and the first write to a client that has gone succeeds.
    fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        match self.stream.poll_peek(context, &mut ReadBuf::new(&mut [0])) {
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
        }
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
        let this = self.get_mut();
        if this.pulse.is_lasting() && this.poll_gone(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
