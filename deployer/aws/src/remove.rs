//! Removes one thing. What is gone already is a success.

use std::time::Duration;

use aws_sdk_ec2::types::{InstanceStateName, IpPermission, Reservation};

use crate::account::Account;
use crate::error::{AwsError, During, Meaning, gone_is_fine};
use crate::progress::Progress;
use crate::wait::{Look, until};
use crate::{carry_out::POLICY_NAME, stored};

const INSTANCE_DEADLINE: Duration = Duration::from_secs(10 * 60);
const DATABASE_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// Interfaces of databases and instances linger for minutes and hold their group.
pub const GROUP_DEADLINE: Duration = Duration::from_secs(15 * 60);

/// Terminates instances and waits until they are.
///
/// # Errors
/// When EC2 refuses, or they are not gone in time.
pub async fn instances(
    account: &Account,
    ids: &[String],
    progress: &Progress,
) -> Result<(), AwsError> {
    if ids.is_empty() {
        return Ok(());
    }
    let request = account
        .ec2
        .terminate_instances()
        .set_instance_ids(Some(ids.to_vec()));
    gone_is_fine(request.send().await.during("TerminateInstances"))?;
    let what = format!("instances {}", ids.join(", "));
    until(
        &what,
        account.target.pace.poll,
        INSTANCE_DEADLINE,
        progress,
        async || {
            let answer = account
                .ec2
                .describe_instances()
                .set_instance_ids(Some(ids.to_vec()))
                .send()
                .await;
            let answer = match answer.during("DescribeInstances") {
                Err(error) if error.meaning() == Meaning::NotFound => return Ok(Look::There(())),
                answer => answer?,
            };
            let left = answer
                .reservations()
                .iter()
                .flat_map(Reservation::instances)
                .filter(|i| {
                    i.state().and_then(|s| s.name()) != Some(&InstanceStateName::Terminated)
                })
                .count();
            Ok(if left == 0 {
                Look::There(())
            } else {
                Look::NotYet(format!("{left} shutting down"))
            })
        },
    )
    .await
}

/// Deregisters an image and deletes its snapshots, which cannot go before it.
///
/// # Errors
/// When EC2 refuses.
pub async fn image(account: &Account, id: &str, snapshots: &[String]) -> Result<(), AwsError> {
    gone_is_fine(
        account
            .ec2
            .deregister_image()
            .image_id(id)
            .send()
            .await
            .during("DeregisterImage"),
    )?;
    for snapshot_id in snapshots {
        snapshot(account, snapshot_id).await?;
    }
    Ok(())
}

/// Deletes a snapshot.
///
/// # Errors
/// When EC2 refuses.
pub async fn snapshot(account: &Account, id: &str) -> Result<(), AwsError> {
    gone_is_fine(
        account
            .ec2
            .delete_snapshot()
            .snapshot_id(id)
            .send()
            .await
            .during("DeleteSnapshot"),
    )
}

/// Deletes a volume.
///
/// # Errors
/// When EC2 refuses.
pub async fn volume(account: &Account, id: &str) -> Result<(), AwsError> {
    gone_is_fine(
        account
            .ec2
            .delete_volume()
            .volume_id(id)
            .send()
            .await
            .during("DeleteVolume"),
    )
}

/// Deletes a network interface.
///
/// # Errors
/// When EC2 refuses.
pub async fn interface(account: &Account, id: &str) -> Result<(), AwsError> {
    let request = account
        .ec2
        .delete_network_interface()
        .network_interface_id(id);
    gone_is_fine(request.send().await.during("DeleteNetworkInterface"))
}

/// Deletes a database with its backups, and waits until it is gone.
///
/// # Errors
/// When RDS refuses, or it is not gone in time.
pub async fn database(account: &Account, id: &str, progress: &Progress) -> Result<(), AwsError> {
    let what = format!("database {id}");
    until(
        &what,
        account.target.pace.poll,
        DATABASE_DEADLINE,
        progress,
        async || {
            let answer = account
                .rds
                .delete_db_instance()
                .db_instance_identifier(id)
                .skip_final_snapshot(true)
                .delete_automated_backups(true)
                .send()
                .await
                .during("DeleteDBInstance");
            match answer {
                Err(error) if error.meaning() == Meaning::NotFound => Ok(Look::There(())),
                // Being deleted, or in a state that does not allow it yet.
                Err(error) if error.meaning() == Meaning::InUse => {
                    database_state(account, id).await
                }
                Err(error) => Err(error),
                Ok(_) => Ok(Look::NotYet("deleting".to_owned())),
            }
        },
    )
    .await
}

