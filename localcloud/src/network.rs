//! The /24 that one localcloud owns: its endpoint, and the addresses of what runs in it.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::{Mutex, PoisonError};

use crate::StartError;

pub mod listeners;

/// Port of the endpoint on the network's first address.
pub const ENDPOINT_PORT: u16 = 4766;
/// Port of each instance's metadata service on the instance's own address.
pub const METADATA_PORT: u16 = 4767;

/// The two zones of every region.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Zone {
    /// Addresses .16 to .127.
    A,
    /// Addresses .128 to .254.
    B,
}

impl Zone {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The letter that follows the region's name.
    pub fn letter(self) -> char {
        match self {
            Self::A => 'a',
            Self::B => 'b',
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

    /// First and last host number that may be given out.
    fn hosts(self) -> (u8, u8) {
        match self {
            Self::A => (16, 127),
            Self::B => (128, 254),
        }
    }
}

/// The network 127.77.N.0/24, claimed by listening on its endpoint.
#[derive(Debug)]
pub struct Network {
    number: u8,
    leases: Mutex<Leases>,
}

#[derive(Debug, Default)]
struct Leases {
    taken: BTreeSet<u8>,
    last: [u8; 2],
}

/// Every address of the zone is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every address of the zone is in use")]
pub struct AddressesExhausted;

impl Network {
    /// Claims a network again, in which the account has addresses.
    ///
    /// # Errors
    /// It is taken.
    pub fn reclaim(number: u8) -> Result<(Self, TcpListener), StartError> {
        Self::claim_one_of(number..=number).map_err(|error| match error {
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

    /// The address with a host number.
    pub fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 77, self.number, host)
    }

    /// Gives out an address of a zone that nothing uses, the one unused longest if possible.
    ///
    /// # Errors
    /// There is none left.
    pub fn lease(&self, zone: Zone) -> Result<Ipv4Addr, AddressesExhausted> {
        let mut leases = self.lock();
        let (first, end) = zone.hosts();
        let last = &mut leases.last[zone as usize];
        let start = if *last < first || *last >= end {
            first
        } else {
            *last + 1
        };
        let host = (start..=end)
            .chain(first..start)
            .find(|host| !leases.taken.contains(host))
            .ok_or(AddressesExhausted)?;
        leases.last[zone as usize] = host;
        leases.taken.insert(host);
        Ok(self.address(host))
    }

    /// How many addresses of a zone can still be given out.
    pub fn free(&self, zone: Zone) -> usize {
        let (first, end) = zone.hosts();
        let leases = self.lock();
        (first..=end)
            .filter(|host| !leases.taken.contains(host))
            .count()
    }

    /// Marks an address known from the state as given out.
    pub fn reserve(&self, address: Ipv4Addr) {
        self.lock().taken.insert(address.octets()[3]);
    }

    /// Takes an address back.
    pub fn release(&self, address: Ipv4Addr) {
        self.lock().taken.remove(&address.octets()[3]);
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
        let b: BTreeSet<_> = (0..127).map(|_| network.lease(Zone::B).unwrap()).collect();
        assert_eq!((a.len(), b.len()), (112, 127));
        assert!(a.iter().all(|ip| (16..=127).contains(&ip.octets()[3])));
        assert!(b.iter().all(|ip| (128..=254).contains(&ip.octets()[3])));
        assert_eq!(network.lease(Zone::A), Err(AddressesExhausted));
    }

    #[test]
    fn a_released_address_is_not_the_next_one_given() {
        let network = network();
        let first = network.lease(Zone::B).unwrap();
        network.release(first);
        assert_ne!(network.lease(Zone::B).unwrap(), first);
    }
}
