//! Security groups and network interfaces.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{IpPermission, SecurityGroup};
use deployer_core::inventory::{FoundSecurityGroup, Rule, RuleSource, StrayKind};
use deployer_core::names::{Kind, ResourceName, Scope};

use super::listing::Part;
use super::machines::{filters, ours, resource_of};
use super::scan::Remembered;
use crate::account::Account;
use crate::error::AwsError;

pub(super) async fn security_groups(
    account: &Account,
    scope: &Scope,
    remembered: &Remembered,
) -> Result<Part, AwsError> {
    let mut part = Part::default();
    let mut groups: BTreeMap<String, SecurityGroup> = BTreeMap::new();
    for filter in filters(scope, remembered, "sg-", "group-id") {
        let pages = account
            .ec2
            .describe_security_groups()
            .filters(filter)
            .set_max_results(account.page_size)
            .into_paginator()
            .send();
        let found = &mut groups;
        part.read_pages("DescribeSecurityGroups", pages, |_, page| {
            let here = page.security_groups();
            found.extend(
                here.iter()
                    .filter_map(|g| Some((g.group_id()?.to_owned(), g.clone()))),
            );
            here.len()
        })
        .await?;
    }
    let resource = |id: &String, group: &SecurityGroup| {
        resource_of(group.tags())
            .or_else(|| remembered.get(id)?.parse().ok())
            .filter(|r| r.kind == Kind::SecurityGroup)
            .map(|r| r.name)
    };
    let names: BTreeMap<String, ResourceName> = groups
        .iter()
        .filter_map(|(id, group)| Some((id.clone(), resource(id, group)?)))
        .collect();
    for (id, group) in &groups {
        let Some(resource) = names.get(id) else {
            part.stray(StrayKind::SecurityGroup, id);
            continue;
        };
        let permissions = group.ip_permissions().iter();
        let mut rules: Vec<Rule> = permissions.flat_map(|p| rules_of(p, &names)).collect();
        rules.sort();
        part.inventory.security_groups.push(FoundSecurityGroup {
            id: id.clone(),
            resource: resource.clone(),
            rules,
        });
    }
    part.count_ours();
    Ok(part)
}

fn rules_of(permission: &IpPermission, names: &BTreeMap<String, ResourceName>) -> Vec<Rule> {
    let port =
        |port: Option<i32>, any: u16| port.and_then(|p| u16::try_from(p).ok()).unwrap_or(any);
    let first_port = port(permission.from_port(), 0);
    let last_port = port(permission.to_port(), u16::MAX);
    let rule = |from| Rule {
        first_port,
        last_port,
        from,
    };
    let four = permission.ip_ranges().iter().filter_map(|r| r.cidr_ip());
    let six = permission
        .ipv6_ranges()
        .iter()
        .filter_map(|r| r.cidr_ipv6());
    let ranges = four
        .chain(six)
        .map(|range| rule(RuleSource::Range(range.to_owned())));
    let groups = permission
        .user_id_group_pairs()
        .iter()
        .filter_map(|p| p.group_id())
        .map(|id| {
            rule(names.get(id).map_or_else(
                || RuleSource::Foreign(id.to_owned()),
                |name| RuleSource::Group(name.clone()),
            ))
        });
    ranges.chain(groups).collect()
}

/// Interfaces that carry our tag. Those of an instance of ours go with it.
pub(super) async fn interfaces(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let pages = account
        .ec2
        .describe_network_interfaces()
        .filters(ours(scope))
        .set_max_results(account.page_size)
        .into_paginator()
        .send();
    let mut part = Part::default();
    part.read_pages("DescribeNetworkInterfaces", pages, |part, page| {
        for interface in page.network_interfaces() {
            let Some(id) = interface.network_interface_id() else {
                continue;
            };
            part.inventory.interfaces.push(id.to_owned());
            if let Some(instance) = interface.attachment().and_then(|a| a.instance_id()) {
                part.held_by(id, instance);
            }
        }
        page.network_interfaces().len()
    })
    .await?;
    Ok(part)
}
