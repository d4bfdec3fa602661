//! The asking side, as cheap as it can be made: requests are written beforehand, answers are measured
//! and thrown away.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::errors::BenchError;

/// What is read at a time.
const BUFFER: usize = 256 * 1024;
/// Header lines of an answer.
const HEADERS: usize = 32;

/// How answers are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.1 with a Content-Length.
    Http,
    /// memcached's text protocol: `VALUE <key> <flags> <bytes>`, the bytes, `END`.
    Memcached,
}

/// A request that is sent again and again, and the body that answers it.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) address: SocketAddr,
    pub(super) protocol: Protocol,
    pub(super) request: Bytes,
    pub(super) answer: Bytes,
}

/// How often a question was answered, and in what time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) requests: u64,
    pub(super) took: Duration,
}

impl Question {
    /// Asks once and compares the answer to the byte.
    pub(super) async fn check(&self, server: &str) -> Result<(), BenchError> {
        let came = async {
            let mut line = Line::connect(self).await?;
            line.ask(true).await?;
            Ok(line.body)
        };
        let came = came.await.map_err(|source| self.broken(source))?;
        if came == self.answer {
            return Ok(());
        }
        let text =
            |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        Err(BenchError::Wrong {
            server: server.to_owned(),
            asked: text(&self.request)
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
            came: text(&came),
        })
    }

    /// Asks over so many `connections` for so long; each sends its next request when it has its
    /// answer.
    pub(super) async fn ask(
        &self,
        connections: usize,
        time: Duration,
    ) -> Result<Asked, BenchError> {
        let asked = async {
            let lines = (0..connections).map(|_| Line::connect(self));
            let lines = try_join_all(lines).await?;
            let start = Instant::now();
            let counts = lines.into_iter().map(|line| line.ask_until(start + time));
            let requests = try_join_all(counts).await?.into_iter().sum();
            Ok(Asked {
                requests,
                took: start.elapsed(),
            })
        };
        asked.await.map_err(|source| self.broken(source))
    }

    fn broken(&self, source: io::Error) -> BenchError {
        BenchError::Exchange {
            host: self.address.to_string(),
            source,
        }
    }
}

/// A connection that asks.
struct Line<'a> {
    question: &'a Question,
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The body of the last answer, if it was to be kept.
    body: Vec<u8>,
}

impl<'a> Line<'a> {
    async fn connect(question: &'a Question) -> io::Result<Self> {
        let stream = TcpStream::connect(question.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            question,
            stream,
            buffer: vec![0; BUFFER],
            body: Vec::new(),
        })
    }

    async fn ask_until(mut self, end: Instant) -> io::Result<u64> {
        let mut requests = 0;
        while requests == 0 || Instant::now() < end {
            let length = self.ask(false).await?;
            if length != self.question.answer.len() {
                return Err(io::Error::other(format!("a body of {length} bytes came")));
            }
            requests += 1;
        }
        Ok(requests)
    }

    /// One request and its answer; the length of the answer's body.
    async fn ask(&mut self, keep: bool) -> io::Result<usize> {
        self.stream.write_all(&self.question.request).await?;
        let (frame, mut filled) = self.read_head().await?;
        let whole = frame.head + frame.body + frame.tail;
        if keep {
            self.body = self.buffer[frame.head..filled].to_vec();
        }
        while filled < whole {
            let read = self.read_to(0).await?;
            if keep {
                self.body.extend_from_slice(&self.buffer[..read]);
            }
            filled += read;
        }
        self.body.truncate(frame.body);
        if filled > whole {
            return Err(io::Error::other("more came than was asked for"));
        }
        Ok(frame.body)
    }

    async fn read_head(&mut self) -> io::Result<(Frame, usize)> {
        let mut filled = 0;
        loop {
            filled += self.read_to(filled).await?;
            if let Some(frame) = self.question.protocol.frame(&self.buffer[..filled])? {
                return Ok((frame, filled));
            }
        }
    }

    async fn read_to(&mut self, place: usize) -> io::Result<usize> {
        match self.stream.read(&mut self.buffer[place..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

/// An answer's parts, in bytes.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    head: usize,
    body: usize,
    tail: usize,
}

impl Protocol {
    /// Where the body of the answer that begins with `bytes` is, once its head is whole.
    fn frame(self, bytes: &[u8]) -> io::Result<Option<Frame>> {
        match self {
            Self::Http => http_frame(bytes),
            Self::Memcached => memcached_frame(bytes),
        }
    }
}

fn http_frame(bytes: &[u8]) -> io::Result<Option<Frame>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = answer.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let length = answer
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    match (answer.code, length) {
        (Some(200), Some(body)) => Ok(Some(Frame {
            head,
            body,
            tail: 0,
        })),
        (code, _) => Err(io::Error::other(format!(
            "status {}, length {length:?}",
            code.unwrap_or_default()
        ))),
    }
}

fn memcached_frame(bytes: &[u8]) -> io::Result<Option<Frame>> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    let line = String::from_utf8_lossy(&bytes[..end]);
    let fields: Vec<&str> = line.split_whitespace().collect();
    let body = match fields[..] {
        ["VALUE", _, _, length] => length.parse().ok(),
        // The answer to `set`.
        ["STORED"] => {
            return Ok(Some(Frame {
                head: end + 1,
                body: 0,
                tail: 0,
            }));
        }
        _ => None,
    };
    let body = body.ok_or_else(|| io::Error::other(format!("`{}` came", line.trim())))?;
    let tail = "\r\nEND\r\n".len();
    Ok(Some(Frame {
        head: end + 1,
        body,
        tail,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn answers_are_framed() {
        let frame = |head, body, tail| Some(Frame { head, body, tail });
        let http = Protocol::Http;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(http.frame(answer).unwrap(), frame(38, 3, 0));
        assert_eq!(http.frame(&answer[..30]).unwrap(), None);
        for refused in [
            "HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "\0\0",
        ] {
            assert!(http.frame(refused.as_bytes()).is_err(), "{refused}");
        }
        let memcached = Protocol::Memcached;
        assert_eq!(
            memcached.frame(b"VALUE a 0 5\r\nhel").unwrap(),
            frame(13, 5, 7)
        );
        assert_eq!(memcached.frame(b"STORED\r\n").unwrap(), frame(8, 0, 0));
        assert_eq!(memcached.frame(b"VALUE a").unwrap(), None);
        assert!(memcached.frame(b"END\r\n").is_err());
    }
}
