//! Rules of security groups: read from a request, written into an answer.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::Direction;
use crate::ec2::ids;
use crate::ec2::model::{Peer, Region, Rule, SecurityGroup, Tags};
use crate::ec2::tags;
use crate::wire::{ApiError, ParameterError, Params, Xml};

/// AWS's default quota of rules per group and direction.
const MOST_RULES: usize = 60;

/// The rules of a request: `IpPermissions.N`, or the older form with one rule on the top level.
pub(super) fn read(
    params: &Params,
    region: &Region,
    direction: Direction,
) -> Result<Vec<Rule>, ApiError> {
    let permissions = params.structures("IpPermissions");
    let mut rules = Vec::new();
    if permissions.is_empty() {
        if params.get("IpProtocol").is_none() {
            return Err(ApiError::new(
                "MissingParameter",
                "The request must contain the parameter ipPermissions",
            ));
        }
        let range = Peer::V4(v4_range(params.required("CidrIp")?)?);
        rules.push(rule(params, range, None, direction)?);
    }
    for permission in &permissions {
        let before = rules.len();
        for (peer, description) in peers(permission, region)? {
            rules.push(rule(permission, peer, description, direction)?);
        }
        if rules.len() == before {
            return Err(ApiError::new(
                "InvalidParameterValue",
                "Invalid value 'null' for a permission's source: give IpRanges, Ipv6Ranges, PrefixListIds or Groups",
            ));
        }
    }
    Ok(rules)
}

fn peers(permission: &Params, region: &Region) -> Result<Vec<(Peer, Option<String>)>, ApiError> {
    let mut found = Vec::new();
    for range in permission.structures("IpRanges") {
        let peer = Peer::V4(v4_range(range.required("CidrIp")?)?);
        found.push((peer, description(&range)?));
    }
    for range in permission.structures("Ipv6Ranges") {
        let peer = Peer::V6(v6_range(range.required("CidrIpv6")?)?);
        found.push((peer, description(&range)?));
    }
    for list in permission.structures("PrefixListIds") {
        let peer = Peer::PrefixList(list.required("PrefixListId")?.to_owned());
        found.push((peer, description(&list)?));
    }
    for pair in permission.structures("Groups") {
        let id = match (pair.get("GroupId"), pair.get("GroupName")) {
            (Some(id), _) => ids::GROUP.find(&region.groups, id)?.id.clone(),
            (None, Some(name)) => super::named(region, name)?.id.clone(),
            (None, None) => {
                return Err(ParameterError::Missing(pair.full_name("GroupId")).into());
            }
        };
        found.push((Peer::Group(id), description(&pair)?));
    }
    Ok(found)
}

fn rule(
    permission: &Params,
    peer: Peer,
    description: Option<String>,
    direction: Direction,
) -> Result<Rule, ApiError> {
    let protocol = match permission
        .required("IpProtocol")?
        .to_ascii_lowercase()
        .as_str()
    {
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        "1" => "icmp".to_owned(),
        "58" => "icmpv6".to_owned(),
        known @ ("tcp" | "udp" | "icmp" | "icmpv6" | "-1") => known.to_owned(),
        number if number.parse::<u8>().is_ok() => number.to_owned(),
        _ => {
            return Err(permission
                .invalid(
                    "IpProtocol",
                    "Use tcp, udp, icmp, icmpv6, -1 or a number from 0 to 255.",
                )
                .into());
        }
    };
    Ok(Rule {
        id: ids::new("sgr"),
        egress: direction == Direction::Egress,
        ports: ports(permission, &protocol)?,
        protocol,
        peer,
        description,
        tags: Tags::new(),
    })
}

fn ports(permission: &Params, protocol: &str) -> Result<(i64, i64), ApiError> {
    let (from, to) = (
        permission.integer("FromPort")?,
        permission.integer("ToPort")?,
    );
    match protocol {
        "tcp" | "udp" => {
            let (Some(from), Some(to)) = (from, to) else {
                return Err(ApiError::new(
                    "InvalidParameterValue",
                    format!(
                        "Invalid value 'Must specify both from and to ports with {}.' for portRange.",
                        protocol.to_uppercase()
                    ),
                ));
            };
            let valid = 0..=65535;
            if !valid.contains(&from) || !valid.contains(&to) || from > to {
                return Err(ApiError::new(
                    "InvalidParameterValue",
                    format!("Invalid TCP/UDP port range ({from}:{to})"),
                ));
            }
            Ok((from, to))
        }
        "icmp" | "icmpv6" => Ok((from.unwrap_or(-1), to.unwrap_or(-1))),
        _ => Ok((-1, -1)),
    }
}

