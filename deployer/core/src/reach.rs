//! Why a service that is well may not answer here: whom the rules let in, and who is asking.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::inventory::{FoundInstance, Inventory, Rule, RuleSource};

/// A port of an instance that stays silent for whoever asks from here, although all is well there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// The port.
    pub port: u16,
    /// The ranges of addresses that the rules let in there.
    pub allowed: Vec<String>,
    /// The address that is asking, as the world sees it.
    pub here: IpAddr,
}

impl Unreachable {
    /// What is known of a port that stays silent.
    #[must_use]
    pub fn new(inventory: &Inventory, instance: &FoundInstance, port: u16, here: IpAddr) -> Self {
        let groups = inventory.security_groups.iter();
        let allowed = groups
            .filter(|group| instance.groups.contains(&group.id))
            .flat_map(|group| &group.rules)
            .filter(|rule| (rule.first_port..=rule.last_port).contains(&port))
            .filter_map(range)
            .map(str::to_owned)
            .collect();
        Self {
            port,
            allowed,
            here,
        }
    }

    /// Whether a rule lets in who is asking, so that it is not the rules that are in the way.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.allowed.iter().any(|range| contains(range, self.here))
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { port, here, .. } = self;
        let allowed = match self.allowed.as_slice() {
            [] => "no rule allows any address".to_owned(),
            [only] => format!("the rule allows {only}"),
            several => format!("the rules allow {}", several.join(", ")),
        };
        write!(f, "port {port} stays silent; {allowed}, you are {here}")?;
        if self.is_allowed() {
            f.write_str(": something between here and there does not let the port through")?;
        }
        Ok(())
    }
}

fn range(rule: &Rule) -> Option<&str> {
    match &rule.from {
        RuleSource::Range(range) => Some(range),
        RuleSource::Group(_) | RuleSource::Foreign(_) => None,
    }
}

/// Whether an address lies in a range such as `203.0.113.0/24`.
fn contains(range: &str, address: IpAddr) -> bool {
    let read = || {
        let (network, length) = range.split_once('/')?;
        let length: u32 = length.parse().ok()?;
        let network: IpAddr = network.parse().ok()?;
        let (network, address, bits) = match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => (
                u128::from(u32::from(network)),
                u128::from(u32::from(address)),
                Ipv4Addr::BITS,
            ),
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (u128::from(network), u128::from(address), u128::BITS)
            }
            _ => return None,
        };
        let host_bits = bits.checked_sub(length)?;
        let significant = |address: u128| address.checked_shr(host_bits).unwrap_or(0);
        Some(significant(network) == significant(address))
    };
    read().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn silent(allowed: &[&str], here: &str) -> Unreachable {
        Unreachable {
            port: 5000,
            allowed: allowed.iter().map(|&range| range.to_owned()).collect(),
            here: here.parse().unwrap(),
        }
    }

    #[test]
    fn it_is_told_whom_the_rules_allow_and_who_is_asking() {
        let moved = silent(&["1.2.3.4/32"], "5.6.7.8").to_string();
        let expected = "port 5000 stays silent; the rule allows 1.2.3.4/32, you are 5.6.7.8";
        assert_eq!(moved, expected);
        let blocked = silent(&["1.2.3.4/32", "5.6.7.0/24"], "5.6.7.8").to_string();
        assert!(
            blocked.contains("the rules allow 1.2.3.4/32, 5.6.7.0/24"),
            "{blocked}"
        );
        assert!(
            blocked.contains("something between here and there"),
            "{blocked}"
        );
        assert!(silent(&[], "::1").to_string().contains("no rule allows"));
    }

    #[test]
    fn ranges_contain_their_addresses_and_no_others() {
        for (range, address, expected) in [
            ("0.0.0.0/0", "5.6.7.8", true),
            ("5.6.7.8/32", "5.6.7.8", true),
            ("5.6.7.8/32", "5.6.7.9", false),
            ("5.6.6.0/23", "5.6.7.8", true),
            ("::/0", "5.6.7.8", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("5.6.7.8", "5.6.7.8", false),
            ("5.6.7.8/33", "5.6.7.8", false),
        ] {
            let found = contains(range, address.parse().unwrap());
            assert_eq!(found, expected, "{address} in {range}");
        }
    }
}
