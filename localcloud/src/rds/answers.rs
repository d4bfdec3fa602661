//! Answers about databases, as the wire has them.

use crate::wire::Xml;

use super::database::{Database, Status};

/// What an answer needs to know besides the database.
pub(crate) struct Surroundings<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) vpc: String,
    /// Id and zone.
    pub(crate) subnets: Vec<(String, String)>,
}

/// `arn:aws:rds:<region>:<account>:db:<identifier>`.
pub(crate) fn arn(account: &str, region: &str, identifier: &str) -> String {
    format!("arn:aws:rds:{region}:{account}:db:{identifier}")
}

/// `<DBInstance>…</DBInstance>`.
pub(crate) fn instance(
    xml: &mut Xml,
    around: &Surroundings<'_>,
    identifier: &str,
    database: &Database,
) {
    let major = database
        .engine_version
        .split('.')
        .next()
        .unwrap_or_default();
    // "The endpoint might not be shown for instances with the status of creating."
    let reachable = !matches!(database.status, Status::Creating | Status::Failed);
    xml.element("DBInstance", |xml| {
        xml.text("DBInstanceIdentifier", identifier)
            .text("DBInstanceClass", &database.size.class)
            .text("Engine", "postgres")
            .text("DBInstanceStatus", database.status.name())
            .text("MasterUsername", &database.master)
            .optional("DBName", database.name.as_ref());
        if reachable {
            xml.element("Endpoint", |xml| {
                xml.text("Address", database.address)
                    .text("Port", database.port)
                    .text("HostedZoneId", "ZLOCALCLOUD");
            })
            .text("InstanceCreateTime", database.created);
        }
        xml.text("AllocatedStorage", database.size.storage)
            .text("PreferredBackupWindow", "03:00-03:30")
            .text("BackupRetentionPeriod", database.size.retention)
            .text("DBSecurityGroups", "")
            .list(
                "VpcSecurityGroups",
                "VpcSecurityGroupMembership",
                &database.groups,
                |xml, group| {
                    xml.text("VpcSecurityGroupId", group)
                        .text("Status", "active");
                },
            )
            .element("DBParameterGroups", |xml| {
                xml.element("DBParameterGroup", |xml| {
                    xml.text("DBParameterGroupName", format!("default.postgres{major}"))
                        .text("ParameterApplyStatus", "in-sync");
                });
            })
            .text("AvailabilityZone", &database.zone);
        subnet_group(xml, around);
        xml.text("PreferredMaintenanceWindow", "sun:04:00-sun:04:30");
        pending(xml, database);
        xml.text("MultiAZ", database.multi_az)
            .text("EngineVersion", &database.engine_version)
            .text("AutoMinorVersionUpgrade", database.minor_upgrades)
            .text("ReadReplicaDBInstanceIdentifiers", "")
            .text("LicenseModel", "postgresql-license")
            .element("OptionGroupMemberships", |xml| {
                xml.element("OptionGroupMembership", |xml| {
                    xml.text("OptionGroupName", format!("default:postgres-{major}"))
                        .text("Status", "in-sync");
                });
            })
            .text("PubliclyAccessible", database.public)
            .text("StorageType", &database.storage_type)
            .text("DbInstancePort", 0)
            .text("StorageEncrypted", database.encrypted)
            .text("DbiResourceId", &database.resource_id)
            .text("CACertificateIdentifier", "localcloud")
            .text("DomainMemberships", "")
            .text("CopyTagsToSnapshot", database.copy_tags)
            .text("MonitoringInterval", 0)
            .text(
                "DBInstanceArn",
                arn(around.account, around.region, identifier),
            )
            .text("IAMDatabaseAuthenticationEnabled", false)
            .text("PerformanceInsightsEnabled", false)
            .text("DeletionProtection", database.deletion_protection)
            .text("AssociatedRoles", "");
        tags(xml, database);
    });
}

/// `<TagList>…</TagList>`.
pub(crate) fn tags(xml: &mut Xml, database: &Database) {
    xml.list("TagList", "Tag", &database.tags, |xml, (key, value)| {
        xml.text("Key", key).text("Value", value);
    });
}

fn subnet_group(xml: &mut Xml, around: &Surroundings<'_>) {
    xml.element("DBSubnetGroup", |xml| {
        xml.text("DBSubnetGroupName", "default")
            .text("DBSubnetGroupDescription", "default")
            .text("VpcId", &around.vpc)
            .text("SubnetGroupStatus", "Complete")
            .list("Subnets", "Subnet", &around.subnets, |xml, (id, zone)| {
                xml.text("SubnetIdentifier", id)
                    .element("SubnetAvailabilityZone", |xml| {
                        xml.text("Name", zone);
                    })
                    .text("SubnetStatus", "Active");
            });
    });
}

fn pending(xml: &mut Xml, database: &Database) {
    xml.element("PendingModifiedValues", |xml| {
        xml.optional("DBInstanceClass", database.pending.class.as_ref())
            .optional("AllocatedStorage", database.pending.storage)
            .optional("BackupRetentionPeriod", database.pending.retention);
    });
}
