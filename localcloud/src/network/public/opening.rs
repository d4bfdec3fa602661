//! What the rules of security groups let in from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::network::METADATA_PORT;

/// A range of IPv4 addresses, as a rule has it: `203.0.113.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressRange {
    /// Its first address.
    pub network: u32,
    /// The bits in which all its addresses are the same.
    pub mask: u32,
}

/// A text that is not a range of IPv4 addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a range of IPv4 addresses such as 203.0.113.0/24")]
pub struct NotARange(String);

impl FromStr for AddressRange {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        let read = || {
            let (address, length) = text.split_once('/')?;
            let address: Ipv4Addr = address.parse().ok()?;
            let length: u32 = length.parse().ok()?;
            let host_bits = 32_u32.checked_sub(length)?;
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            Some(Self {
                network: u32::from(address) & mask,
                mask,
            })
        };
        read().ok_or_else(|| NotARange(text.to_owned()))
    }
}

/// Ports that a rule opens, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The ports.
    pub ports: RangeInclusive<u16>,
    /// Whose connections get in.
    pub from: AddressRange,
}

impl Opening {
    /// The most ports that are listened on whether or not an instance does.
    const WIDEST: usize = 64;

    /// Whether so many ports are open that only those are listened on at which the instance listens
    /// too.
    pub fn is_wide(&self) -> bool {
        self.ports.len() > Self::WIDEST
    }
}

/// Each port to listen on, and who gets in there. `listening` tells the ports at which the instance
/// listens, and is asked if it matters.
pub(super) fn by_port(
    openings: &[Opening],
    listening: impl FnOnce() -> BTreeSet<u16>,
) -> BTreeMap<u16, BTreeSet<AddressRange>> {
    let (wide, narrow): (Vec<_>, Vec<_>) = openings.iter().partition(|opening| opening.is_wide());
    let mut doors: BTreeMap<u16, BTreeSet<AddressRange>> = BTreeMap::new();
    for opening in narrow {
        for port in opening.ports.clone() {
            doors.entry(port).or_default().insert(opening.from);
        }
    }
    let listening = if wide.is_empty() {
        BTreeSet::new()
    } else {
        listening()
    };
    for opening in wide {
        let answered = listening.iter().chain(doors.keys()).copied();
        let ports: Vec<u16> = answered
            .filter(|port| opening.ports.contains(port))
            .collect();
        for port in ports {
            doors.entry(port).or_default().insert(opening.from);
        }
    }
    // On AWS the metadata service has an address that nobody reaches from outside.
    doors.remove(&METADATA_PORT);
    doors.remove(&0);
    doors
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn opening(ports: RangeInclusive<u16>, from: &str) -> Opening {
        Opening {
            ports,
            from: from.parse().unwrap(),
        }
    }

    #[test]
    fn a_port_lets_in_whoever_any_rule_names() {
        let openings = [
            opening(5000..=5001, "127.0.0.1/32"),
            opening(5000..=5000, "203.0.113.0/24"),
        ];
        let doors = by_port(&openings, || unreachable!("no rule is wide"));
        let sources: Vec<usize> = doors.values().map(BTreeSet::len).collect();
        assert_eq!(doors.keys().copied().collect::<Vec<_>>(), [5000, 5001]);
        assert_eq!(sources, [2, 1]);
    }

    #[test]
    fn a_wide_range_is_open_where_the_instance_listens_and_never_at_its_metadata() {
        let openings = [
            opening(0..=65535, "0.0.0.0/0"),
            opening(22..=22, "10.0.0.0/8"),
        ];
        let doors = by_port(&openings, || [80, METADATA_PORT].into());
        assert_eq!(doors.keys().copied().collect::<Vec<_>>(), [22, 80]);
        assert_eq!(doors[&22].len(), 2, "the wide rule opens 22 too");
    }

    #[test]
    fn ranges_are_read_as_they_are_written() {
        let range: AddressRange = "10.1.2.0/24".parse().unwrap();
        assert_eq!((range.network, range.mask), (0x0a01_0200, 0xffff_ff00));
        let world: AddressRange = "0.0.0.0/0".parse().unwrap();
        assert_eq!((world.network, world.mask), (0, 0));
        for wrong in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1"] {
            assert!(wrong.parse::<AddressRange>().is_err(), "{wrong}");
        }
    }
}
