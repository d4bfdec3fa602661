//! Which deployments there are in a region, found by nothing but what is there.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::Filter;
use deployer_core::names::{DeploymentName, Scope, TAG_DEPLOYMENT, TAG_OWNER};

use crate::account::Account;
use crate::error::{AwsError, During};

/// The tag that says until when a deployment may live, RFC 3339.
const TAG_EXPIRES_AT: &str = "bivouac:expires-at";

/// A deployment, as far as its tags and names tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its name.
    pub name: DeploymentName,
    /// When it expires, RFC 3339: the latest instant that any of its resources names.
    pub expires: Option<String>,
    /// Who made it.
    pub owner: Option<String>,
}

/// Every deployment that has anything in the account's region.
///
/// # Errors
/// The first listing that failed: then one may have been missed.
pub async fn deployments(account: &Account) -> Result<Vec<Deployment>, AwsError> {
    let (mut found, buckets, databases, roles) = tokio::try_join!(
        tagged(account),
        by_buckets(account),
        by_databases(account),
        by_roles(account),
    )?;
    for name in buckets.into_iter().chain(databases).chain(roles) {
        found.entry(name).or_default();
    }
    let deployment = |(name, said): (DeploymentName, Said)| Deployment {
        name,
        expires: said.expires,
        owner: said.owner,
    };
    Ok(found.into_iter().map(deployment).collect())
}

/// What tags say of a deployment.
#[derive(Debug, Default)]
struct Said {
    expires: Option<String>,
    owner: Option<String>,
}

/// What EC2's tags say: a resource's other tags come on lines of their own.
async fn tagged(account: &Account) -> Result<BTreeMap<DeploymentName, Said>, AwsError> {
    let keys = [TAG_DEPLOYMENT, TAG_EXPIRES_AT, TAG_OWNER].map(str::to_owned);
    let by_key = Filter::builder().name("key").set_values(Some(keys.into()));
    let mut pages = account
        .ec2
        .describe_tags()
        .filters(by_key.build())
        .set_max_results(account.page_size)
        .into_paginator()
        .items()
        .send();
    let mut resources: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    while let Some(tag) = pages.next().await {
        let tag = tag.during("DescribeTags")?;
        if let (Some(id), Some(key), Some(value)) = (tag.resource_id(), tag.key(), tag.value()) {
            let tags = resources.entry(id.to_owned()).or_default();
            tags.insert(key.to_owned(), value.to_owned());
        }
    }
    let mut found: BTreeMap<DeploymentName, Said> = BTreeMap::new();
    for mut tags in resources.into_values() {
        let Some(name) = tags.get(TAG_DEPLOYMENT).and_then(|name| name.parse().ok()) else {
            continue;
        };
        let said = found.entry(name).or_default();
        // Instants of one form compare as texts.
        said.expires = said.expires.take().max(tags.remove(TAG_EXPIRES_AT));
        said.owner = said.owner.take().or(tags.remove(TAG_OWNER));
    }
    Ok(found)
}

async fn by_buckets(account: &Account) -> Result<BTreeSet<DeploymentName>, AwsError> {
    let mut pages = account
        .s3
        .list_buckets()
        .prefix("bivouac-")
        .set_max_buckets(account.page_size)
        .into_paginator()
        .items()
        .send();
    let mut found = BTreeSet::new();
    while let Some(bucket) = pages.next().await {
        let bucket = bucket.during("ListBuckets")?;
        found.extend(bucket.name().and_then(|name| named(account, name)));
    }
    Ok(found)
}

async fn by_databases(account: &Account) -> Result<BTreeSet<DeploymentName>, AwsError> {
    let mut pages = account
        .rds
        .describe_db_instances()
        .into_paginator()
        .items()
        .send();
    let mut found = BTreeSet::new();
    while let Some(database) = pages.next().await {
        let database = database.during("DescribeDBInstances")?;
        let id = database.db_instance_identifier();
        found.extend(id.and_then(|id| named(account, id)));
    }
    Ok(found)
}

/// Where roles may not be listed, the other kinds tell.
async fn by_roles(account: &Account) -> Result<BTreeSet<DeploymentName>, AwsError> {
    let mut pages = account
        .iam
        .list_roles()
        .path_prefix("/bivouac/")
        .set_max_items(account.page_size)
        .into_paginator()
        .items()
        .send();
    let mut found = BTreeSet::new();
    while let Some(role) = pages.next().await {
        match role.during("ListRoles") {
            Err(error) if error.meaning() == crate::error::Meaning::NotAllowed => break,
            role => found.extend(named(account, role?.role_name())),
        }
    }
    Ok(found)
}

/// The deployment whose hashed name a name begins with, if it is one of this account and region.
fn named(account: &Account, name: &str) -> Option<DeploymentName> {
    let rest = name.strip_prefix("bivouac-")?;
    rest.match_indices('-').find_map(|(at, _)| {
        let deployment: DeploymentName = rest[..at].parse().ok()?;
        let scope = Scope {
            account: account.id.clone(),
            region: account.region.clone(),
            deployment,
        };
        let hashed = format!("{}-", scope.prefix());
        name.starts_with(&hashed).then_some(scope.deployment)
    })
}
