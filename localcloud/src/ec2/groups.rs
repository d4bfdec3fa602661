//! Security groups. Nothing filters packets on a laptop: the groups are kept, and checked for use.

mod rules;

use super::filters::{Filters, Page};
use super::model::{Peer, Region, Rule, SecurityGroup};
use super::{Ec2, done, ids, tags};
use crate::auth::Caller;
use crate::wire::{ApiError, Params, Xml};

/// Characters of names and descriptions in a VPC.
const PUNCTUATION: &str = "._-:/()#,@[]+=&;{}!$* ";

/// Which way a rule lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Ingress,
    Egress,
}

impl Ec2 {
    pub(super) fn create_security_group(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let name = params.required("GroupName")?;
        let description = params.required("GroupDescription")?;
        check_text("GroupName", name)?;
        check_text("GroupDescription", description)?;
        if name.to_ascii_lowercase().starts_with("sg-") || name.eq_ignore_ascii_case("default") {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!(
                    "Value ({name}) for parameter GroupName is invalid. It must not be 'default' or start with 'sg-'."
                ),
            ));
        }
        let vpc = ids::default_vpc(self.context.account(), &caller.region);
        if let Some(given) = params.get("VpcId") {
            ids::VPC.check_all(&[given.to_owned()], |id| id == vpc)?;
        }
        let group = SecurityGroup {
            id: ids::new("sg"),
            name: name.to_owned(),
            description: description.to_owned(),
            tags: tags::specified(params, "security-group", &["security-group"])?,
            rules: vec![Rule::all_outward(ids::new("sgr"))],
        };
        let (id, own_tags) = (group.id.clone(), group.tags.clone());
        self.change(caller, params, |region| {
            if region
                .groups
                .values()
                .any(|other| other.name.eq_ignore_ascii_case(name))
            {
                return Err(ApiError::new(
                    "InvalidGroup.Duplicate",
                    format!("The security group '{name}' already exists for VPC '{vpc}'"),
                ));
            }
            region.groups.insert(group.id.clone(), group);
            Ok(())
        })?;
        self.context.stage.hide(&id);
        let mut xml = Xml::fragment();
        xml.text("return", true).text("groupId", &id);
        tags::write(&mut xml, &own_tags);
        xml.text("securityGroupArn", self.group_arn(&caller.region, &id));
        Ok(xml.finish())
    }

    pub(super) fn describe_security_groups(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.region(&caller.region);
        let wanted = params.list("GroupId");
        self.must_see_groups(&region, &wanted)?;
        let names = params.list("GroupName");
        for name in &names {
            named(&region, name)?;
        }
        let known = [
            "group-id",
            "group-name",
            "vpc-id",
            "description",
            "owner-id",
            "ip-permission.group-id",
            "ip-permission.from-port",
            "ip-permission.to-port",
            "ip-permission.protocol",
            "ip-permission.cidr",
            "egress.ip-permission.group-id",
        ];
        let filters = Filters::read(params, &known)?;
        let account = self.context.account();
        let vpc = ids::default_vpc(account, &caller.region);
        let found: Vec<_> = region
            .groups
            .values()
            .filter(|group| wanted.is_empty() || wanted.contains(&group.id))
            .filter(|group| !wanted.is_empty() || !self.context.stage.is_unlisted(&group.id))
            .filter(|group| names.is_empty() || names.contains(&group.name))
            .filter(|group| {
                let of = |egress: bool, value: fn(&Rule) -> Option<String>| -> Vec<String> {
                    let rules = group.rules.iter().filter(|rule| rule.egress == egress);
                    rules.filter_map(value).collect()
                };
                let values = [
                    ("group-id", vec![group.id.clone()]),
                    ("group-name", vec![group.name.clone()]),
                    ("vpc-id", vec![vpc.clone()]),
                    ("description", vec![group.description.clone()]),
                    ("owner-id", vec![account.to_owned()]),
                    ("ip-permission.group-id", of(false, peer_group)),
                    (
                        "ip-permission.from-port",
                        of(false, |r| Some(r.ports.0.to_string())),
                    ),
                    (
                        "ip-permission.to-port",
                        of(false, |r| Some(r.ports.1.to_string())),
                    ),
                    (
                        "ip-permission.protocol",
                        of(false, |r| Some(r.protocol.clone())),
                    ),
                    ("ip-permission.cidr", of(false, peer_range)),
                    ("egress.ip-permission.group-id", of(true, peer_group)),
                ];
                filters.pass(&values.into(), &group.tags)
            })
            .collect();
        let page = Page::of(found, params)?;
        let mut xml = Xml::fragment();
        xml.list("securityGroupInfo", "item", page.items, |xml, group| {
            xml.text("ownerId", account)
                .text("groupId", &group.id)
                .text("groupName", &group.name)
                .text("groupDescription", &group.description)
                .text("vpcId", &vpc)
                .text(
                    "securityGroupArn",
                    self.group_arn(&caller.region, &group.id),
                );
            rules::write_permissions(xml, "ipPermissions", account, group, Direction::Ingress);
            rules::write_permissions(
                xml,
                "ipPermissionsEgress",
                account,
                group,
                Direction::Egress,
            );
            tags::write(xml, &group.tags);
        })
        .optional("nextToken", page.next);
        Ok(xml.finish())
    }

    pub(super) fn delete_security_group(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let chosen_id = chosen(&self.region(&caller.region), params)?;
        // Asked before this service's own state is locked: the other one may ask back.
        let elsewhere = self
            .group_users
            .get()
            .and_then(std::sync::Weak::upgrade)
            .map(|users| users.users_of_group(&caller.region, &chosen_id))
            .unwrap_or_default();
        let id = self.change(caller, params, |region| {
            let id = chosen(region, params)?;
            if region.groups.get(&id).is_some_and(|group| group.name == "default") {
                return Err(ApiError::new(
                    "CannotDelete",
                    format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user"),
                ));
            }
            let mut users = users_here(region, &id);
            users.extend(self.context.stage.interfaces_in(&caller.region, &id));
            users.extend(elsewhere);
            if !users.is_empty() {
                return Err(ApiError::new(
                    "DependencyViolation",
                    format!("resource {id} has a dependent object: {}", users.join(", ")),
                ));
            }
            region.groups.remove(&id);
            Ok(id)
        })?;
        let mut xml = Xml::fragment();
        xml.text("return", true).text("groupId", id);
        Ok(xml.finish())
    }

    pub(super) fn authorize(
        &self,
        caller: &Caller,
        params: &Params,
        direction: Direction,
    ) -> Result<String, ApiError> {
        let own_tags = tags::specified(params, "security-group-rule", &["security-group-rule"])?;
        let (id, added) = self.change(caller, params, |region| {
            let id = chosen(region, params)?;
            let mut named = params.list("GroupId");
            named.push(id.clone());
            let mut new = rules::read(params, region, direction)?;
            named.extend(new.iter().filter_map(peer_group));
            self.must_see_groups(region, &named)?;
            let group = ids::GROUP.find_mut(&mut region.groups, &id)?;
            for rule in &mut new {
                rule.tags.clone_from(&own_tags);
                if group.rules.iter().any(|old| old.same_permission(rule)) {
                    return Err(ApiError::new(
                        "InvalidPermission.Duplicate",
                        format!(
                            "the specified rule \"{}\" already exists",
                            rules::describe(rule)
                        ),
                    ));
                }
                group.rules.push(rule.clone());
            }
            rules::check_count(group)?;
            Ok((id, new))
        })?;
        let mut xml = Xml::fragment();
        xml.text("return", true);
        xml.list("securityGroupRuleSet", "item", &added, |xml, rule| {
            rules::write_rule(xml, self.context.account(), &id, rule);
        });
        Ok(xml.finish())
    }

    pub(super) fn revoke(
        &self,
        caller: &Caller,
        params: &Params,
        direction: Direction,
    ) -> Result<String, ApiError> {
        let by_id = params.list("SecurityGroupRuleId");
        self.change(caller, params, |region| {
            let id = chosen(region, params)?;
            let permissions = if by_id.is_empty() {
                rules::read(params, region, direction)?
            } else {
                Vec::new()
            };
            let group = ids::GROUP.find_mut(&mut region.groups, &id)?;
            for rule_id in &by_id {
                ids::RULE.check(rule_id)?;
                remove(group, direction, |rule| rule.id == *rule_id)
                    .map_err(|()| ids::RULE.not_found(rule_id))?;
            }
            for gone in &permissions {
                remove(group, direction, |rule| rule.same_permission(gone)).map_err(|()| {
                    ApiError::new(
                        "InvalidPermission.NotFound",
                        "The specified rule does not exist in this security group.",
                    )
                })?;
            }
            Ok(())
        })?;
        Ok(done())
    }

    pub(super) fn describe_security_group_rules(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.region(&caller.region);
        let all = || {
            region
                .groups
                .values()
                .flat_map(|group| group.rules.iter().map(move |rule| (group, rule)))
        };
        let wanted = params.list("SecurityGroupRuleId");
        ids::RULE.check_all(&wanted, |id| all().any(|(_, rule)| rule.id == id))?;
        let filters = Filters::read(params, &["group-id", "security-group-rule-id"])?;
        let found: Vec<_> = all()
            .filter(|(group, rule)| {
                let values = [
                    ("group-id", vec![group.id.clone()]),
                    ("security-group-rule-id", vec![rule.id.clone()]),
                ];
                (wanted.is_empty() || wanted.contains(&rule.id))
                    && filters.pass(&values.into(), &rule.tags)
            })
            .collect();
        let page = Page::of(found, params)?;
        let mut xml = Xml::fragment();
        xml.list(
            "securityGroupRuleSet",
            "item",
            page.items,
            |xml, (group, rule)| {
                rules::write_rule(xml, self.context.account(), &group.id, rule);
            },
        )
        .optional("nextToken", page.next);
        Ok(xml.finish())
    }

    fn group_arn(&self, region: &str, id: &str) -> String {
        format!(
            "arn:aws:ec2:{region}:{}:security-group/{id}",
            self.context.account()
        )
    }
}

