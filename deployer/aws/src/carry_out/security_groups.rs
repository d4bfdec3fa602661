//! Security groups and their rules.

use aws_sdk_ec2::types::{
    IpPermission, IpRange, Ipv6Range, ResourceType, Tag, TagSpecification, UserIdGroupPair,
};
use deployer_core::inventory::{Rule, RuleSource};
use deployer_core::names::{Kind, ResourceName};
use deployer_core::settings::NotYet;

use super::Site;
use crate::error::{AwsError, During, Meaning};

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
            .during("CreateSecurityGroup")?;
        let id = answer.group_id().ok_or(AwsError::Incomplete {
            operation: "CreateSecurityGroup",
            what: "id",
        })?;
        self.learn(|k| drop(k.security_groups.insert(resource.clone(), id.to_owned())));
        Ok(id.to_owned())
    }

    /// Opens before it closes, so that what stays allowed never stops.
    pub(super) async fn change_rules(
        &self,
        resource: &ResourceName,
        add: &[Rule],
        remove: &[Rule],
    ) -> Result<(), AwsError> {
        let id = self.group_id(resource)?;
        for rule in add {
            let permission = self.permission(rule)?;
            let request = self
                .account
                .ec2
                .authorize_security_group_ingress()
                .group_id(&id);
            let answer = request.ip_permissions(permission).send().await;
            match answer.during("AuthorizeSecurityGroupIngress") {
                Err(error) if error.meaning() != Meaning::Exists => return Err(error),
                _ => {}
            }
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
