//! The two /24 that one localcloud owns. 127.77.N.0/24 is the inside: its endpoint, and the private
//! addresses of what runs in it. 127.78.N.0/24 is the outside: the public addresses of instances.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::{Mutex, PoisonError};

use crate::{StartError, process};

pub mod listeners;
pub mod public;

/// Port of the endpoint on the network's first address.
pub const ENDPOINT_PORT: u16 = 4766;
/// Port of each instance's metadata service on the instance's own address.
pub const METADATA_PORT: u16 = 4767;

/// The three zones of every region.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Zone {
    /// Addresses .16 to .127.
    A,
    /// Addresses .128 to .191.
    B,
    /// Addresses .192 to .254. Like us-east-1e it never got the small types.
    C,
}

impl Zone {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::C];

    /// The letter that follows the region's name.
    pub fn letter(self) -> char {
        match self {
            Self::A => 'a',
            Self::B => 'b',
            Self::C => 'c',
        }
    }

    /// The zone's name in a region: `us-east-1a`.
    pub fn name(self, region: &str) -> String {
        format!("{region}{}", self.letter())
    }

    /// The zone of that name in a region.
    pub fn named(region: &str, name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|zone| zone.name(region) == name)
    }

    /// How many addresses may be given out.
    pub fn size(self) -> u32 {
        let (first, last) = Block::Zone(self).hosts();
        u32::from(last - first) + 1
    }

    /// Host number and prefix length of its subnet.
    pub fn subnet(self) -> (u8, u8) {
        match self {
            Self::A => (0, 25),
            Self::B => (128, 26),
            Self::C => (192, 26),
        }
    }
}

/// What an address is given out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Block {
    /// A zone's private addresses.
    Zone(Zone),
    /// The public addresses, which belong to no zone.
    Public,
}

impl Block {
    /// The second number of its addresses: 127.77 is inside, 127.78 outside.
    fn side(self) -> u8 {
        match self {
            Self::Zone(_) => 77,
            Self::Public => 78,
        }
    }

    /// The one that an address was given out of.
    fn of(address: Ipv4Addr) -> Option<Self> {
        let [_, side, _, host] = address.octets();
        let zones = Zone::ALL.map(Self::Zone).into_iter();
        zones.chain([Self::Public]).find(|block| {
            let (first, last) = block.hosts();
            block.side() == side && (first..=last).contains(&host)
        })
    }

    /// First and last host number that may be given out.
    fn hosts(self) -> (u8, u8) {
        match self {
            Self::Zone(Zone::A) => (16, 127),
            Self::Zone(Zone::B) => (128, 191),
            Self::Zone(Zone::C) => (192, 254),
            Self::Public => (16, 254),
        }
    }
}

/// The networks 127.77.N.0/24 and 127.78.N.0/24, claimed by listening on the endpoint in the first.
#[derive(Debug)]
pub struct Network {
    number: u8,
    leases: Mutex<Leases>,
}

#[derive(Debug, Default)]
struct Leases {
    taken: BTreeSet<Ipv4Addr>,
    /// The host number that was given out last.
    last: BTreeMap<Block, u8>,
}

/// Every address of the zone, or every public one, is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every address is in use")]
pub struct AddressesExhausted;

impl Network {
    /// Claims a network again, in which the account has addresses. Who had it a moment ago is waited
    /// for: what it was just starting when it ended may still hold its listener.
    ///
    /// # Errors
    /// It is taken.
    pub async fn reclaim(number: u8) -> Result<(Self, TcpListener), StartError> {
        let is_taken = |error: &StartError| match error {
            StartError::Listen { source, .. } => source.kind() == io::ErrorKind::AddrInUse,
            _ => false,
        };
        let claimed = process::once_let_go(|| Self::claim_one_of(number..=number), is_taken).await;
        claimed.map_err(|error| match error {
            StartError::Listen { address, source } => StartError::NetworkTaken { address, source },
            other => other,
        })
    }

    /// Claims the first free network, beginning with a number.
    ///
    /// # Errors
    /// All are taken.
    pub fn claim(first: u8) -> Result<(Self, TcpListener), StartError> {
        Self::claim_one_of(first..=u8::MAX)
    }

    fn claim_one_of(
        numbers: std::ops::RangeInclusive<u8>,
    ) -> Result<(Self, TcpListener), StartError> {
        let mut last = None;
        for number in numbers {
            let address = endpoint_of(number);
            match TcpListener::bind(address) {
                Ok(listener) => {
                    listener
                        .set_nonblocking(true)
                        .map_err(|source| StartError::Listen { address, source })?;
                    let network = Self {
                        number,
                        leases: Mutex::default(),
                    };
                    return Ok((network, listener));
                }
                Err(source) => last = Some(StartError::Listen { address, source }),
            }
            // A foreign program on 0.0.0.0 takes the port on all of them: no use going on.
            if let Some(StartError::Listen { source, .. }) = &last
                && source.kind() != io::ErrorKind::AddrInUse
            {
                break;
            }
        }
        Err(last.unwrap_or(StartError::NoNetwork))
    }

