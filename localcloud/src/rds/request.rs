//! What a request may ask for, checked as RDS checks it.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>

use std::collections::BTreeMap;

use crate::wire::{ApiError, Params};

use super::database::{Secret, Size};

/// Smallest and largest storage of PostgreSQL on general purpose volumes, in GiB.
const STORAGE: std::ops::RangeInclusive<i64> = 20..=65_536;
const STORAGE_TYPES: [&str; 5] = ["gp2", "gp3", "io1", "io2", "standard"];
const FAMILIES: [&str; 18] = [
    "t3", "t4g", "m5", "m5d", "m6g", "m6gd", "m6i", "m7g", "m7i", "m8g", "r5", "r6g", "r6i", "r7g",
    "r7i", "r8g", "x2g", "x2iedn",
];
const SIZES: [&str; 11] = [
    "micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge",
    "16xlarge", "24xlarge",
];
/// Names that RDS keeps for itself, and key words that cannot be a user.
const RESERVED: [&str; 12] = [
    "admin",
    "rdsadmin",
    "rds_superuser",
    "rdsrepladmin",
    "root",
    "user",
    "select",
    "table",
    "default",
    "all",
    "public",
    "none",
];
const MOST_TAGS: usize = 50;

/// A database that may be made.
#[derive(Debug, Clone)]
pub(crate) struct Creation {
    pub(crate) identifier: String,
    pub(crate) size: Size,
    pub(crate) storage_type: String,
    pub(crate) master: String,
    pub(crate) password: Secret,
    pub(crate) name: Option<String>,
    pub(crate) port: u16,
    pub(crate) zone: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) public: bool,
    pub(crate) multi_az: bool,
    pub(crate) encrypted: bool,
    pub(crate) minor_upgrades: bool,
    pub(crate) copy_tags: bool,
    pub(crate) deletion_protection: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Creation {
    /// Checks a `CreateDBInstance`.
    ///
    /// # Errors
    /// What RDS answers to the first thing that is wrong.
    pub(crate) fn parse(params: &Params) -> Result<Self, ApiError> {
        let identifier = identifier(params.required("DBInstanceIdentifier")?)?;
        let class = class(params.required("DBInstanceClass")?)?;
        let engine = params.required("Engine")?;
        if engine != "postgres" {
            return Err(invalid(format!(
                "Invalid DB engine: {engine}. localcloud has postgres."
            )));
        }
        version(params.get("EngineVersion"))?;
        let storage_type = storage_type(params.get("StorageType").unwrap_or("gp3"))?;
        let storage = params
            .integer("AllocatedStorage")?
            .ok_or_else(|| missing("AllocatedStorage"))?;
        let storage = check_storage(storage, &storage_type)?;
        if params.boolean("ManageMasterUserPassword")? == Some(true) {
            return Err(invalid(
                "localcloud has no Secrets Manager: give MasterUserPassword.".to_owned(),
            ));
        }
        let master = master(
            params
                .get("MasterUsername")
                .ok_or_else(|| missing("MasterUsername"))?,
        )?;
        let password = password(
            params
                .get("MasterUserPassword")
                .ok_or_else(|| missing("MasterUserPassword"))?,
        )?;
        if let Some(group) = params
            .get("DBSubnetGroupName")
            .filter(|name| *name != "default")
        {
            return Err(subnet_group_not_found(group));
        }
        Ok(Self {
            identifier,
            size: Size {
                class,
                storage,
                retention: retention(params)?.unwrap_or(1),
            },
            storage_type,
            master,
            password,
            name: params
                .get("DBName")
                .filter(|name| !name.is_empty())
                .map(database_name)
                .transpose()?,
            port: port(params)?,
            zone: params.get("AvailabilityZone").map(str::to_owned),
            groups: params.list("VpcSecurityGroupIds"),
            // "If DBSubnetGroupName isn't specified … PubliclyAccessible defaults to true."
            public: params.boolean("PubliclyAccessible")?.unwrap_or(true),
            multi_az: params.boolean("MultiAZ")?.unwrap_or(false),
            encrypted: params.boolean("StorageEncrypted")?.unwrap_or(false),
            minor_upgrades: params.boolean("AutoMinorVersionUpgrade")?.unwrap_or(true),
            copy_tags: params.boolean("CopyTagsToSnapshot")?.unwrap_or(false),
            deletion_protection: params.boolean("DeletionProtection")?.unwrap_or(false),
            tags: tags(params)?,
        })
    }
}

/// Changes that a `ModifyDBInstance` asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Modification {
    pub(crate) at_once: bool,
    pub(crate) password: Option<Secret>,
    pub(crate) class: Option<String>,
    pub(crate) storage: Option<i64>,
    pub(crate) retention: Option<i64>,
    pub(crate) groups: Vec<String>,
    pub(crate) public: Option<bool>,
    pub(crate) deletion_protection: Option<bool>,
    pub(crate) copy_tags: Option<bool>,
    pub(crate) minor_upgrades: Option<bool>,
}

