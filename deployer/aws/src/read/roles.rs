//! Roles and instance profiles, found by their path: an account has one IAM for all regions.

use aws_sdk_iam::types::{InstanceProfile, Role};
use deployer_core::inventory::{FoundRole, Profile};
use deployer_core::names::{ResourceName, Scope};
use percent_encoding::percent_decode_str;

use crate::account::Account;
use crate::carry_out::POLICY_NAME;
use crate::error::{AwsError, During, Meaning};

/// The roles that are ours, and the profiles of ours whose role is gone.
pub(super) async fn roles(
    account: &Account,
    scope: &Scope,
) -> Result<(Vec<FoundRole>, Vec<String>), AwsError> {
    let (roles, profiles) =
        tokio::try_join!(list_roles(account, scope), list_profiles(account, scope))?;
    let mut found = Vec::new();
    for role in &roles {
        if let Some(resource) = resource_name(scope, role.role_name()) {
            let profile = profiles
                .iter()
                .find(|p| p.instance_profile_name() == role.role_name());
            found.push(FoundRole {
                name: role.role_name().to_owned(),
                resource,
                policy: policy_of(account, role.role_name()).await?,
                profile: match profile {
                    None => Profile::Missing,
                    Some(p) if p.roles().is_empty() => Profile::Empty,
                    Some(_) => Profile::Ready,
                },
            });
        }
    }
    let lone = |p: &&InstanceProfile| {
        !roles
            .iter()
            .any(|r| r.role_name() == p.instance_profile_name())
    };
    let lone = profiles
        .iter()
        .filter(lone)
        .map(|p| p.instance_profile_name().to_owned())
        .collect();
    Ok((found, lone))
}

/// The blueprint's name of a role, cut out of the name it has in IAM.
fn resource_name(scope: &Scope, name: &str) -> Option<ResourceName> {
    let rest = name.strip_prefix(&scope.prefix())?.strip_prefix('-')?;
    rest.rsplit_once('-')?.0.parse().ok()
}

async fn list_roles(account: &Account, scope: &Scope) -> Result<Vec<Role>, AwsError> {
    let mut pages = account
        .iam
        .list_roles()
        .path_prefix(scope.iam_path())
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(role) = pages.next().await {
        found.push(role.during("ListRoles")?);
    }
    Ok(found)
}

async fn list_profiles(account: &Account, scope: &Scope) -> Result<Vec<InstanceProfile>, AwsError> {
    let mut pages = account
        .iam
        .list_instance_profiles()
        .path_prefix(scope.iam_path())
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(profile) = pages.next().await {
        found.push(profile.during("ListInstanceProfiles")?);
    }
    Ok(found)
}

async fn policy_of(account: &Account, role: &str) -> Result<Option<String>, AwsError> {
    let answer = account
        .iam
        .get_role_policy()
        .role_name(role)
        .policy_name(POLICY_NAME)
        .send()
        .await;
    match answer.during("GetRolePolicy") {
        // IAM answers policies URL-encoded (RFC 3986).
        Ok(answer) => {
            let text = percent_decode_str(answer.policy_document()).decode_utf8_lossy();
            Ok(Some(text.into_owned()))
        }
        Err(error) if error.meaning() == Meaning::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
