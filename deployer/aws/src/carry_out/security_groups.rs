//! Security groups and their rules.

use std::time::Duration;

use aws_sdk_ec2::types::{
    Filter, IpPermission, IpRange, Ipv6Range, ResourceType, Tag, TagSpecification, UserIdGroupPair,
};
use deployer_core::inventory::{Rule, RuleSource};
use deployer_core::names::{Kind, ResourceName};
use deployer_core::settings::NotYet;

use super::Site;
use crate::error::{AwsError, During, Meaning};
use crate::progress::Progress;
use crate::wait::{Look, until};

/// How long EC2 may not find a group that it has just made.
const SEEN_DEADLINE: Duration = Duration::from_secs(60);

impl Site {
    pub(super) async fn create_security_group(
        &self,
        resource: &ResourceName,
        name: &str,
        vpc: &str,
    ) -> Result<String, AwsError> {
        let answer = self
            .account
            .ec2
            .create_security_group()
            .group_name(name)
            .description(format!("{resource} of {}", self.scope.deployment))
            .vpc_id(vpc)
            .tag_specifications(self.specification(
                ResourceType::SecurityGroup,
                Kind::SecurityGroup,
                resource,
                &[],
            ))
            .send()
            .await
            .during("CreateSecurityGroup");
        let missing = AwsError::Incomplete {
            operation: "CreateSecurityGroup",
            what: "id",
        };
        let id = match answer {
            // The answer to an earlier attempt was lost.
            Err(error) if error.meaning() == Meaning::Exists => {
                self.our_group_named(name, vpc).await?.ok_or(error)?
            }
            answer => answer?.group_id.ok_or(missing)?,
        };
        self.learn(|k| drop(k.security_groups.insert(resource.clone(), id.clone())));
        Ok(id)
    }

    /// The group of that name, if it carries our tag.
    async fn our_group_named(&self, name: &str, vpc: &str) -> Result<Option<String>, AwsError> {
        let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        let answer = self
            .account
            .ec2
            .describe_security_groups()
            .filters(filter("group-name", name))
            .filters(filter("vpc-id", vpc))
            .filters(crate::read::ours(&self.scope))
            .send()
            .await
            .during("DescribeSecurityGroups")?;
        let group = answer.security_groups().first();
        Ok(group.and_then(|g| g.group_id()).map(str::to_owned))
    }

    /// Opens before it closes, so that what stays allowed never stops.
    pub(super) async fn change_rules(
        &self,
        resource: &ResourceName,
        add: &[Rule],
        remove: &[Rule],
        progress: &Progress,
    ) -> Result<(), AwsError> {
        let id = self.group_id(resource)?;
        for rule in add {
            self.open(&id, rule, progress).await?;
        }
        for rule in remove {
            let permission = self.permission(rule)?;
            let request = self
                .account
                .ec2
                .revoke_security_group_ingress()
                .group_id(&id);
            let answer = request.ip_permissions(permission).send().await;
            crate::error::gone_is_fine(answer.during("RevokeSecurityGroupIngress"))?;
        }
        Ok(())
    }

    /// Adds a rule to a group. Both the group and the one that the rule names may be so new that EC2
    /// does not find them yet.
    async fn open(&self, id: &str, rule: &Rule, progress: &Progress) -> Result<(), AwsError> {
        let pace = self.account.target.pace;
        let permission = self.permission(rule)?;
        let what = format!("security group {id}");
        until(&what, pace, SEEN_DEADLINE, progress, async || {
            let request = self.account.ec2.authorize_security_group_ingress();
            let request = request.group_id(id).ip_permissions(permission.clone());
            match request.send().await.during("AuthorizeSecurityGroupIngress") {
                Err(error) if error.may_be_too_early() => Ok(Look::NotYet(error.to_string())),
                Err(error) if error.meaning() != Meaning::Exists => Err(error),
                _ => Ok(Look::There(())),
            }
        })
        .await
    }

    pub(super) fn group_id(&self, name: &ResourceName) -> Result<String, NotYet> {
        let known = self.lock();
        known
            .security_groups
            .get(name)
            .cloned()
            .ok_or_else(|| NotYet(format!("security-group/{name}")))
    }

    fn permission(&self, rule: &Rule) -> Result<IpPermission, AwsError> {
        let permission = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(i32::from(rule.first_port))
            .to_port(i32::from(rule.last_port));
        let pair = |id: String| UserIdGroupPair::builder().group_id(id).build();
        Ok(match &rule.from {
            RuleSource::Range(range) if range.contains(':') => permission
                .ipv6_ranges(Ipv6Range::builder().cidr_ipv6(range).build())
                .build(),
            RuleSource::Range(range) => permission
                .ip_ranges(IpRange::builder().cidr_ip(range).build())
                .build(),
            RuleSource::Group(name) => permission
                .user_id_group_pairs(pair(self.group_id(name)?))
                .build(),
            RuleSource::Foreign(id) => permission.user_id_group_pairs(pair(id.clone())).build(),
        })
    }

    /// The tags of a resource that EC2 makes, for the call that makes it.
    pub(super) fn specification(
        &self,
        kind_in_ec2: ResourceType,
        kind: Kind,
        name: &ResourceName,
        more: &[(&str, &str)],
    ) -> TagSpecification {
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let ours = self.tags(kind, name);
        let shown = format!("{} {name}", self.scope.deployment);
        TagSpecification::builder()
            .resource_type(kind_in_ec2)
            .set_tags(Some(
                ours.iter()
                    .map(|(key, value)| tag(key, value))
                    .chain(more.iter().map(|(key, value)| tag(key, value)))
                    .chain([tag("Name", &shown)])
                    .collect(),
            ))
            .build()
    }
}
