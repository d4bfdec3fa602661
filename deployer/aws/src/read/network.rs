//! Security groups and network interfaces.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{IpPermission, SecurityGroup};
use deployer_core::inventory::{FoundSecurityGroup, Rule, RuleSource};
use deployer_core::names::{Kind, ResourceName, Scope};

use super::machines::{ours, resource_of};
use crate::account::Account;
use crate::error::{AwsError, During};

pub(super) async fn security_groups(
    account: &Account,
    scope: &Scope,
) -> Result<Vec<FoundSecurityGroup>, AwsError> {
    let mut pages = account
        .ec2
        .describe_security_groups()
        .filters(ours(scope))
        .into_paginator()
        .items()
        .send();
    let mut found: Vec<(ResourceName, SecurityGroup)> = Vec::new();
    while let Some(group) = pages.next().await {
        let group = group.during("DescribeSecurityGroups")?;
        if let Some(resource) = resource_of(group.tags()).filter(|r| r.kind == Kind::SecurityGroup)
        {
            found.push((resource.name, group));
        }
    }
    let names: BTreeMap<String, ResourceName> = found
        .iter()
        .filter_map(|(name, group)| Some((group.group_id()?.to_owned(), name.clone())))
        .collect();
    let read = |(resource, group): (ResourceName, SecurityGroup)| {
        let mut rules: Vec<Rule> = group
            .ip_permissions()
            .iter()
            .flat_map(|p| rules_of(p, &names))
            .collect();
        rules.sort();
        Some(FoundSecurityGroup {
            id: group.group_id()?.to_owned(),
            resource,
            rules,
        })
    };
    Ok(found.into_iter().filter_map(read).collect())
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

/// Interfaces that carry our tag and hang on no instance.
pub(super) async fn interfaces(account: &Account, scope: &Scope) -> Result<Vec<String>, AwsError> {
    let mut pages = account
        .ec2
        .describe_network_interfaces()
        .filters(ours(scope))
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(interface) = pages.next().await {
        let interface = interface.during("DescribeNetworkInterfaces")?;
        let held = interface
            .attachment()
            .and_then(|a| a.instance_id())
            .is_some();
        if let (false, Some(id)) = (held, interface.network_interface_id()) {
            found.push(id.to_owned());
        }
    }
    Ok(found)
}
