//! What databases there could be.

use crate::wire::{ApiError, Params, Xml};

/// Classes that are offered; a request may name others of the same families.
const CLASSES: [&str; 8] = [
    "db.t3.micro",
    "db.t3.small",
    "db.t3.medium",
    "db.t4g.micro",
    "db.t4g.small",
    "db.t4g.medium",
    "db.m6g.large",
    "db.m7g.large",
];
const STORAGE_TYPES: [&str; 2] = ["gp2", "gp3"];

/// Databases in a region.
pub(crate) const MOST_DATABASES: usize = 40;

/// `DescribeAccountAttributes`: of its many quotas the one that counts here. AWS's own default is the
/// same.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html>
pub(crate) fn account_attributes(databases: usize) -> String {
    let mut xml = Xml::fragment();
    xml.list("AccountQuotas", "AccountQuota", [databases], |xml, used| {
        xml.text("AccountQuotaName", "DBInstances")
            .text("Used", used)
            .text("Max", MOST_DATABASES);
    });
    xml.finish()
}

/// `DescribeDBEngineVersions`: the one PostgreSQL that there is, if the question includes it.
pub(crate) fn engine_versions(params: &Params, version: &str) -> String {
    let major = version.split('.').next().unwrap_or(version);
    let engine = params
        .get("Engine")
        .is_none_or(|engine| engine == "postgres");
    let included = engine
        && params
            .get("EngineVersion")
            .is_none_or(|asked| asked == version || asked == major);
    let mut xml = Xml::fragment();
    xml.list(
        "DBEngineVersions",
        "DBEngineVersion",
        included.then_some(version),
        |xml, version| {
            xml.text("Engine", "postgres")
                .text("EngineVersion", version)
                .text("MajorEngineVersion", major)
                .text("DBParameterGroupFamily", format!("postgres{major}"))
                .text("DBEngineDescription", "PostgreSQL")
                .text(
                    "DBEngineVersionDescription",
                    format!("PostgreSQL {version}"),
                )
                .text("Status", "available");
        },
    );
    xml.finish()
}

/// `DescribeOrderableDBInstanceOptions`.
///
/// # Errors
/// No engine is named.
pub(crate) fn orderable(
    params: &Params,
    version: &str,
    zones: &[String],
) -> Result<String, ApiError> {
    let engine = params.required("Engine")?;
    let asked = params.get("DBInstanceClass");
    let options = CLASSES
        .iter()
        .filter(|class| engine == "postgres" && asked.is_none_or(|asked| asked == **class))
        .flat_map(|class| STORAGE_TYPES.map(|storage| (class, storage)));
    let mut xml = Xml::fragment();
    xml.list(
        "OrderableDBInstanceOptions",
        "OrderableDBInstanceOption",
        options,
        |xml, (class, storage)| {
            xml.text("Engine", "postgres")
                .text("EngineVersion", version)
                .text("DBInstanceClass", class)
                .text("LicenseModel", "postgresql-license")
                .list(
                    "AvailabilityZones",
                    "AvailabilityZone",
                    zones,
                    |xml, zone| {
                        xml.text("Name", zone);
                    },
                )
                .text("Vpc", true)
                .text("StorageType", storage)
                .text("MinStorageSize", 20)
                .text("MaxStorageSize", 65_536)
                .text("MultiAZCapable", true)
                .text("SupportsStorageEncryption", true);
        },
    );
    Ok(xml.finish())
}
