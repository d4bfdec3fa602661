//! Why something would not go: what of whose holds it, and the one command that frees it. Asked only
//! when a removal has failed, and read-only.

use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, InstanceAttributeName, Volume};
use deployer_core::destroy::{Removal, RemovalAction};
use deployer_core::inventory::StrayKind;
use serde::{Deserialize, Serialize};

use super::roles::{attached, profiles_of};
use crate::account::Account;
use crate::error::{AwsError, During};
use crate::read::name_of;

/// What holds a thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// What it is, and whose.
    pub what: String,
    /// The command that ends it, for a shell.
    pub command: String,
    /// Whether it stays until somebody ends it. What AWS keeps for a service goes by itself.
    pub stays: bool,
}

/// What holds a thing that would not go. Empty where nothing is known to; whatever cannot be read is
/// left out, since the removal's own error stands beside it.
pub async fn holders(account: &Account, removal: &Removal) -> Vec<Holder> {
    let id = &removal.id;
    let found = match &removal.action {
        RemovalAction::SecurityGroup | RemovalAction::Stray(StrayKind::SecurityGroup) => {
            of_group(account, id).await
        }
        RemovalAction::Bucket | RemovalAction::Stray(StrayKind::Bucket) => {
            of_bucket(account, id).await
        }
        RemovalAction::Role | RemovalAction::Stray(StrayKind::Role) => of_role(account, id).await,
        RemovalAction::Database | RemovalAction::Stray(StrayKind::Database) => {
            of_database(account, id).await
        }
        RemovalAction::Instance | RemovalAction::Stray(StrayKind::Instance) => {
            of_instance(account, id).await
        }
        RemovalAction::Volume => of_volume(account, id).await,
        RemovalAction::Interface => of_interface(account, id).await,
        RemovalAction::Snapshot => of_snapshots(account, std::slice::from_ref(id)).await,
        RemovalAction::Image { snapshots } => of_snapshots(account, snapshots).await,
        RemovalAction::Stray(StrayKind::Address) => of_address(account, id).await,
        RemovalAction::Stray(StrayKind::SubnetGroup) => of_subnet_group(account, id).await,
        _ => Ok(Vec::new()),
    };
    let mut found = found.unwrap_or_default();
    let region = format!(" --region {}", account.region);
    for holder in &mut found {
        holder.command.push_str(&region);
    }
    found
}