/// What a modification may leave as it is even where localcloud cannot change it.
const MODIFIABLE: [&str; 12] = [
    "Action",
    "Version",
    "DBInstanceIdentifier",
    "ApplyImmediately",
    "MasterUserPassword",
    "DBInstanceClass",
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "VpcSecurityGroupIds",
    "PubliclyAccessible",
    "DeletionProtection",
    "CopyTagsToSnapshot",
];

impl Modification {
    /// Checks a `ModifyDBInstance`.
    ///
    /// # Errors
    /// What RDS answers, and a parameter that localcloud does not modify, by its name.
    pub(crate) fn parse(params: &Params) -> Result<Self, ApiError> {
        let unknown = params
            .names()
            .find(|name| !MODIFIABLE.contains(name) && *name != "AutoMinorVersionUpgrade");
        if let Some(unknown) = unknown {
            return Err(invalid(format!("localcloud does not modify {unknown}.")));
        }
        Ok(Self {
            at_once: params.boolean("ApplyImmediately")?.unwrap_or(false),
            password: params.get("MasterUserPassword").map(password).transpose()?,
            class: params.get("DBInstanceClass").map(class).transpose()?,
            storage: params.integer("AllocatedStorage")?,
            retention: retention(params)?,
            groups: params.list("VpcSecurityGroupIds"),
            public: params.boolean("PubliclyAccessible")?,
            deletion_protection: params.boolean("DeletionProtection")?,
            copy_tags: params.boolean("CopyTagsToSnapshot")?,
            minor_upgrades: params.boolean("AutoMinorVersionUpgrade")?,
        })
    }
}

/// Checks the storage of a growing volume: it never shrinks, and grows by a tenth at least.
pub(crate) fn check_growth(from: i64, to: i64, storage_type: &str) -> Result<i64, ApiError> {
    check_storage(to, storage_type)?;
    if to < from {
        return Err(invalid(
            "Requested storage is smaller than what is allocated; storage cannot shrink."
                .to_owned(),
        ));
    }
    if to > from && to * 10 < from * 11 {
        return Err(ApiError::new(
            "InvalidParameterCombination",
            format!(
                "Invalid storage size: from {from} GiB it grows to {} GiB at least.",
                (from * 11 + 9) / 10
            ),
        ));
    }
    Ok(to)
}

fn missing(name: &str) -> ApiError {
    ApiError::new(
        "InvalidParameterValue",
        format!("The parameter {name} must be provided and must not be blank."),
    )
}

fn invalid(message: String) -> ApiError {
    ApiError::new("InvalidParameterValue", message)
}

pub(crate) fn subnet_group_not_found(name: &str) -> ApiError {
    ApiError::with_status(
        http::StatusCode::NOT_FOUND,
        "DBSubnetGroupNotFoundFault",
        format!("DB subnet group '{name}' does not exist."),
    )
}

fn starts_with_letter(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
}

pub(super) fn identifier(text: &str) -> Result<String, ApiError> {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let sound = text.len() <= 63
        && starts_with_letter(text)
        && plain
        && !text.ends_with('-')
        && !text.contains("--");
    if sound {
        return Ok(text.to_ascii_lowercase());
    }
    Err(invalid(
        "The parameter DBInstanceIdentifier is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; must be 1 to 63 characters; and must not end with a hyphen or contain two consecutive hyphens.".to_owned(),
    ))
}

fn class(text: &str) -> Result<String, ApiError> {
    let mut parts = text.split('.');
    let known = parts.next() == Some("db")
        && parts
            .next()
            .is_some_and(|family| FAMILIES.contains(&family))
        && parts.next().is_some_and(|size| SIZES.contains(&size))
        && parts.next().is_none();
    if known {
        Ok(text.to_owned())
    } else {
        Err(invalid(format!("Invalid DB Instance class: {text}")))
    }
}

/// Any version that RDS has had is taken; the database runs on the PostgreSQL that is there.
fn version(text: Option<&str>) -> Result<(), ApiError> {
    let Some(text) = text else { return Ok(()) };
    let mut parts = text.split('.');
    let major = parts.next().and_then(|major| major.parse::<u32>().ok());
    let sound = major.is_some_and(|major| (11..=18).contains(&major))
        && parts.all(|part| part.parse::<u32>().is_ok());
    if sound {
        Ok(())
    } else {
        Err(invalid(format!("Cannot find version {text} for postgres")))
    }
}

fn storage_type(text: &str) -> Result<String, ApiError> {
    if STORAGE_TYPES.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(invalid(format!("Invalid storage type: {text}")))
}

fn check_storage(storage: i64, storage_type: &str) -> Result<i64, ApiError> {
    if STORAGE.contains(&storage) {
        return Ok(storage);
    }
    Err(invalid(format!(
        "Invalid storage size for engine name postgres and storage type {storage_type}: {storage}"
    )))
}

fn master(text: &str) -> Result<String, ApiError> {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !(1..=16).contains(&text.len()) || !starts_with_letter(text) || !plain {
        return Err(invalid(
            "The parameter MasterUsername is not a valid identifier because it must be 1 to 16 letters, digits or underscores and begin with a letter.".to_owned(),
        ));
    }
    let lower = text.to_ascii_lowercase();
    if RESERVED.contains(&lower.as_str()) || lower.starts_with("pg_") {
        return Err(invalid(format!(
            "MasterUsername {text} cannot be used as it is a reserved word used by the engine"
        )));
    }
    Ok(text.to_owned())
}

