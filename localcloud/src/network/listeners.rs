//! Which program listens where, read from /proc.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use crate::process;

/// State `LISTEN` in /proc/net/tcp.
const LISTEN: &str = "0A";

/// A program that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address it listens on: 0.0.0.0 is all of them.
    pub address: SocketAddrV4,
    /// Its process id and command line, where this user may know them.
    pub process: Option<(u32, String)>,
}

impl fmt::Display for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.process {
            Some((pid, command)) => write!(formatter, "`{command}` (process {pid})")?,
            None => formatter.write_str("another user's program")?,
        }
        write!(formatter, " listens on {}", self.address)?;
        if self.address.ip().is_unspecified() {
            formatter.write_str(", which is every address")?;
        }
        Ok(())
    }
}

/// Who stands in the way of listening on an address: a listener on it, or on all addresses.
pub fn on(address: SocketAddrV4) -> Option<Listener> {
    let v4 = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    let (at, inode) = v4
        .lines()
        .chain(v6.lines())
        .filter_map(parse)
        .find(|(at, _)| {
            at.port() == address.port() && (at.ip() == address.ip() || at.ip().is_unspecified())
        })?;
    Some(Listener {
        address: at,
        process: owner_of(inode),
    })
}

/// The ports on which anything listens on this address and no other.
pub fn ports_of(address: Ipv4Addr) -> BTreeSet<u16> {
    let v4 = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    v4.lines()
        .filter_map(parse)
        .filter(|(at, _)| *at.ip() == address)
        .map(|(at, _)| at.port())
        .collect()
}

/// Address and socket inode of a line of /proc/net/tcp or tcp6, if it is a listening socket.
fn parse(line: &str) -> Option<(SocketAddrV4, u64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (ip, port) = fields.get(1)?.split_once(':')?;
    let ip = match ip.len() {
        8 => Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.swap_bytes()),
        // [::] takes IPv4 connections too, unless told otherwise.
        32 if ip.bytes().all(|digit| digit == b'0') => Ipv4Addr::UNSPECIFIED,
        _ => return None,
    };
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((SocketAddrV4::new(ip, port), fields.get(9)?.parse().ok()?))
}

fn owner_of(inode: u64) -> Option<(u32, String)> {
    let socket = format!("socket:[{inode}]");
    let holders = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        fs::read_dir(entry.path().join("fd"))
            .ok()?
            .flatten()
            .find(|fd| {
                fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == socket.as_str())
            })?;
        Some((process::start_of(pid)?, pid, command_of(&entry.path())?))
    });
    // What the owner is just starting holds a copy, and is younger.
    let (_, pid, command) = holders.min()?;
    Some((pid, command))
}

/// The command line, cut to what fits into a message: `python3` alone says little.
fn command_of(process: &Path) -> Option<String> {
    const LONGEST: usize = 100;
    let line = fs::read(process.join("cmdline")).ok()?;
    let line = String::from_utf8_lossy(&line);
    let line = line.trim_end_matches('\0').replace('\0', " ");
    let shown: String = line
        .chars()
        .filter(|shown| !shown.is_control())
        .take(LONGEST)
        .collect();
    if shown.len() < line.len() {
        return Some(format!("{shown}…"));
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listener_on_all_addresses_is_found_with_its_process() {
        let socket = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let found = on(SocketAddrV4::new(Ipv4Addr::new(127, 77, 3, 20), port)).unwrap();
        assert!(found.address.ip().is_unspecified());
        assert_eq!(found.process.unwrap().0, std::process::id());
    }

    #[test]
    fn a_listener_on_another_address_is_not_in_the_way() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(
            on(SocketAddrV4::new(Ipv4Addr::new(127, 77, 3, 20), port)),
            None
        );
    }
}