fn holder(what: String, command: String) -> Holder {
    Holder {
        what,
        command,
        stays: true,
    }
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

async fn of_group(account: &Account, id: &str) -> Result<Vec<Holder>, AwsError> {
    let mut found = interfaces_in(account, id).await?;
    found.extend(rules_naming(account, id).await?);
    let mut databases = account
        .rds
        .describe_db_instances()
        .into_paginator()
        .items()
        .send();
    while let Some(database) = databases.next().await {
        let database = database.during("DescribeDBInstances")?;
        let mut groups = database.vpc_security_groups().iter();
        if groups.any(|g| g.vpc_security_group_id() == Some(id)) {
            let name = database.db_instance_identifier().unwrap_or_default();
            found.push(holder(
                format!("the database {name} is in it"),
                format!(
                    "aws rds modify-db-instance --db-instance-identifier {name} --vpc-security-group-ids OTHER-GROUP"
                ),
            ));
        }
    }
    Ok(found)
}

async fn interfaces_in(account: &Account, group: &str) -> Result<Vec<Holder>, AwsError> {
    let mut pages = account
        .ec2
        .describe_network_interfaces()
        .filters(filter("group-id", group))
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(interface) = pages.next().await {
        let interface = interface.during("DescribeNetworkInterfaces")?;
        let id = interface.network_interface_id().unwrap_or_default();
        let name = name_of(interface.tag_set(), interface.description());
        let attached = interface.attachment().and_then(|a| a.instance_id());
        let mut held = match attached {
            Some(instance) => holder(
                format!("the network interface {id}{name} of the instance {instance} is in it"),
                format!(
                    "aws ec2 modify-network-interface-attribute --network-interface-id {id} --groups OTHER-GROUP"
                ),
            ),
            None => holder(
                format!("the network interface {id}{name} is in it"),
                format!("aws ec2 delete-network-interface --network-interface-id {id}"),
            ),
        };
        // Databases leave theirs for minutes.
        held.stays = interface.requester_managed() != Some(true);
        found.push(held);
    }
    Ok(found)
}

async fn rules_naming(account: &Account, group: &str) -> Result<Vec<Holder>, AwsError> {
    let mut found = Vec::new();
    for (direction, name) in [
        ("ingress", "ip-permission.group-id"),
        ("egress", "egress.ip-permission.group-id"),
    ] {
        let mut pages = account
            .ec2
            .describe_security_groups()
            .filters(filter(name, group))
            .into_paginator()
            .items()
            .send();
        while let Some(other) = pages.next().await {
            let other = other.during("DescribeSecurityGroups")?;
            let id = other.group_id().unwrap_or_default();
            if id == group {
                continue;
            }
            let rules = rules_of(account, id, group, direction == "egress").await?;
            let ids = rules.join(" ");
            let called = name_of(other.tags(), other.group_name());
            found.push(holder(
                format!("a rule of the security group {id}{called} names it ({ids})"),
                format!(
                    "aws ec2 revoke-security-group-{direction} --group-id {id} --security-group-rule-ids {ids}"
                ),
            ));
        }
    }
    Ok(found)
}

/// The rules of one group that name another.
async fn rules_of(
    account: &Account,
    group: &str,
    named: &str,
    egress: bool,
) -> Result<Vec<String>, AwsError> {
    let mut pages = account
        .ec2
        .describe_security_group_rules()
        .filters(filter("group-id", group))
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(rule) = pages.next().await {
        let rule = rule.during("DescribeSecurityGroupRules")?;
        let names = rule.referenced_group_info().and_then(|g| g.group_id());
        if names == Some(named) && rule.is_egress() == Some(egress) {
            found.extend(rule.security_group_rule_id().map(str::to_owned));
        }
    }
    Ok(found)
}

/// What has been written to it since it was emptied.
async fn of_bucket(account: &Account, name: &str) -> Result<Vec<Holder>, AwsError> {
    let answer = account.s3.list_objects_v2().bucket(name).max_keys(1).send();
    let answer = answer.await.during("ListObjectsV2")?;
    let newest = answer.contents().first().and_then(|o| o.key());
    Ok(newest
        .map(|key| {
            holder(
                format!("somebody goes on writing to it, {key} for one; stop the writer first"),
                format!("aws s3 rb s3://{name} --force"),
            )
        })
        .into_iter()
        .collect())
}

async fn of_role(account: &Account, name: &str) -> Result<Vec<Holder>, AwsError> {
    let mut found = Vec::new();
    for profile in profiles_of(account, name).await? {
        found.push(holder(
            format!("the instance profile {profile}, which is not ours, holds it"),
            format!(
                "aws iam remove-role-from-instance-profile --instance-profile-name {profile} --role-name {name}"
            ),
        ));
    }
    for arn in attached(account, name).await? {
        found.push(holder(
            format!("the policy {arn} is attached to it"),
            format!("aws iam detach-role-policy --role-name {name} --policy-arn {arn}"),
        ));
    }
    Ok(found)
}

async fn of_database(account: &Account, id: &str) -> Result<Vec<Holder>, AwsError> {
    let request = account.rds.describe_db_instances();
    let answer = request.db_instance_identifier(id).send().await;
    let answer = answer.during("DescribeDBInstances")?;
    let mut databases = answer.db_instances().iter();
    Ok(
        if databases.any(|d| d.deletion_protection() == Some(true)) {
            vec![holder(
                "it is protected from deletion".to_owned(),
                format!(
                    "aws rds modify-db-instance --db-instance-identifier {id} --no-deletion-protection --apply-immediately"
                ),
            )]
        } else {
            Vec::new()
        },
    )
}

async fn of_instance(account: &Account, id: &str) -> Result<Vec<Holder>, AwsError> {
    let request = account
        .ec2
        .describe_instance_attribute()
        .instance_id(id)
        .attribute(InstanceAttributeName::DisableApiTermination);
    let answer = request.send().await.during("DescribeInstanceAttribute")?;
    let is_protected = answer
        .disable_api_termination()
        .and_then(AttributeBooleanValue::value);
    Ok(if is_protected == Some(true) {
        vec![holder(
            "it is protected from termination".to_owned(),
            format!(
                "aws ec2 modify-instance-attribute --instance-id {id} --no-disable-api-termination"
            ),
        )]
    } else {
        Vec::new()
    })
}

async fn of_volume(account: &Account, id: &str) -> Result<Vec<Holder>, AwsError> {
    let answer = account.ec2.describe_volumes().volume_ids(id).send().await;
    let answer = answer.during("DescribeVolumes")?;
    let attachments = answer.volumes().iter().flat_map(Volume::attachments);
    Ok(attachments
        .filter_map(|a| a.instance_id())
        .map(|instance| {
            holder(
                format!("it is attached to the instance {instance}, which is not ours"),
                format!("aws ec2 detach-volume --volume-id {id}"),
            )
        })
        .collect())
}

async fn of_interface(account: &Account, id: &str) -> Result<Vec<Holder>, AwsError> {
    let request = account.ec2.describe_network_interfaces();
    let answer = request.network_interface_ids(id).send().await;
    let answer = answer.during("DescribeNetworkInterfaces")?;
    let attachments = answer.network_interfaces().iter();
    Ok(attachments
        .filter_map(|i| i.attachment())
        .map(|attachment| {
            let instance = attachment.instance_id().unwrap_or("a service of AWS");
            let attachment = attachment.attachment_id().unwrap_or_default();
            holder(
                format!("it is attached to {instance}, which is not ours"),
                format!("aws ec2 detach-network-interface --attachment-id {attachment}"),
            )
        })
        .collect())
}

async fn of_snapshots(account: &Account, ids: &[String]) -> Result<Vec<Holder>, AwsError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let by_snapshot = Filter::builder()
        .name("block-device-mapping.snapshot-id")
        .set_values(Some(ids.to_vec()));
    let mut pages = account
        .ec2
        .describe_images()
        .owners("self")
        .filters(by_snapshot.build())
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(image) = pages.next().await {
        let image = image.during("DescribeImages")?;
        let id = image.image_id().unwrap_or_default();
        let called = name_of(image.tags(), image.name());
        found.push(holder(
            format!("the image {id}{called}, which is not ours, is made of its snapshot"),
            format!("aws ec2 deregister-image --image-id {id}"),
        ));
    }
    Ok(found)
}