fn password(text: &str) -> Result<Secret, ApiError> {
    if !(8..=128).contains(&text.len()) {
        return Err(invalid(
            "The parameter MasterUserPassword is not a valid password because it is shorter than 8 or longer than 128 characters.".to_owned(),
        ));
    }
    if !text
        .chars()
        .all(|c| c.is_ascii_graphic() && !"/\"@".contains(c))
    {
        return Err(invalid(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.".to_owned(),
        ));
    }
    Ok(Secret(text.to_owned()))
}

fn database_name(text: &str) -> Result<String, ApiError> {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let taken = ["postgres", "template0", "template1", "rdsadmin"].contains(&text);
    if text.len() <= 63 && starts_with_letter(text) && plain && !taken {
        return Ok(text.to_owned());
    }
    Err(invalid(
        "DBName must begin with a letter and contain only alphanumeric characters.".to_owned(),
    ))
}

fn port(params: &Params) -> Result<u16, ApiError> {
    let port = params.integer("Port")?.unwrap_or(5432);
    u16::try_from(port)
        .ok()
        .filter(|port| *port >= 1150)
        .ok_or_else(|| {
            invalid(format!(
                "The port {port} is not in the range 1150 to 65535."
            ))
        })
}

fn retention(params: &Params) -> Result<Option<i64>, ApiError> {
    match params.integer("BackupRetentionPeriod")? {
        Some(days) if !(0..=35).contains(&days) => Err(invalid(format!(
            "Invalid backup retention period: {days}. Must be between 0 and 35."
        ))),
        days => Ok(days),
    }
}

/// The tags of a request, checked.
///
/// # Errors
/// Too many, too long, or given twice.
pub(crate) fn tags(params: &Params) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    for tag in params.structures("Tags") {
        let key = tag.required("Key")?;
        let value = tag.get("Value").unwrap_or_default();
        if key.chars().count() > 128 || value.chars().count() > 256 || key.starts_with("aws:") {
            return Err(invalid(format!("Invalid tag: {key}={value}")));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(invalid(format!("Duplicate tag key: {key}")));
        }
    }
    if tags.len() > MOST_TAGS {
        return Err(invalid(format!("A resource has at most {MOST_TAGS} tags.")));
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SOUND: &str = "DBInstanceIdentifier=My-Db&DBInstanceClass=db.t3.micro&Engine=postgres&AllocatedStorage=20&MasterUsername=bivouac&MasterUserPassword=longenough";

    fn parse(extra: &str) -> Result<Creation, ApiError> {
        let form = match extra.split_once('=') {
            Some((name, _)) => {
                let kept: Vec<_> = SOUND
                    .split('&')
                    .filter(|pair| !pair.starts_with(&format!("{name}=")))
                    .collect();
                format!("{}&{extra}", kept.join("&"))
            }
            None => SOUND.to_owned(),
        };
        Creation::parse(&Params::parse(form.as_bytes()).unwrap())
    }

    #[test]
    fn defaults_are_awss() {
        let creation = parse("").unwrap();
        assert_eq!(creation.identifier, "my-db");
        assert!(creation.public);
        assert_eq!(
            (
                creation.size.retention,
                creation.port,
                creation.storage_type.as_str()
            ),
            (1, 5432, "gp3")
        );
        assert_eq!(creation.name, None);
    }

    #[test]
    fn what_rds_refuses_is_refused() {
        for wrong in [
            "DBInstanceIdentifier=1db",
            "DBInstanceIdentifier=a--b",
            "DBInstanceIdentifier=a-",
            "DBInstanceIdentifier=..%2F..%2Fetc",
            "DBInstanceClass=t3.micro",
            "DBInstanceClass=db.t9.micro",
            "Engine=mysql",
            "EngineVersion=9.3",
            "AllocatedStorage=5",
            "AllocatedStorage=x",
            "MasterUsername=admin",
            "MasterUsername=a-b",
            "MasterUsername=x%22%3B%20DROP",
            "MasterUsername=abcdefghijklmnopq",
            "MasterUserPassword=short",
            "MasterUserPassword=has/a/slash",
            "MasterUserPassword=has%20a%20blank",
            "MasterUserPassword=line%0Abreak",
            "MasterUserPassword=caf%C3%A9caf%C3%A9",
            "DBName=1st",
            "DBName=a%22b",
            "DBName=postgres",
            "Port=80",
            "BackupRetentionPeriod=36",
            "StorageType=tape",
            "ManageMasterUserPassword=true",
            "DBSubnetGroupName=mine",
            "PubliclyAccessible=perhaps",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn storage_grows_by_a_tenth_at_least() {
        assert!(check_growth(20, 19, "gp3").is_err());
        assert!(check_growth(20, 21, "gp3").is_err());
        assert_eq!(check_growth(20, 20, "gp3"), Ok(20));
        assert_eq!(check_growth(20, 22, "gp3"), Ok(22));
    }
}
