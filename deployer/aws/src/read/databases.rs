//! Databases and what they leave or stand on, found by name: RDS cannot filter by tag.

use aws_sdk_rds::types::{DbInstance, Tag};
use deployer_core::inventory::{Endpoint, FoundDatabase, Pending, StrayKind};
use deployer_core::names::{Scope, TAG_DEPLOYMENT};

use super::extras::instant;
use super::listing::Part;
use crate::account::Account;
use crate::error::AwsError;

pub(super) async fn databases(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let pages = account
        .rds
        .describe_db_instances()
        .set_max_records(page_size(account))
        .into_paginator()
        .send();
    let mut part = Part::default();
    part.read_pages("DescribeDBInstances", pages, |part, page| {
        for database in page.db_instances() {
            let id = database.db_instance_identifier().unwrap_or_default();
            if let Some(found) = read_database(scope, database) {
                part.inventory.databases.push(found);
            } else if is_ours(scope, &[id], database.tag_list()) {
                let stray = part.stray(StrayKind::Database, id);
                stray.state = database.db_instance_status().unwrap_or_default().to_owned();
                stray.created = instant(database.instance_create_time());
            }
        }
        page.db_instances().len()
    })
    .await?;
    Ok(part)
}

/// Snapshots of ours. Automated ones go with their database, and with its backups.
pub(super) async fn snapshots(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let pages = account
        .rds
        .describe_db_snapshots()
        .set_max_records(page_size(account))
        .into_paginator()
        .send();
    let mut part = Part::default();
    part.read_pages("DescribeDBSnapshots", pages, |part, page| {
        for snapshot in page.db_snapshots() {
            let id = snapshot.db_snapshot_identifier().unwrap_or_default();
            let database = snapshot.db_instance_identifier().unwrap_or_default();
            if !is_ours(scope, &[id, database], snapshot.tag_list()) {
                continue;
            }
            let stray = part.stray(StrayKind::DatabaseSnapshot, id);
            stray.state = snapshot.status().unwrap_or_default().to_owned();
            stray.created = instant(snapshot.snapshot_create_time());
            stray.gib = snapshot.allocated_storage().and_then(gib);
            if snapshot.snapshot_type() == Some("automated") {
                part.held_by(id, database);
            }
        }
        page.db_snapshots().len()
    })
    .await?;
    Ok(part)
}

/// Automated backups that outlived their database. Those of one that is there go with it.
pub(super) async fn backups(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let pages = account
        .rds
        .describe_db_instance_automated_backups()
        .set_max_records(page_size(account))
        .into_paginator()
        .send();
    let mut part = Part::default();
    part.read_pages("DescribeDBInstanceAutomatedBackups", pages, |part, page| {
        for backup in page.db_instance_automated_backups() {
            let database = backup.db_instance_identifier().unwrap_or_default();
            if let Some(id) = backup.dbi_resource_id()
                && is_ours(scope, &[database], backup.tag_list())
            {
                let state = backup.status().unwrap_or_default();
                let stray = part.stray(StrayKind::DatabaseBackup, id);
                stray.state = format!("{state}, {database}");
                stray.gib = backup.allocated_storage().and_then(gib);
                part.held_by(id, database);
            }
        }
        page.db_instance_automated_backups().len()
    })
    .await?;
    Ok(part)
}

pub(super) async fn subnet_groups(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let pages = account
        .rds
        .describe_db_subnet_groups()
        .set_max_records(page_size(account))
        .into_paginator()
        .send();
    let mut part = Part::default();
    part.read_pages("DescribeDBSubnetGroups", pages, |part, page| {
        let groups = page.db_subnet_groups();
        for name in groups.iter().filter_map(|g| g.db_subnet_group_name()) {
            if is_ours(scope, &[name], &[]) {
                part.stray(StrayKind::SubnetGroup, name);
            }
        }
        groups.len()
    })
    .await?;
    Ok(part)
}

pub(super) async fn parameter_groups(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let pages = account
        .rds
        .describe_db_parameter_groups()
        .set_max_records(page_size(account))
        .into_paginator()
        .send();
    let mut part = Part::default();
    part.read_pages("DescribeDBParameterGroups", pages, |part, page| {
        let groups = page.db_parameter_groups();
        for name in groups.iter().filter_map(|g| g.db_parameter_group_name()) {
            if is_ours(scope, &[name], &[]) {
                part.stray(StrayKind::ParameterGroup, name);
            }
        }
        groups.len()
    })
    .await?;
    Ok(part)
}

/// Whether one of the names is our hashed one, or the tag is ours.
fn is_ours(scope: &Scope, names: &[&str], tags: &[Tag]) -> bool {
    let prefix = format!("{}-", scope.prefix());
    names.iter().any(|name| name.starts_with(&prefix))
        || tags.iter().any(|t| {
            t.key() == Some(TAG_DEPLOYMENT) && t.value() == Some(scope.deployment.as_str())
        })
}

/// RDS takes 20 to 100.
fn page_size(account: &Account) -> Option<i32> {
    account.page_size.map(|size| size.clamp(20, 100))
}

pub(crate) fn read_database(scope: &Scope, database: &DbInstance) -> Option<FoundDatabase> {
    let id = database.db_instance_identifier()?;
    let resource = id
        .strip_prefix(&scope.prefix())?
        .strip_prefix('-')?
        .parse()
        .ok()?;
    let endpoint = database.endpoint().and_then(|e| {
        Some(Endpoint {
            host: e.address()?.to_owned(),
            port: u16::try_from(e.port()?).ok()?,
        })
    });
    Some(FoundDatabase {
        id: id.to_owned(),
        resource,
        state: database.db_instance_status().unwrap_or_default().to_owned(),
        endpoint,
        class: database.db_instance_class().unwrap_or_default().to_owned(),
        storage_gib: database
            .allocated_storage()
            .and_then(gib)
            .unwrap_or_default(),
        pending: pending(database),
        groups: database
            .vpc_security_groups()
            .iter()
            .filter_map(|g| g.vpc_security_group_id().map(str::to_owned))
            .collect(),
        created: instant(database.instance_create_time()),
    })
}

fn pending(database: &DbInstance) -> Pending {
    let Some(pending) = database.pending_modified_values() else {
        return Pending::default();
    };
    Pending {
        class: pending.db_instance_class().map(str::to_owned),
        storage_gib: pending.allocated_storage().and_then(gib),
    }
}

fn gib(size: i32) -> Option<u32> {
    u32::try_from(size).ok()
}