async fn of_address(account: &Account, id: &str) -> Result<Vec<Holder>, AwsError> {
    let answer = account.ec2.describe_addresses().allocation_ids(id).send();
    let answer = answer.await.during("DescribeAddresses")?;
    let associated = answer.addresses().iter();
    Ok(associated
        .filter_map(|a| Some((a.association_id()?, a.instance_id())))
        .map(|(association, instance)| {
            let holds = instance.unwrap_or("a network interface");
            holder(
                format!("it is the address of {holds}, which is not ours"),
                format!("aws ec2 disassociate-address --association-id {association}"),
            )
        })
        .collect())
}

async fn of_subnet_group(account: &Account, name: &str) -> Result<Vec<Holder>, AwsError> {
    let mut pages = account
        .rds
        .describe_db_instances()
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(database) = pages.next().await {
        let database = database.during("DescribeDBInstances")?;
        let group = database.db_subnet_group();
        if group.and_then(|g| g.db_subnet_group_name()) == Some(name) {
            let id = database.db_instance_identifier().unwrap_or_default();
            found.push(holder(
                format!("the database {id}, which is not ours, is in it"),
                format!(
                    "aws rds modify-db-instance --db-instance-identifier {id} --db-subnet-group-name OTHER-GROUP --apply-immediately"
                ),
            ));
        }
    }
    Ok(found)
}
