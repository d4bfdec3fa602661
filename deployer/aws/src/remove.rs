//! Removes one thing. What is gone already is a success.

use std::time::Duration;

use aws_sdk_ec2::types::{InstanceStateName, IpPermission, Reservation};

use crate::account::Account;
use crate::error::{AwsError, During, Meaning, gone_is_fine};
use crate::progress::Progress;
use crate::stored;
use crate::wait::{Look, until};

mod blocked;
mod roles;
mod strays;

pub use blocked::{Holder, holders};
pub use roles::{profile, role};
pub use strays::stray;

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
        account.target.pace,
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

/// Deletes a database with its backups, and waits until it is gone. `last` is the name of the
/// snapshot that is made of it before, if one is.
///
/// # Errors
/// When RDS refuses, or it is not gone in time.
pub async fn database(
    account: &Account,
    id: &str,
    last: Option<&str>,
    progress: &Progress,
) -> Result<(), AwsError> {
    let what = format!("database {id}");
    until(
        &what,
        account.target.pace,
        DATABASE_DEADLINE,
        progress,
        async || {
            // It is not told twice: a permission that is tied to its tags ends when it is gone.
            let look = database_state(account, id).await?;
            if !matches!(&look, Look::NotYet(state) if state != "deleting") {
                return Ok(look);
            }
            match delete_database(account, id, last).await {
                // Gone or going meanwhile, or in a state that does not allow it yet.
                Err(error) if [Meaning::NotFound, Meaning::InUse].contains(&error.meaning()) => {
                    Ok(look)
                }
                Err(error) => Err(error),
                Ok(()) => Ok(Look::NotYet("deleting".to_owned())),
            }
        },
    )
    .await
}

async fn delete_database(account: &Account, id: &str, last: Option<&str>) -> Result<(), AwsError> {
    let request = account
        .rds
        .delete_db_instance()
        .db_instance_identifier(id)
        .skip_final_snapshot(last.is_none())
        .set_final_db_snapshot_identifier(last.map(str::to_owned))
        .delete_automated_backups(true);
    request.send().await.during("DeleteDBInstance").map(drop)
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

/// Takes away the rules of a group that let anything in or name a group: two that name each other
/// could not go.
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
    let answer = match answer.during("DescribeSecurityGroups") {
        Err(error) if error.meaning() == Meaning::NotFound => return Ok(()),
        answer => answer?,
    };
    let Some(group) = answer.security_groups().first() else {
        return Ok(());
    };
    let ingress = group.ip_permissions().to_vec();
    if !ingress.is_empty() {
        let request = account.ec2.revoke_security_group_ingress().group_id(id);
        let request = request.set_ip_permissions(Some(ingress));
        gone_is_fine(request.send().await.during("RevokeSecurityGroupIngress"))?;
    }
    let egress: Vec<IpPermission> = group
        .ip_permissions_egress()
        .iter()
        .filter_map(to_groups)
        .collect();
    if !egress.is_empty() {
        let request = account.ec2.revoke_security_group_egress().group_id(id);
        let request = request.set_ip_permissions(Some(egress));
        gone_is_fine(request.send().await.during("RevokeSecurityGroupEgress"))?;
    }
    Ok(())
}

/// What of a permission names groups.
fn to_groups(permission: &IpPermission) -> Option<IpPermission> {
    let groups = permission.user_id_group_pairs();
    (!groups.is_empty()).then(|| {
        IpPermission::builder()
            .set_ip_protocol(permission.ip_protocol().map(str::to_owned))
            .set_from_port(permission.from_port())
            .set_to_port(permission.to_port())
            .set_user_id_group_pairs(Some(groups.to_vec()))
            .build()
    })
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
    until(&what, account.target.pace, deadline, progress, async || {
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
    })
    .await
}

/// Empties and deletes a bucket.
///
/// # Errors
/// When S3 refuses, or somebody goes on writing to it.
pub async fn bucket(account: &Account, name: &str, progress: &Progress) -> Result<(), AwsError> {
    stored::remove(account, name, progress).await
}
