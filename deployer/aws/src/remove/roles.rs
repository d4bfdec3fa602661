//! Removes roles and instance profiles.

use crate::account::Account;
use crate::carry_out::POLICY_NAME;
use crate::error::{AwsError, During, Meaning, gone_is_fine};

/// Deletes an instance profile of ours, taking out of it whatever role is in it.
///
/// # Errors
/// When IAM refuses.
pub async fn profile(account: &Account, name: &str) -> Result<(), AwsError> {
    match gone_is_fine(delete_profile(account, name).await) {
        Err(error) if error.meaning() == Meaning::InUse => {}
        result => return result,
    }
    let request = account.iam.get_instance_profile();
    let answer = request.instance_profile_name(name).send().await;
    let answer = answer.during("GetInstanceProfile")?;
    for role in answer.instance_profile().iter().flat_map(|p| p.roles()) {
        take_out(account, name, role.role_name()).await?;
    }
    gone_is_fine(delete_profile(account, name).await)
}

async fn delete_profile(account: &Account, name: &str) -> Result<(), AwsError> {
    let request = account.iam.delete_instance_profile();
    let answer = request.instance_profile_name(name).send().await;
    answer.during("DeleteInstanceProfile").map(drop)
}

async fn take_out(account: &Account, profile: &str, role: &str) -> Result<(), AwsError> {
    let request = account
        .iam
        .remove_role_from_instance_profile()
        .instance_profile_name(profile)
        .role_name(role);
    gone_is_fine(request.send().await.during("RemoveRoleFromInstanceProfile"))
}

/// Deletes a role with its profile and its policies, in the one order that IAM allows.
///
/// # Errors
/// When IAM refuses.
pub async fn role(account: &Account, name: &str) -> Result<(), AwsError> {
    take_out(account, name, name).await?;
    profile(account, name).await?;
    remove_inline(account, name, POLICY_NAME).await?;
    match gone_is_fine(delete_role(account, name).await) {
        // Somebody has given it more than we did. What hangs on the role goes with it; a profile
        // that is not ours stays as it is.
        Err(error) if error.meaning() == Meaning::InUse => {
            strip(account, name).await?;
            gone_is_fine(delete_role(account, name).await)
        }
        result => result,
    }
}

async fn delete_role(account: &Account, name: &str) -> Result<(), AwsError> {
    let answer = account.iam.delete_role().role_name(name).send().await;
    answer.during("DeleteRole").map(drop)
}

async fn remove_inline(account: &Account, role: &str, policy: &str) -> Result<(), AwsError> {
    let request = account
        .iam
        .delete_role_policy()
        .role_name(role)
        .policy_name(policy);
    gone_is_fine(request.send().await.during("DeleteRolePolicy"))
}

/// Takes every policy off a role of ours. A managed policy itself is not touched.
async fn strip(account: &Account, role: &str) -> Result<(), AwsError> {
    let mut pages = account
        .iam
        .list_role_policies()
        .role_name(role)
        .into_paginator()
        .items()
        .send();
    while let Some(policy) = pages.next().await {
        remove_inline(account, role, &policy.during("ListRolePolicies")?).await?;
    }
    for arn in attached(account, role).await? {
        let request = account
            .iam
            .detach_role_policy()
            .role_name(role)
            .policy_arn(arn);
        gone_is_fine(request.send().await.during("DetachRolePolicy"))?;
    }
    Ok(())
}

/// The managed policies attached to a role, by their ARNs.
pub(super) async fn attached(account: &Account, role: &str) -> Result<Vec<String>, AwsError> {
    let mut pages = account
        .iam
        .list_attached_role_policies()
        .role_name(role)
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(policy) = pages.next().await {
        let policy = policy.during("ListAttachedRolePolicies")?;
        found.extend(policy.policy_arn().map(str::to_owned));
    }
    Ok(found)
}

/// The profiles that hold a role.
pub(super) async fn profiles_of(account: &Account, role: &str) -> Result<Vec<String>, AwsError> {
    let mut pages = account
        .iam
        .list_instance_profiles_for_role()
        .role_name(role)
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(profile) = pages.next().await {
        let profile = profile.during("ListInstanceProfilesForRole")?;
        found.push(profile.instance_profile_name().to_owned());
    }
    Ok(found)
}