fn description(params: &Params) -> Result<Option<String>, ApiError> {
    let Some(text) = params.get("Description") else {
        return Ok(None);
    };
    super::check_text("Description", text)?;
    Ok(Some(text.to_owned()))
}

fn malformed(range: &str) -> ApiError {
    let shown: String = range.chars().take(64).collect();
    ApiError::new(
        "InvalidParameterValue",
        format!("CIDR block {shown} is malformed"),
    )
}

/// An IPv4 range with the bits after its prefix cleared, as AWS keeps it.
fn v4_range(text: &str) -> Result<String, ApiError> {
    let (address, length) = text.split_once('/').ok_or_else(|| malformed(text))?;
    let address: Ipv4Addr = address.parse().map_err(|_| malformed(text))?;
    let length: u32 = length.parse().map_err(|_| malformed(text))?;
    if length > 32 {
        return Err(malformed(text));
    }
    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
    Ok(format!(
        "{}/{length}",
        Ipv4Addr::from(u32::from(address) & mask)
    ))
}

fn v6_range(text: &str) -> Result<String, ApiError> {
    let (address, length) = text.split_once('/').ok_or_else(|| malformed(text))?;
    let address: Ipv6Addr = address.parse().map_err(|_| malformed(text))?;
    let length: u32 = length.parse().map_err(|_| malformed(text))?;
    if length > 128 {
        return Err(malformed(text));
    }
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
    Ok(format!(
        "{}/{length}",
        Ipv6Addr::from(u128::from(address) & mask)
    ))
}

pub(super) fn check_count(group: &SecurityGroup) -> Result<(), ApiError> {
    let egress = group.rules.iter().filter(|rule| rule.egress).count();
    if egress > MOST_RULES || group.rules.len() - egress > MOST_RULES {
        return Err(ApiError::new(
            "RulesPerSecurityGroupLimitExceeded",
            format!(
                "The maximum number of rules per security group has been reached ({MOST_RULES})."
            ),
        ));
    }
    Ok(())
}

/// A rule in words, as AWS's message about a duplicate has it.
pub(super) fn describe(rule: &Rule) -> String {
    let peer = match &rule.peer {
        Peer::V4(peer) | Peer::V6(peer) | Peer::Group(peer) | Peer::PrefixList(peer) => peer,
    };
    format!(
        "peer: {peer}, {}, from port: {}, to port: {}, ALLOW",
        rule.protocol.to_uppercase(),
        rule.ports.0,
        rule.ports.1
    )
}

/// The rules of one direction, those of the same protocol and ports together.
pub(super) fn write_permissions(
    xml: &mut Xml,
    name: &str,
    account: &str,
    group: &SecurityGroup,
    direction: Direction,
) {
    let egress = direction == Direction::Egress;
    let mut permissions: BTreeMap<(&str, (i64, i64)), Vec<&Rule>> = BTreeMap::new();
    for rule in group.rules.iter().filter(|rule| rule.egress == egress) {
        permissions
            .entry((&rule.protocol, rule.ports))
            .or_default()
            .push(rule);
    }
    xml.list(
        name,
        "item",
        permissions,
        |xml, ((protocol, ports), rules)| {
            xml.text("ipProtocol", protocol);
            write_ports(xml, protocol, ports);
            write_peers(xml, "groups", &rules, |xml, peer| match peer {
                Peer::Group(id) => {
                    xml.text("userId", account).text("groupId", id);
                    true
                }
                _ => false,
            });
            write_peers(xml, "ipRanges", &rules, |xml, peer| match peer {
                Peer::V4(range) => {
                    xml.text("cidrIp", range);
                    true
                }
                _ => false,
            });
            write_peers(xml, "ipv6Ranges", &rules, |xml, peer| match peer {
                Peer::V6(range) => {
                    xml.text("cidrIpv6", range);
                    true
                }
                _ => false,
            });
            write_peers(xml, "prefixListIds", &rules, |xml, peer| match peer {
                Peer::PrefixList(id) => {
                    xml.text("prefixListId", id);
                    true
                }
                _ => false,
            });
        },
    );
}