/// The group that a request names by id, or by name.
fn chosen(region: &Region, params: &Params) -> Result<String, ApiError> {
    match (params.get("GroupId"), params.get("GroupName")) {
        (Some(id), _) => Ok(ids::GROUP.find(&region.groups, id)?.id.clone()),
        (None, Some(name)) => Ok(named(region, name)?.id.clone()),
        (None, None) => Err(ApiError::new(
            "MissingParameter",
            "The request must contain the parameter groupName or groupId",
        )),
    }
}

impl Ec2 {
    /// Every id is one of a group that calls find already.
    pub(super) fn must_see_groups(&self, region: &Region, ids: &[String]) -> Result<(), ApiError> {
        ids::GROUP.check_all(ids, |id| {
            region.groups.contains_key(id) && !self.context.stage.is_unseen(id)
        })
    }
}

/// The group of that name.
pub(super) fn named<'a>(region: &'a Region, name: &str) -> Result<&'a SecurityGroup, ApiError> {
    region
        .groups
        .values()
        .find(|group| group.name == name)
        .ok_or_else(|| {
            let shown: String = name.chars().take(255).collect();
            ApiError::new(
                "InvalidGroup.NotFound",
                format!("The security group '{shown}' does not exist in default VPC"),
            )
        })
}

fn users_here(region: &Region, id: &str) -> Vec<String> {
    let instances = region
        .live_instances()
        .filter(|instance| instance.groups.iter().any(|group| group == id))
        .map(|instance| instance.id.clone());
    let loose = region.interfaces.values();
    let loose = loose
        .filter(|loose| loose.groups.iter().any(|group| group == id))
        .map(|loose| loose.interface.id.clone());
    let groups = region
        .groups
        .values()
        .filter(|group| group.id != id)
        .filter(|group| {
            group
                .rules
                .iter()
                .any(|rule| peer_group(rule).as_deref() == Some(id))
        })
        .map(|group| group.id.clone());
    instances.chain(loose).chain(groups).collect()
}

