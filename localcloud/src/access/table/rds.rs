//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html>

use super::{Call, Row, on_everything, tags};
use crate::access::decision::Check;
use crate::access::keys::Keys;

pub(super) const ROWS: &[(&str, Row)] = &[
    ("CreateDBInstance", create),
    ("DescribeDBInstances", on_database),
    ("ModifyDBInstance", on_database),
    ("DeleteDBInstance", on_database),
    ("StopDBInstance", on_database),
    ("StartDBInstance", on_database),
    ("AddTagsToResource", on_named),
    ("RemoveTagsFromResource", on_named),
    ("ListTagsForResource", on_named),
    ("DescribeAccountAttributes", on_everything),
    ("DescribeDBEngineVersions", on_everything),
    ("DescribeOrderableDBInstanceOptions", on_everything),
    ("DescribeDBSnapshots", |call| {
        on_kind(call, "snapshot", "DBSnapshotIdentifier")
    }),
    ("DeleteDBSnapshot", |call| {
        on_kind(call, "snapshot", "DBSnapshotIdentifier")
    }),
    ("CreateDBSubnetGroup", on_subnet_group),
    ("DescribeDBSubnetGroups", on_subnet_group),
    ("DeleteDBSubnetGroup", on_subnet_group),
    ("CreateDBParameterGroup", on_parameter_group),
    ("DescribeDBParameterGroups", on_parameter_group),
    ("DeleteDBParameterGroup", on_parameter_group),
    ("DescribeDBInstanceAutomatedBackups", on_backup),
    ("DeleteDBInstanceAutomatedBackup", on_backup),
];

fn on_subnet_group(call: &Call<'_>) -> Vec<Check> {
    on_kind(call, "subgrp", "DBSubnetGroupName")
}

fn on_parameter_group(call: &Call<'_>) -> Vec<Check> {
    on_kind(call, "pg", "DBParameterGroupName")
}

fn on_backup(call: &Call<'_>) -> Vec<Check> {
    on_kind(call, "auto-backup", "DbiResourceId")
}

/// The database named; all of them, `db:*`, if none is.
fn on_database(call: &Call<'_>) -> Vec<Check> {
    let Some(identifier) = identifier(call) else {
        return on_kind(call, "db", "DBInstanceIdentifier");
    };
    let keys = call.resources.database(&call.caller.region, &identifier);
    vec![call.on(arn(call, "db", &identifier), keys)]
}

/// Identifiers are kept in lower case.
fn identifier(call: &Call<'_>) -> Option<String> {
    let given = call.params.get("DBInstanceIdentifier")?;
    Some(given.to_ascii_lowercase())
}

fn on_kind(call: &Call<'_>, kind: &str, parameter: &str) -> Vec<Check> {
    let name = call.params.get(parameter).unwrap_or("*");
    vec![call.on(arn(call, kind, name), Keys::default())]
}

/// What `ResourceName`, an ARN, names.
fn on_named(call: &Call<'_>) -> Vec<Check> {
    let Some(arn) = call.params.get("ResourceName") else {
        return on_everything(call);
    };
    let identifier = arn.rsplit(':').next().unwrap_or_default();
    let removed = call.params.list("TagKeys");
    let mut keys = call
        .resources
        .database(&call.caller.region, identifier)
        .with_requested_tags(&tags(call.params, "Tags"));
    if !removed.is_empty() {
        keys = keys.with_all("aws:TagKeys", removed);
    }
    vec![call.on(arn, keys)]
}

fn create(call: &Call<'_>) -> Vec<Check> {
    let params = call.params;
    let database = arn(call, "db", &identifier(call).unwrap_or("*".to_owned()));
    let tags = tags(params, "Tags");
    let keys = Keys::default()
        .with_requested_tags(&tags)
        .with_tags("rds:req-tag", tags.iter().map(|(key, value)| (key, value)))
        .with_some("rds:DatabaseClass", params.get("DBInstanceClass"))
        .with_some("rds:DatabaseEngine", params.get("Engine"))
        .with_some("rds:DatabaseName", params.get("DBName"))
        .with_some("rds:StorageSize", params.get("AllocatedStorage"))
        .with("rds:MultiAz", params.get("MultiAZ").unwrap_or("false"))
        .with(
            "rds:StorageEncrypted",
            params.get("StorageEncrypted").unwrap_or("false"),
        );
    let subnets = params.get("DBSubnetGroupName").unwrap_or("default");
    let mut checks = vec![
        call.on(database.as_str(), keys.clone()),
        call.on(arn(call, "subgrp", subnets), keys.clone()),
    ];
    let named = [("pg", "DBParameterGroupName"), ("og", "OptionGroupName")];
    for (kind, parameter) in named {
        if let Some(name) = params.get(parameter) {
            checks.push(call.on(arn(call, kind, name), keys.clone()));
        }
    }
    if !tags.is_empty() {
        checks.push(call.also("rds:AddTagsToResource", database, keys));
    }
    checks
}

fn arn(call: &Call<'_>, kind: &str, name: &str) -> String {
    let (region, account) = (&call.caller.region, &call.caller.account);
    format!("arn:aws:rds:{region}:{account}:{kind}:{name}")
}