fn write_ports(xml: &mut Xml, protocol: &str, ports: (i64, i64)) {
    if protocol != "-1" {
        xml.text("fromPort", ports.0).text("toPort", ports.1);
    }
}

fn write_peers(
    xml: &mut Xml,
    name: &str,
    rules: &[&Rule],
    write: impl Fn(&mut Xml, &Peer) -> bool,
) {
    xml.element(name, |xml| {
        for rule in rules {
            let mut item = Xml::fragment();
            if write(&mut item, &rule.peer) {
                item.optional("description", rule.description.as_ref());
                let item = item.finish();
                xml.element("item", |xml| {
                    xml.raw(&item);
                });
            }
        }
    });
}

/// A rule on its own, as DescribeSecurityGroupRules has it.
pub(super) fn write_rule(xml: &mut Xml, account: &str, group: &str, rule: &Rule) {
    xml.text("securityGroupRuleId", &rule.id)
        .text("groupId", group)
        .text("groupOwnerId", account)
        .text("isEgress", rule.egress)
        .text("ipProtocol", &rule.protocol)
        .text("fromPort", rule.ports.0)
        .text("toPort", rule.ports.1);
    match &rule.peer {
        Peer::V4(range) => xml.text("cidrIpv4", range),
        Peer::V6(range) => xml.text("cidrIpv6", range),
        Peer::PrefixList(id) => xml.text("prefixListId", id),
        Peer::Group(id) => xml.element("referencedGroupInfo", |xml| {
            xml.text("groupId", id).text("userId", account);
        }),
    };
    xml.optional("description", rule.description.as_ref());
    tags::write(xml, &rule.tags);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rules_of(form: &str) -> Result<Vec<Rule>, ApiError> {
        let mut region = Region::default();
        region
            .groups
            .insert("sg-12345678".into(), super::super::empty("sg-12345678"));
        read(
            &Params::parse(form.as_bytes()).unwrap(),
            &region,
            Direction::Ingress,
        )
    }

    #[test]
    fn one_permission_may_hold_several_rules() {
        let rules = rules_of(
            "IpPermissions.1.IpProtocol=6&IpPermissions.1.FromPort=5000&IpPermissions.1.ToPort=5001\
             &IpPermissions.1.IpRanges.1.CidrIp=10.1.2.3/8&IpPermissions.1.IpRanges.1.Description=x\
             &IpPermissions.1.Groups.1.GroupId=sg-12345678",
        )
        .unwrap();
        assert_eq!(rules.len(), 2);
        assert_eq!(rules[0].peer, Peer::V4("10.0.0.0/8".into()));
        assert_eq!(rules[0].protocol, "tcp");
        assert_eq!(rules[0].ports, (5000, 5001));
        assert_eq!(rules[1].peer, Peer::Group("sg-12345678".into()));
    }

    #[test]
    fn nonsense_is_refused() {
        for form in [
            "",
            "IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=1&IpPermissions.1.ToPort=2",
            "IpProtocol=tcp&FromPort=2&ToPort=1&CidrIp=0.0.0.0/0",
            "IpProtocol=tcp&FromPort=1&ToPort=70000&CidrIp=0.0.0.0/0",
            "IpProtocol=tcp&FromPort=1&ToPort=2&CidrIp=1.2.3.4",
            "IpProtocol=tcp&FromPort=1&ToPort=2&CidrIp=1.2.3.4/33",
            "IpProtocol=tpc&FromPort=1&ToPort=2&CidrIp=1.2.3.4/32",
            "IpProtocol=tcp&CidrIp=1.2.3.4/32",
        ] {
            assert!(rules_of(form).is_err(), "{form}");
        }
        assert_eq!(
            rules_of("IpPermissions.1.IpProtocol=-1&IpPermissions.1.Groups.1.GroupId=sg-87654321")
                .unwrap_err()
                .code,
            "InvalidGroup.NotFound"
        );
    }
}
