//! The tag that says when a deployment ends, on everything that it has.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Filter;
use deployer_core::expiry::{Expiry, Taggable, Timers};
use deployer_core::inventory::{FoundRole, Inventory, Profile};
use deployer_core::names::{Scope, TAG_DEPLOYMENT, TAG_EXPIRES_AT};
use deployer_core::policy::{partition, with_expiry};

use crate::account::Account;
use crate::carry_out::POLICY_NAME;
use crate::error::{AwsError, During, Meaning, gone_is_fine};
use crate::stored;

/// How many resources one CreateTags is given; it takes a thousand.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html>
const AT_ONCE: usize = 500;

/// Reads the tag of everything in the inventory, and of what hangs on it in EC2.
///
/// # Errors
/// The first call that failed. What goes away meanwhile is left out.
pub async fn read(
    account: &Account,
    scope: &Scope,
    inventory: &Inventory,
) -> Result<Timers, AwsError> {
    if inventory.is_empty() {
        return Ok(Timers::default());
    }
    let mut timers = ec2(account, scope, inventory).await?;
    for database in inventory.databases.iter().filter(|d| d.state != "deleting") {
        let found = database_tag(account, &database.id).await?;
        timers.extend(found.map(|end| (Taggable::Database(database.id.clone()), end)));
    }
    for role in &inventory.roles {
        timers.extend(role_tags(account, role).await?);
    }
    for bucket in &inventory.buckets {
        let tags = stored::tags(account, &bucket.name).await?;
        timers.extend(tags.map(|tags| {
            let end = tags.get(TAG_EXPIRES_AT).and_then(|end| end.parse().ok());
            (Taggable::Bucket(bucket.name.clone()), end)
        }));
    }
    Ok(Timers(timers))
}

/// All that carries our tag in EC2: instances, volumes, snapshots, images, groups, interfaces. An
/// instance that has ended keeps its tags for a while.
async fn ec2(
    account: &Account,
    scope: &Scope,
    inventory: &Inventory,
) -> Result<Vec<(Taggable, Option<Expiry>)>, AwsError> {
    let keys = Filter::builder()
        .name("key")
        .values(TAG_DEPLOYMENT)
        .values(TAG_EXPIRES_AT);
    let mut pages = account
        .ec2
        .describe_tags()
        .filters(keys.build())
        .into_paginator()
        .items()
        .send();
    let (mut ours, mut ends) = (Vec::new(), BTreeMap::new());
    while let Some(tag) = pages.next().await {
        let tag = tag.during("DescribeTags")?;
        let (Some(id), Some(key), Some(value)) = (tag.resource_id(), tag.key(), tag.value()) else {
            continue;
        };
        if key == TAG_EXPIRES_AT {
            ends.insert(id.to_owned(), value.parse().ok());
        } else if value == scope.deployment.as_str() {
            ours.push(id.to_owned());
        }
    }
    let lives =
        |id: &String| !id.starts_with("i-") || inventory.instances.iter().any(|i| &i.id == id);
    let ours = ours.into_iter().filter(lives);
    let timers = ours.map(|id| {
        let end = ends.get(&id).copied().flatten();
        (Taggable::Ec2(id), end)
    });
    Ok(timers.collect())
}