fn remove(
    group: &mut SecurityGroup,
    direction: Direction,
    is_it: impl Fn(&Rule) -> bool,
) -> Result<(), ()> {
    let egress = direction == Direction::Egress;
    let place = group
        .rules
        .iter()
        .position(|rule| rule.egress == egress && is_it(rule))
        .ok_or(())?;
    group.rules.remove(place);
    Ok(())
}

fn check_text(what: &str, text: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || PUNCTUATION.contains(c);
    if text.chars().count() > 255 || !text.chars().all(allowed) {
        let shown: String = text.chars().take(100).collect();
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!(
                "Value ({shown}) for parameter {what} is invalid. Use up to 255 of a-z, A-Z, 0-9, space and ._-:/()#,@[]+=&;{{}}!$*"
            ),
        ));
    }
    Ok(())
}

fn peer_group(rule: &Rule) -> Option<String> {
    match &rule.peer {
        Peer::Group(id) => Some(id.clone()),
        _ => None,
    }
}

fn peer_range(rule: &Rule) -> Option<String> {
    match &rule.peer {
        Peer::V4(range) => Some(range.clone()),
        _ => None,
    }
}

/// The TCP ports that the rules of some groups open, for a check that an instance can listen there.
/// A wide range says nothing about what will listen, and is left out.
pub(super) fn opened_ports(region: &Region, groups: &[String]) -> Vec<u16> {
    const WIDEST: i64 = 16;
    let mut ports: Vec<u16> = groups
        .iter()
        .filter_map(|id| region.groups.get(id))
        .flat_map(|group| &group.rules)
        .filter(|rule| !rule.egress && rule.protocol == "tcp")
        .filter(|rule| rule.ports.1 - rule.ports.0 < WIDEST)
        .flat_map(|rule| rule.ports.0..=rule.ports.1)
        .filter_map(|port| u16::try_from(port).ok())
        .filter(|port| *port != 0)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// A group with nothing in it, for tests.
#[cfg(test)]
pub(super) fn empty(id: &str) -> SecurityGroup {
    SecurityGroup {
        id: id.to_owned(),
        name: id.to_owned(),
        description: String::new(),
        tags: super::model::Tags::new(),
        rules: Vec::new(),
    }
}