async fn database_state(account: &Account, id: &str) -> Result<Look<()>, AwsError> {
    let answer = account
        .rds
        .describe_db_instances()
        .db_instance_identifier(id)
        .send()
        .await;
    match answer.during("DescribeDBInstances") {
        Err(error) if error.meaning() == Meaning::NotFound => Ok(Look::There(())),
        Err(error) => Err(error),
        Ok(answer) => {
            let state = answer
                .db_instances()
                .first()
                .and_then(|d| d.db_instance_status());
            Ok(Look::NotYet(state.unwrap_or("deleting").to_owned()))
        }
    }
}

/// Takes away every ingress rule of a group: two groups that name each other could not go.
///
/// # Errors
/// When EC2 refuses.
pub async fn rules(account: &Account, id: &str) -> Result<(), AwsError> {
    let answer = account
        .ec2
        .describe_security_groups()
        .group_ids(id)
        .send()
        .await;
    let permissions: Vec<IpPermission> = match answer.during("DescribeSecurityGroups") {
        Err(error) if error.meaning() == Meaning::NotFound => return Ok(()),
        answer => answer?
            .security_groups()
            .first()
            .map(|g| g.ip_permissions().to_vec())
            .unwrap_or_default(),
    };
    if permissions.is_empty() {
        return Ok(());
    }
    let request = account.ec2.revoke_security_group_ingress().group_id(id);
    gone_is_fine(
        request
            .set_ip_permissions(Some(permissions))
            .send()
            .await
            .during("RevokeSecurityGroupIngress"),
    )
}

/// Deletes a group, and waits for whatever still holds it.
///
/// # Errors
/// When EC2 refuses, or something holds it for too long.
pub async fn security_group(
    account: &Account,
    id: &str,
    deadline: Duration,
    progress: &Progress,
) -> Result<(), AwsError> {
    let what = format!("security group {id}");
    until(
        &what,
        account.target.pace.poll,
        deadline,
        progress,
        async || {
            let answer = account
                .ec2
                .delete_security_group()
                .group_id(id)
                .send()
                .await;
            match answer.during("DeleteSecurityGroup") {
                Err(error) if error.meaning() == Meaning::NotFound => Ok(Look::There(())),
                Err(error) if error.meaning() == Meaning::InUse => {
                    Ok(Look::NotYet("still in use".to_owned()))
                }
                Err(error) => Err(error),
                Ok(_) => Ok(Look::There(())),
            }
        },
    )
    .await
}

/// Empties and deletes a bucket.
///
/// # Errors
/// When S3 refuses.
pub async fn bucket(account: &Account, name: &str) -> Result<(), AwsError> {
    stored::remove(account, name).await
}

/// Deletes an instance profile that holds no role any more.
///
/// # Errors
/// When IAM refuses.
pub async fn profile(account: &Account, name: &str) -> Result<(), AwsError> {
    let request = account
        .iam
        .delete_instance_profile()
        .instance_profile_name(name);
    gone_is_fine(request.send().await.during("DeleteInstanceProfile"))
}

/// Deletes a role with its profile and policy, in the one order that IAM allows.
///
/// # Errors
/// When IAM refuses.
pub async fn role(account: &Account, name: &str) -> Result<(), AwsError> {
    let iam = &account.iam;
    let out = iam
        .remove_role_from_instance_profile()
        .instance_profile_name(name)
        .role_name(name);
    gone_is_fine(out.send().await.during("RemoveRoleFromInstanceProfile"))?;
    profile(account, name).await?;
    let policy = iam
        .delete_role_policy()
        .role_name(name)
        .policy_name(POLICY_NAME);
    gone_is_fine(policy.send().await.during("DeleteRolePolicy"))?;
    gone_is_fine(
        iam.delete_role()
            .role_name(name)
            .send()
            .await
            .during("DeleteRole"),
    )
}
