//! One thread a core, each with a runtime of its own: a connection stays on the thread it was given
//! to, and nothing moves from core to core.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::TcpStream as Accepted;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;

thread_local! {
    static CURRENT: RefCell<Option<Threads>> = const { RefCell::new(None) };
}

/// The runtimes of a service. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Threads {
    /// This thread's first.
    all: Arc<[Handle]>,
    next: Arc<AtomicUsize>,
}

/// Runs `service` on this thread, beside one more thread for each further core that this process may
/// use; a [`crate::server::Server`] that serves in it spreads its connections over them. They end
/// when `service` has.
///
/// # Errors
/// When the system gives no thread, or a runtime cannot be had.
pub fn run<F: Future>(service: F) -> io::Result<F::Output> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let first = runtime()?;
    let stop = CancellationToken::new();
    // However this ends, the others do too.
    let stopping = stop.clone().drop_guard();
    let mut all = vec![first.handle().clone()];
    let mut others = Vec::new();
    for core in 1..cores {
        let (runtime, stop) = (runtime()?, stop.clone());
        all.push(runtime.handle().clone());
        let named = thread::Builder::new().name(format!("core-{core}"));
        others.push(named.spawn(move || runtime.block_on(stop.cancelled()))?);
    }
    let threads = Threads {
        all: all.into(),
        next: Arc::default(),
    };
    CURRENT.set(Some(threads));
    let output = first.block_on(service);
    CURRENT.set(None);
    drop(stopping);
    for other in others {
        // One that panicked has said so.
        let _ = other.join();
    }
    Ok(output)
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

impl Threads {
    /// Those of the service that runs on this thread; outside of [`run`] the runtime that this is
    /// called in, alone.
    pub(crate) fn current() -> Self {
        CURRENT.with_borrow(Clone::clone).unwrap_or_else(|| Self {
            all: [Handle::current()].into(),
            next: Arc::default(),
        })
    }

    /// The thread whose turn it is to take a connection, and the connection as that thread's.
    ///
    /// # Errors
    /// When the connection cannot be taken over; it is closed then.
    pub(crate) fn give(&self, stream: TcpStream) -> io::Result<(&Handle, TcpStream)> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.all.len();
        let handle = &self.all[turn];
        if turn == 0 {
            return Ok((handle, stream));
        }
        let stream: Accepted = stream.into_std()?;
        let _inside = handle.enter();
        Ok((handle, TcpStream::from_std(stream)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::collections::HashSet;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn connections_are_spread_over_the_cores_and_work_there() {
        let cores = thread::available_parallelism().unwrap().get();
        let names = run(async {
            let threads = Threads::current();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let mut names = HashSet::new();
            for _ in 0..cores * 2 {
                let mut client = TcpStream::connect(address).await.unwrap();
                let (handle, mut stream) =
                    threads.give(listener.accept().await.unwrap().0).unwrap();
                client.write_all(b"?").await.unwrap();
                let answered = handle.spawn(async move {
                    stream.read_u8().await.unwrap();
                    stream.write_all(b"!").await.unwrap();
                    thread::current().id()
                });
                assert_eq!(client.read_u8().await.unwrap(), b'!');
                names.insert(answered.await.unwrap());
            }
            names
        });
        assert_eq!(names.unwrap().len(), cores);
    }

    #[tokio::test]
    async fn outside_of_a_service_there_is_one_thread() {
        assert_eq!(Threads::current().all.len(), 1);
    }
}
