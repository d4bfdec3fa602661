//! Databases, found by name: RDS cannot filter by tag.

use aws_sdk_rds::types::DbInstance;
use aws_smithy_types::date_time::Format;
use deployer_core::inventory::{Endpoint, FoundDatabase, Pending};
use deployer_core::names::Scope;

use crate::account::Account;
use crate::error::{AwsError, During};

pub(super) async fn databases(
    account: &Account,
    scope: &Scope,
) -> Result<Vec<FoundDatabase>, AwsError> {
    let mut pages = account
        .rds
        .describe_db_instances()
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(database) = pages.next().await {
        found.extend(read_database(
            scope,
            &database.during("DescribeDBInstances")?,
        ));
    }
    Ok(found)
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
        created: database
            .instance_create_time()
            .and_then(|t| t.fmt(Format::DateTime).ok()),
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
