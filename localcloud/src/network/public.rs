//! The public addresses of instances: localcloud listens there on the ports that their security groups
//! open, and relays what comes to the private address, as AWS's address translation does.
//!
//! Between instances nothing is enforced: their private addresses are reached by each other as by any
//! program on the laptop. The deployer checks a blueprint's rules for that instead.

mod filter;
mod opening;
mod relay;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{listeners, who_listens};
use crate::connections;

pub use opening::{AddressRange, NotARange, Opening};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// An instance that has a public address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reachable {
    /// Where the world reaches it.
    pub public: Ipv4Addr,
    /// Where it is.
    pub private: Ipv4Addr,
    /// What its security groups let in from addresses.
    pub openings: Vec<Opening>,
}

/// The public addresses in use, and what is open at each.
#[derive(Debug, Default)]
pub struct PublicAddresses {
    doors: tokio::sync::Mutex<Doors>,
    has_wide: AtomicBool,
}

#[derive(Debug, Default)]
struct Doors {
    open: BTreeMap<SocketAddrV4, Door>,
    /// Where another program is in the way, and that was told.
    blocked: BTreeSet<SocketAddrV4>,
}

/// What is to be open at one port of one public address.
struct Wanted {
    private: Ipv4Addr,
    sources: BTreeSet<AddressRange>,
}

/// A port that is listened on.
#[derive(Debug)]
struct Door {
    private: Ipv4Addr,
    sources: BTreeSet<AddressRange>,
    listener: Arc<TcpListener>,
    closing: CancellationToken,
    accepting: JoinHandle<()>,
}

impl PublicAddresses {
    /// Opens what is to be open at this moment, and closes all else. Connections that were let in
    /// stay. `reachable` is asked when nobody else is at work here, so that what it says is newest.
    pub async fn keep(&self, reachable: impl FnOnce() -> Vec<Reachable>) {
        let mut doors = self.doors.lock().await;
        let reachable = reachable();
        let mut openings = reachable.iter().flat_map(|instance| &instance.openings);
        self.has_wide
            .store(openings.any(Opening::is_wide), Ordering::Release);
        doors.keep(wanted(&reachable)).await;
    }

    /// Where another program listens at a public address, in the place of the instance.
    pub async fn blocked_at(&self, public: Ipv4Addr) -> Option<SocketAddrV4> {
        let doors = self.doors.lock().await;
        let mut blocked = doors.blocked.iter();
        blocked.find(|at| *at.ip() == public).copied()
    }

    /// Whether rules open so wide a range that what instances listen on has to be followed.
    pub fn follow_listeners(&self) -> bool {
        self.has_wide.load(Ordering::Acquire)
    }
}

/// Each place to listen on.
fn wanted(reachable: &[Reachable]) -> BTreeMap<SocketAddrV4, Wanted> {
    let of_instance = |instance: &Reachable| {
        let (public, private) = (instance.public, instance.private);
        let doors = opening::by_port(&instance.openings, || listeners::ports_of(private));
        doors.into_iter().map(move |(port, sources)| {
            (SocketAddrV4::new(public, port), Wanted { private, sources })
        })
    };
    reachable.iter().flat_map(of_instance).collect()
}

impl Doors {
    async fn keep(&mut self, wanted: BTreeMap<SocketAddrV4, Wanted>) {
        let stays = |at: &SocketAddrV4, door: &mut Door| {
            wanted
                .get(at)
                .is_some_and(|now| now.private == door.private)
        };
        let gone: Vec<Door> = self
            .open
            .extract_if(.., |at, door| !stays(at, door))
            .map(|(_, door)| door)
            .collect();
        for door in gone {
            door.close().await;
        }
        self.blocked.retain(|at| wanted.contains_key(at));
        for (at, wanted) in wanted {
            let done = match self.open.get_mut(&at) {
                Some(door) => door.admit(wanted.sources),
                None => Door::open(at, wanted).map(|door| drop(self.open.insert(at, door))),
            };
            match done {
                Ok(()) => drop(self.blocked.remove(&at)),
                Err(error) if self.blocked.insert(at) => {
                    tracing::error!(%error, "cannot listen on {at}{}", who_listens(at));
                }
                Err(_) => {}
            }
        }
    }
}

impl Door {
    fn open(at: SocketAddrV4, wanted: Wanted) -> io::Result<Self> {
        let Wanted { private, sources } = wanted;
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None)?;
        socket.set_reuse_address(true)?;
        filter::admit(&socket, &sources)?;
        socket.bind(&at.into())?;
        socket.listen(BACKLOG)?;
        let listener = Arc::new(TcpListener::from_std(socket.into())?);
        let closing = CancellationToken::new();
        let to = SocketAddrV4::new(private, at.port());
        let accepting = tokio::spawn(accept(Arc::clone(&listener), to, closing.clone()));
        Ok(Self {
            private,
            sources,
            listener,
            closing,
            accepting,
        })
    }

    /// Lets in who is to be let in now.
    fn admit(&mut self, sources: BTreeSet<AddressRange>) -> io::Result<()> {
        if sources != self.sources {
            filter::admit(&*self.listener, &sources)?;
            self.sources = sources;
        }
        Ok(())
    }

    /// Returns when nothing listens there any more.
    async fn close(self) {
        self.closing.cancel();
        if let Err(error) = self.accepting.await {
            tracing::error!(%error, "a public address ended badly");
        }
    }
}

async fn accept(listener: Arc<TcpListener>, to: SocketAddrV4, closing: CancellationToken) {
    loop {
        let accepted = closing.run_until_cancelled(connections::accept(&listener));
        let Some((caller, _)) = accepted.await else {
            return;
        };
        tokio::spawn(relay::relay(caller, to));
    }
}