    /// N of 127.77.N.0/24.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Where the API is.
    pub fn endpoint(&self) -> SocketAddrV4 {
        endpoint_of(self.number)
    }

    /// The private address with a host number.
    pub fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 77, self.number, host)
    }

    /// Gives out a private address of a zone that nothing uses.
    ///
    /// # Errors
    /// There is none left.
    pub fn lease(&self, zone: Zone) -> Result<Ipv4Addr, AddressesExhausted> {
        self.lease_of(Block::Zone(zone))
    }

    /// Gives out a public address that nothing uses.
    ///
    /// # Errors
    /// There is none left.
    pub fn lease_public(&self) -> Result<Ipv4Addr, AddressesExhausted> {
        self.lease_of(Block::Public)
    }

    /// The address unused longest if possible: what holds an old one must not reach somebody else.
    fn lease_of(&self, block: Block) -> Result<Ipv4Addr, AddressesExhausted> {
        let mut leases = self.lock();
        let (first, end) = block.hosts();
        let start = match leases.last.get(&block) {
            Some(last) if *last < end => *last + 1,
            _ => first,
        };
        let address = |host| Ipv4Addr::new(127, block.side(), self.number, host);
        let host = (start..=end)
            .chain(first..start)
            .find(|host| !leases.taken.contains(&address(*host)))
            .ok_or(AddressesExhausted)?;
        leases.last.insert(block, host);
        leases.taken.insert(address(host));
        Ok(address(host))
    }

    /// How many addresses of a zone can still be given out.
    pub fn free(&self, zone: Zone) -> usize {
        let (first, end) = Block::Zone(zone).hosts();
        let leases = self.lock();
        (first..=end)
            .filter(|host| !leases.taken.contains(&self.address(*host)))
            .count()
    }

    /// Marks an address known from the state as given out. The next one given is a later one.
    pub fn reserve(&self, address: Ipv4Addr) {
        let mut leases = self.lock();
        leases.taken.insert(address);
        if let Some(block) = Block::of(address) {
            let host = address.octets()[3];
            let last = leases.last.entry(block).or_insert(host);
            *last = host.max(*last);
        }
    }

    /// Takes an address back.
    pub fn release(&self, address: Ipv4Addr) {
        self.lock().taken.remove(&address);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names the program that listens on a port of an address, for the end of an error message; empty
/// when it cannot be found out.
pub fn who_listens(address: SocketAddrV4) -> String {
    listeners::on(address).map_or_else(String::new, |listener| format!(": {listener}"))
}

fn endpoint_of(number: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(127, 77, number, 1), ENDPOINT_PORT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn network() -> Network {
        Network {
            number: 9,
            leases: Mutex::default(),
        }
    }

    #[test]
    fn addresses_lie_in_their_zone_and_are_never_given_twice() {
        let network = network();
        let a: BTreeSet<_> = (0..112).map(|_| network.lease(Zone::A).unwrap()).collect();
        let b: BTreeSet<_> = (0..64).map(|_| network.lease(Zone::B).unwrap()).collect();
        let c: BTreeSet<_> = (0..63).map(|_| network.lease(Zone::C).unwrap()).collect();
        assert_eq!((a.len(), b.len(), c.len()), (112, 64, 63));
        assert!(a.iter().all(|ip| (16..=127).contains(&ip.octets()[3])));
        assert!(b.iter().all(|ip| (128..=191).contains(&ip.octets()[3])));
        assert!(c.iter().all(|ip| (192..=254).contains(&ip.octets()[3])));
        assert_eq!(network.lease(Zone::A), Err(AddressesExhausted));
    }

    #[test]
    fn a_public_address_is_never_a_private_one() {
        let network = network();
        let public = network.lease_public().unwrap();
        assert_eq!(public.octets()[..3], [127, 78, 9]);
        assert_eq!(network.free(Zone::A), 112);
        network.release(public);
        assert_ne!(network.lease_public().unwrap(), public);
    }

    #[test]
    fn after_a_restart_the_address_of_an_instance_is_not_the_next_one_given() {
        let network = network();
        let public = Ipv4Addr::new(127, 78, 9, 16);
        network.reserve(public);
        network.release(public);
        assert_ne!(network.lease_public().unwrap(), public);
    }

    #[test]
    fn a_released_address_is_not_the_next_one_given() {
        let network = network();
        let first = network.lease(Zone::B).unwrap();
        network.release(first);
        assert_ne!(network.lease(Zone::B).unwrap(), first);
    }
}
