//! An object's bytes on their way out: read in pieces, each on a thread that may block.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream;
use s3s::StdError;
use s3s::dto::StreamingBlob;
use s3s::stream::{ByteStream, RemainingLength};
use tokio::task::JoinHandle;

const PIECE: u64 = 256 * 1024;

/// A stretch of a file as a stream.
pub(crate) struct Content {
    file: Arc<File>,
    from: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Content {
    /// The bytes `range` of the file, which must be there.
    pub(crate) fn of(file: File, range: std::ops::Range<u64>) -> StreamingBlob {
        let left = range.end - range.start;
        StreamingBlob::new(Self {
            file: Arc::new(file),
            from: range.start,
            left,
            reading: None,
        })
    }

    fn read(&self) -> JoinHandle<io::Result<Bytes>> {
        let file = Arc::clone(&self.file);
        let from = self.from;
        let length = usize::try_from(self.left.min(PIECE)).unwrap_or(0);
        tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; length];
            file.read_exact_at(&mut piece, from)?;
            Ok(Bytes::from(piece))
        })
    }
}

impl Stream for Content {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => self.read(),
        };
        let read = match Pin::new(&mut reading).poll(context) {
            Poll::Pending => {
                self.reading = Some(reading);
                return Poll::Pending;
            }
            ready => ready,
        };
        let piece = match ready!(read).map_err(io::Error::from).flatten() {
            Ok(piece) => piece,
            Err(failure) => {
                self.left = 0;
                return Poll::Ready(Some(Err(failure.into())));
            }
        };
        self.from += piece.len() as u64;
        self.left -= piece.len() as u64;
        if self.left > 0 {
            self.reading = Some(self.read());
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

impl ByteStream for Content {
    fn remaining_length(&self) -> RemainingLength {
        usize::try_from(self.left)
            .map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}
