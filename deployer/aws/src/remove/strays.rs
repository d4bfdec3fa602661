//! Removes what no section of a blueprint stands for.

use std::time::Duration;

use deployer_core::inventory::StrayKind;

use crate::account::Account;
use crate::error::{AwsError, During, gone_is_fine};
use crate::log_groups;
use crate::progress::Progress;

/// Deletes one thing, and waits where it goes slowly: for `patience` where others hold a group.
///
/// # Errors
/// When AWS refuses.
pub async fn stray(
    account: &Account,
    kind: StrayKind,
    id: &str,
    patience: Duration,
    progress: &Progress,
) -> Result<(), AwsError> {
    match kind {
        StrayKind::Instance => super::instances(account, &[id.to_owned()], progress).await,
        StrayKind::Database => super::database(account, id, None, progress).await,
        StrayKind::Bucket => super::bucket(account, id, progress).await,
        StrayKind::SecurityGroup => super::security_group(account, id, patience, progress).await,
        StrayKind::Image => super::image(account, id, &[]).await,
        StrayKind::Role => super::role(account, id).await,
        StrayKind::Address | StrayKind::KeyPair | StrayKind::LaunchTemplate => {
            of_ec2(account, kind, id).await
        }
        StrayKind::DatabaseSnapshot
        | StrayKind::DatabaseBackup
        | StrayKind::SubnetGroup
        | StrayKind::ParameterGroup => of_rds(account, kind, id).await,
        StrayKind::Alarm => {
            let request = account.cloudwatch.delete_alarms().alarm_names(id);
            gone_is_fine(request.send().await.during("DeleteAlarms"))
        }
        StrayKind::Dashboard => {
            let request = account.cloudwatch.delete_dashboards().dashboard_names(id);
            gone_is_fine(request.send().await.during("DeleteDashboards"))
        }
        StrayKind::LogGroup => log_groups::delete(account, id).await,
    }
}

async fn of_ec2(account: &Account, kind: StrayKind, id: &str) -> Result<(), AwsError> {
    let ec2 = &account.ec2;
    match kind {
        StrayKind::Address => {
            let request = ec2.release_address().allocation_id(id);
            gone_is_fine(request.send().await.during("ReleaseAddress"))
        }
        StrayKind::KeyPair => {
            let request = ec2.delete_key_pair().key_pair_id(id);
            gone_is_fine(request.send().await.during("DeleteKeyPair"))
        }
        _ => {
            let request = ec2.delete_launch_template().launch_template_id(id);
            gone_is_fine(request.send().await.during("DeleteLaunchTemplate"))
        }
    }
}

async fn of_rds(account: &Account, kind: StrayKind, id: &str) -> Result<(), AwsError> {
    let rds = &account.rds;
    match kind {
        StrayKind::DatabaseSnapshot => {
            let request = rds.delete_db_snapshot().db_snapshot_identifier(id);
            gone_is_fine(request.send().await.during("DeleteDBSnapshot"))
        }
        StrayKind::DatabaseBackup => {
            let request = rds
                .delete_db_instance_automated_backup()
                .dbi_resource_id(id);
            let answer = request.send().await;
            gone_is_fine(answer.during("DeleteDBInstanceAutomatedBackup"))
        }
        StrayKind::SubnetGroup => {
            let request = rds.delete_db_subnet_group().db_subnet_group_name(id);
            gone_is_fine(request.send().await.during("DeleteDBSubnetGroup"))
        }
        _ => {
            let request = rds.delete_db_parameter_group().db_parameter_group_name(id);
            gone_is_fine(request.send().await.during("DeleteDBParameterGroup"))
        }
    }
}