/// `None` when it is gone.
async fn database_tag(account: &Account, id: &str) -> Result<Option<Option<Expiry>>, AwsError> {
    let request = account.rds.list_tags_for_resource();
    let answer = request
        .resource_name(database_arn(account, id))
        .send()
        .await;
    match answer.during("ListTagsForResource") {
        Err(error) if error.meaning() == Meaning::NotFound => Ok(None),
        answer => {
            let answer = answer?;
            let tag = answer
                .tag_list()
                .iter()
                .find(|t| t.key() == Some(TAG_EXPIRES_AT));
            Ok(Some(tag.and_then(|t| t.value()?.parse().ok())))
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Tagging.ARN.Constructing.html>
fn database_arn(account: &Account, id: &str) -> String {
    let partition = partition(&account.region);
    format!(
        "arn:{partition}:rds:{}:{}:db:{id}",
        account.region, account.id
    )
}

/// Those of a role and of its profile.
async fn role_tags(
    account: &Account,
    role: &FoundRole,
) -> Result<Vec<(Taggable, Option<Expiry>)>, AwsError> {
    let end = |tags: &[aws_sdk_iam::types::Tag]| -> Option<Expiry> {
        let tag = tags.iter().find(|tag| tag.key() == TAG_EXPIRES_AT);
        tag.and_then(|tag| tag.value().parse().ok())
    };
    let mut found = Vec::new();
    let request = account.iam.list_role_tags().role_name(&role.name);
    match request.send().await.during("ListRoleTags") {
        Err(error) if error.meaning() == Meaning::NotFound => {}
        answer => found.push((Taggable::Role(role.name.clone()), end(answer?.tags()))),
    }
    if role.profile == Profile::Missing {
        return Ok(found);
    }
    let request = account.iam.get_instance_profile();
    let answer = request.instance_profile_name(&role.name).send().await;
    match answer.during("GetInstanceProfile") {
        Err(error) if error.meaning() == Meaning::NotFound => {}
        answer => {
            let profile = answer?.instance_profile;
            let tags = profile.map(|profile| profile.tags.unwrap_or_default());
            let end = end(&tags.unwrap_or_default());
            found.push((Taggable::Profile(role.name.clone()), end));
        }
    }
    Ok(found)
}

/// Sets the tag on all of these. What is gone needs none.
///
/// # Errors
/// The first call that failed.
pub async fn mark(
    account: &Account,
    things: &[Taggable],
    expires_at: Expiry,
) -> Result<(), AwsError> {
    let end = expires_at.to_string();
    let in_ec2 = things.iter().filter_map(|thing| match thing {
        Taggable::Ec2(id) => Some(id.clone()),
        _ => None,
    });
    let in_ec2: Vec<String> = in_ec2.collect();
    for ids in in_ec2.chunks(AT_ONCE) {
        mark_in_ec2(account, ids, &end).await?;
    }
    for thing in things {
        mark_elsewhere(account, thing, &end).await?;
    }
    Ok(())
}

/// One call for all; where one of them is gone EC2 tags none, and then it is one call for each.
async fn mark_in_ec2(account: &Account, ids: &[String], end: &str) -> Result<(), AwsError> {
    match create_tags(account, ids, end).await {
        Err(error) if may_be_gone(&error) => {
            for id in ids {
                mark_if_there(account, id, end).await?;
            }
            Ok(())
        }
        all => all,
    }
}

async fn mark_if_there(account: &Account, id: &str, end: &str) -> Result<(), AwsError> {
    match create_tags(account, &[id.to_owned()], end).await {
        Err(error) if may_be_gone(&error) && !carries_tags(account, id).await? => Ok(()),
        done => done,
    }
}

/// A permission that is tied to tags ends with them.
fn may_be_gone(error: &AwsError) -> bool {
    [Meaning::NotFound, Meaning::NotAllowed].contains(&error.meaning())
}

async fn carries_tags(account: &Account, id: &str) -> Result<bool, AwsError> {
    let this = Filter::builder().name("resource-id").values(id);
    let request = account.ec2.describe_tags().filters(this.build());
    let answer = request.send().await.during("DescribeTags")?;
    Ok(!answer.tags().is_empty())
}

async fn create_tags(account: &Account, ids: &[String], end: &str) -> Result<(), AwsError> {
    let tag = aws_sdk_ec2::types::Tag::builder()
        .key(TAG_EXPIRES_AT)
        .value(end)
        .build();
    let request = account.ec2.create_tags().set_resources(Some(ids.to_vec()));
    let answer = request.tags(tag).send().await;
    answer.during("CreateTags").map(drop)
}

async fn mark_elsewhere(account: &Account, thing: &Taggable, end: &str) -> Result<(), AwsError> {
    match thing {
        Taggable::Ec2(_) => Ok(()),
        Taggable::Database(id) => {
            let tag = aws_sdk_rds::types::Tag::builder()
                .key(TAG_EXPIRES_AT)
                .value(end)
                .build();
            let request = account.rds.add_tags_to_resource();
            let request = request.resource_name(database_arn(account, id)).tags(tag);
            gone_is_fine(request.send().await.during("AddTagsToResource"))
        }
        Taggable::Role(name) => {
            let request = account.iam.tag_role().role_name(name);
            let request = request.tags(iam_tag("TagRole", end)?);
            gone_is_fine(request.send().await.during("TagRole"))
        }
        Taggable::Profile(name) => {
            let request = account.iam.tag_instance_profile();
            let request = request.instance_profile_name(name);
            let request = request.tags(iam_tag("TagInstanceProfile", end)?);
            gone_is_fine(request.send().await.during("TagInstanceProfile"))
        }
        Taggable::Bucket(name) => stored::set_tag(account, name, TAG_EXPIRES_AT, end).await,
    }
}

fn iam_tag(operation: &'static str, end: &str) -> Result<aws_sdk_iam::types::Tag, AwsError> {
    let missing = |_| AwsError::Incomplete {
        operation,
        what: "tag",
    };
    aws_sdk_iam::types::Tag::builder()
        .key(TAG_EXPIRES_AT)
        .value(end)
        .build()
        .map_err(missing)
}

/// Puts the instant into the policies of our roles, which say what is allowed only after it.
///
/// # Errors
/// The first call that failed.
pub async fn rewrite_policies(
    account: &Account,
    inventory: &Inventory,
    expires_at: Expiry,
) -> Result<(), AwsError> {
    for role in &inventory.roles {
        let Some(policy) = role.policy.as_deref() else {
            continue;
        };
        if let Some(policy) = with_expiry(policy, expires_at) {
            let request = account.iam.put_role_policy().role_name(&role.name);
            let request = request.policy_name(POLICY_NAME).policy_document(policy);
            gone_is_fine(request.send().await.during("PutRolePolicy"))?;
        }
    }
    Ok(())
}
