//! Roles and instance profiles, found by their path: an account has one IAM for all regions.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::Role;
use deployer_core::inventory::{FoundRole, Profile, StrayKind};
use deployer_core::names::{ResourceName, Scope};
use percent_encoding::percent_decode_str;

use super::listing::Part;
use crate::account::Account;
use crate::carry_out::POLICY_NAME;
use crate::error::{AwsError, During, Meaning};

/// The roles that are ours, and the profiles of ours whose role is gone.
pub(super) async fn roles(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let mut part = Part::default();
    let roles = list_roles(account, scope, &mut part).await?;
    let profiles = list_profiles(account, scope, &mut part).await?;
    for name in &roles {
        let profile = profiles.get(name).copied().unwrap_or(Profile::Missing);
        note_role(account, scope, name, profile, &mut part).await?;
    }
    let lone = profiles.keys().filter(|name| !roles.contains(*name));
    part.inventory.lone_profiles.extend(lone.cloned());
    Ok(part)
}

/// The roles of these names, asked for one by one.
pub(super) async fn by_name(
    account: &Account,
    scope: &Scope,
    names: &BTreeSet<&String>,
) -> Result<Part, AwsError> {
    let mut part = Part::default();
    for name in names {
        let role = account.iam.get_role().role_name(*name).send().await;
        let profile = profile_named(account, name).await?;
        match role.during("GetRole") {
            Ok(_) => note_role(account, scope, name, profile, &mut part).await?,
            Err(error) if error.meaning() == Meaning::NotFound => {
                if profile != Profile::Missing {
                    part.inventory.lone_profiles.push((*name).clone());
                }
            }
            Err(error) => return Err(error),
        }
    }
    let count = names.len();
    part.notes.push(format!(
        "these credentials may not list roles: {count} known by name, each asked for"
    ));
    part.read_at_once("GetRole", &vec![(); count], |_, ()| {});
    part.count_ours();
    Ok(part)
}

async fn profile_named(account: &Account, name: &str) -> Result<Profile, AwsError> {
    let request = account.iam.get_instance_profile();
    let answer = request.instance_profile_name(name).send().await;
    match answer.during("GetInstanceProfile") {
        Err(error) if error.meaning() == Meaning::NotFound => Ok(Profile::Missing),
        answer => Ok(match answer?.instance_profile() {
            Some(profile) if !profile.roles().is_empty() => Profile::Ready,
            _ => Profile::Empty,
        }),
    }
}

async fn note_role(
    account: &Account,
    scope: &Scope,
    name: &str,
    profile: Profile,
    part: &mut Part,
) -> Result<(), AwsError> {
    let Some(resource) = resource_name(scope, name) else {
        part.stray(StrayKind::Role, name);
        return Ok(());
    };
    part.inventory.roles.push(FoundRole {
        name: name.to_owned(),
        resource,
        policy: policy_of(account, name).await?,
        profile,
    });
    Ok(())
}

/// The blueprint's name of a role, cut out of the name it has in IAM.
fn resource_name(scope: &Scope, name: &str) -> Option<ResourceName> {
    let rest = name.strip_prefix(&scope.prefix())?.strip_prefix('-')?;
    rest.rsplit_once('-')?.0.parse().ok()
}

/// The names on our path that carry our hash: a path alone is anybody's to use.
async fn list_roles(
    account: &Account,
    scope: &Scope,
    part: &mut Part,
) -> Result<BTreeSet<String>, AwsError> {
    let pages = account
        .iam
        .list_roles()
        .path_prefix(scope.iam_path())
        .set_max_items(account.page_size)
        .into_paginator()
        .send();
    let mut found = BTreeSet::new();
    part.read_pages("ListRoles", pages, |_, page| {
        let names = page.roles().iter().map(Role::role_name);
        found.extend(names.filter(|n| is_hashed(scope, n)).map(str::to_owned));
        page.roles().len()
    })
    .await?;
    Ok(found)
}

async fn list_profiles(
    account: &Account,
    scope: &Scope,
    part: &mut Part,
) -> Result<BTreeMap<String, Profile>, AwsError> {
    let pages = account
        .iam
        .list_instance_profiles()
        .path_prefix(scope.iam_path())
        .set_max_items(account.page_size)
        .into_paginator()
        .send();
    let mut found = BTreeMap::new();
    part.read_pages("ListInstanceProfiles", pages, |_, page| {
        for profile in page.instance_profiles() {
            let holds = match profile.roles() {
                [] => Profile::Empty,
                _ => Profile::Ready,
            };
            let name = profile.instance_profile_name();
            if is_hashed(scope, name) {
                found.insert(name.to_owned(), holds);
            }
        }
        page.instance_profiles().len()
    })
    .await?;
    Ok(found)
}

fn is_hashed(scope: &Scope, name: &str) -> bool {
    name.starts_with(&format!("{}-", scope.prefix()))
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
