//! What outlives a database or stands beside it: last snapshots, automated backups that were kept,
//! groups of subnets and of parameters. A snapshot and a backup hold the database's files as it left
//! them; nothing here restores one.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Rds;
use super::database::{Database, Key};
use super::request;
use crate::auth::Caller;
use crate::wire::{ApiError, Params, Xml};

/// All of the account, by region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Leftovers(BTreeMap<String, Region>);

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Region {
    snapshots: BTreeMap<String, Left>,
    /// By the database's resource id.
    backups: BTreeMap<String, Left>,
    subnet_groups: BTreeMap<String, Group>,
    parameter_groups: BTreeMap<String, Group>,
}

/// What a database has left.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Left {
    /// The database's identifier.
    of: String,
    made: Timestamp,
    tags: BTreeMap<String, String>,
    database: Database,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Group {
    description: String,
    /// The family of parameters, or the subnets.
    holds: Vec<String>,
}

impl Leftovers {
    fn region(&self, name: &str) -> Region {
        self.0.get(name).cloned().unwrap_or_default()
    }

    fn region_mut(&mut self, name: &str) -> &mut Region {
        self.0.entry(name.to_owned()).or_default()
    }

    /// Whether anything holds the files of the database with that resource id.
    pub(super) fn holds(&self, resource_id: &str) -> bool {
        self.0.values().any(|region| {
            let snapshots = region.snapshots.values();
            let all = snapshots.chain(region.backups.values());
            all.into_iter()
                .any(|left| left.database.resource_id == resource_id)
        })
    }

    /// One line each.
    pub(super) fn remaining(&self) -> Vec<String> {
        let lines = self.0.iter().flat_map(|(name, region)| {
            let line = move |kind: &str, id: &String| format!("{kind} {id} in {name}");
            let kinds = [
                (
                    "database snapshot",
                    region.snapshots.keys().collect::<Vec<_>>(),
                ),
                ("automated backups", region.backups.keys().collect()),
                ("DB subnet group", region.subnet_groups.keys().collect()),
                (
                    "DB parameter group",
                    region.parameter_groups.keys().collect(),
                ),
            ];
            kinds
                .into_iter()
                .flat_map(move |(kind, ids)| ids.into_iter().map(move |id| line(kind, id)))
        });
        lines.collect()
    }
}

/// What a deletion leaves of a database.
#[derive(Debug)]
pub(super) struct Leaving {
    snapshot: Option<String>,
    backups: bool,
}

impl Leaving {
    /// Reads it from a `DeleteDBInstance`.
    ///
    /// # Errors
    /// What RDS answers to a combination that it refuses.
    pub(super) fn parse(params: &Params) -> Result<Self, ApiError> {
        let skip = params.boolean("SkipFinalSnapshot")?.unwrap_or(false);
        let last = params.get("FinalDBSnapshotIdentifier");
        let combination = |message| Err(ApiError::new("InvalidParameterCombination", message));
        let snapshot = match (skip, last) {
            (true, Some(_)) => {
                return combination(
                    "FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is true.",
                );
            }
            (false, None) => {
                return combination(
                    "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
                );
            }
            (false, Some(last)) => Some(request::identifier(last)?),
            (true, None) => None,
        };
        Ok(Self {
            snapshot,
            backups: params.boolean("DeleteAutomatedBackups")? == Some(false),
        })
    }
}

impl Rds {
    /// Notes what a database that is being deleted leaves.
    pub(super) fn leave(
        &self,
        key: &Key,
        database: &Database,
        leaving: &Leaving,
    ) -> Result<(), ApiError> {
        if leaving.snapshot.is_none() && !leaving.backups {
            return Ok(());
        }
        let left = Left {
            of: key.identifier.clone(),
            made: Timestamp::now(),
            tags: match database.copy_tags {
                true => database.tags.clone(),
                false => BTreeMap::new(),
            },
            database: database.clone(),
        };
        self.inner.leftovers.change(|all| {
            let region = all.region_mut(&key.region);
            if let Some(name) = &leaving.snapshot {
                if region.snapshots.contains_key(name) {
                    return Err(ApiError::new(
                        "DBSnapshotAlreadyExists",
                        format!("Cannot create the snapshot because a snapshot with the identifier {name} already exists."),
                    ));
                }
                region.snapshots.insert(name.clone(), left.clone());
            }
            if leaving.backups && database.size.retention > 0 {
                let id = database.resource_id.clone();
                region.backups.insert(id, left.clone());
            }
            Ok(())
        })
    }

    pub(super) fn describe_snapshots(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.inner.leftovers.read(|all| all.region(&caller.region));
        let wanted = params.get("DBSnapshotIdentifier");
        let of = params.get("DBInstanceIdentifier");
        if let Some(name) = wanted
            && !region.snapshots.contains_key(name)
        {
            return Err(missing("DBSnapshotNotFound", name));
        }
        let found = region.snapshots.iter().filter(|(name, left)| {
            wanted.is_none_or(|wanted| wanted == *name) && of.is_none_or(|of| of == left.of)
        });
        page(
            "DBSnapshots",
            found.collect(),
            params,
            |xml, (name, left)| {
                xml.element("DBSnapshot", |xml| {
                    let state = match self.is_going(&caller.region, &left.of) {
                        true => "creating",
                        false => "available",
                    };
                    xml.text("DBSnapshotIdentifier", name)
                        .text("DBInstanceIdentifier", &left.of)
                        .text("DBSnapshotArn", arn(caller, "snapshot", name))
                        .text("SnapshotCreateTime", left.made)
                        .text("SnapshotType", "manual")
                        .text("Status", state);
                    of_database(xml, left);
                });
            },
        )
    }

    fn is_going(&self, region: &str, identifier: &str) -> bool {
        let key = Key::new(region, identifier);
        self.inner
            .databases
            .read(|databases| databases.get(&key).is_some())
    }

    pub(super) async fn delete_snapshot(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let name = params.required("DBSnapshotIdentifier")?;
        let left = self.inner.leftovers.change(|all| {
            let gone = all.region_mut(&caller.region).snapshots.remove(name);
            gone.ok_or_else(|| missing("DBSnapshotNotFound", name))
        })?;
        self.inner.forget(&left.database).await;
        Ok(deleted("DBSnapshot", "DBSnapshotIdentifier", name, &left))
    }

    pub(super) fn describe_backups(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.inner.leftovers.read(|all| all.region(&caller.region));
        let wanted = params.get("DbiResourceId");
        if let Some(id) = wanted
            && !region.backups.contains_key(id)
        {
            return Err(missing("DBInstanceAutomatedBackupNotFound", id));
        }
        let found = region
            .backups
            .iter()
            .filter(|(id, _)| wanted.is_none_or(|wanted| wanted == *id));
        let list = "DBInstanceAutomatedBackups";
        page(list, found.collect(), params, |xml, (id, left)| {
            xml.element("DBInstanceAutomatedBackup", |xml| {
                xml.text("DbiResourceId", id)
                    .text("DBInstanceIdentifier", &left.of)
                    .text("Region", &caller.region)
                    .text("Status", "retained");
                of_database(xml, left);
            });
        })
    }

    pub(super) async fn delete_backup(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let id = params.required("DbiResourceId")?;
        let left = self.inner.leftovers.change(|all| {
            let gone = all.region_mut(&caller.region).backups.remove(id);
            gone.ok_or_else(|| missing("DBInstanceAutomatedBackupNotFound", id))
        })?;
        self.inner.forget(&left.database).await;
        let element = "DBInstanceAutomatedBackup";
        Ok(deleted(element, "DbiResourceId", id, &left))
    }

    pub(super) fn create_group(
        &self,
        caller: &Caller,
        params: &Params,
        kind: &GroupKind,
    ) -> Result<String, ApiError> {
        let name = params.required(kind.named)?.to_ascii_lowercase();
        let group = Group {
            description: params.required(kind.described)?.to_owned(),
            holds: match kind.family {
                Some(family) => vec![params.required(family)?.to_owned()],
                None => params.list("SubnetIds"),
            },
        };
        let made = self.inner.leftovers.change(|all| {
            let groups = (kind.groups)(all.region_mut(&caller.region));
            if groups.contains_key(&name) {
                return Err(ApiError::new(
                    kind.exists,
                    format!("{name} already exists."),
                ));
            }
            groups.insert(name.clone(), group.clone());
            Ok(group)
        })?;
        let mut xml = Xml::fragment();
        write_group(&mut xml, caller, kind, &name, &made);
        Ok(xml.finish())
    }

    pub(super) fn describe_groups(
        &self,
        caller: &Caller,
        params: &Params,
        kind: &GroupKind,
    ) -> Result<String, ApiError> {
        let mut region = self.inner.leftovers.read(|all| all.region(&caller.region));
        let groups = (kind.groups)(&mut region);
        let wanted = params.get(kind.named).map(str::to_ascii_lowercase);
        if let Some(name) = &wanted
            && !groups.contains_key(name)
        {
            return Err(missing(kind.not_found, name));
        }
        let found = groups
            .iter()
            .filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted == *name));
        page(kind.list, found.collect(), params, |xml, (name, group)| {
            write_group(xml, caller, kind, name, group);
        })
    }

    pub(super) fn delete_group(
        &self,
        caller: &Caller,
        params: &Params,
        kind: &GroupKind,
    ) -> Result<String, ApiError> {
        let name = params.required(kind.named)?.to_ascii_lowercase();
        self.inner.leftovers.change(|all| {
            let gone = (kind.groups)(all.region_mut(&caller.region)).remove(&name);
            gone.map(|_| String::new())
                .ok_or_else(|| missing(kind.not_found, &name))
        })
    }
}

/// What tells groups of subnets and groups of parameters apart.
pub(super) struct GroupKind {
    named: &'static str,
    described: &'static str,
    family: Option<&'static str>,
    element: &'static str,
    list: &'static str,
    arn: &'static str,
    exists: &'static str,
    not_found: &'static str,
    groups: fn(&mut Region) -> &mut BTreeMap<String, Group>,
}

pub(super) const SUBNET_GROUP: GroupKind = GroupKind {
    named: "DBSubnetGroupName",
    described: "DBSubnetGroupDescription",
    family: None,
    element: "DBSubnetGroup",
    list: "DBSubnetGroups",
    arn: "subgrp",
    exists: "DBSubnetGroupAlreadyExists",
    not_found: "DBSubnetGroupNotFoundFault",
    groups: |region| &mut region.subnet_groups,
};

pub(super) const PARAMETER_GROUP: GroupKind = GroupKind {
    named: "DBParameterGroupName",
    described: "Description",
    family: Some("DBParameterGroupFamily"),
    element: "DBParameterGroup",
    list: "DBParameterGroups",
    arn: "pg",
    exists: "DBParameterGroupAlreadyExists",
    not_found: "DBParameterGroupNotFound",
    groups: |region| &mut region.parameter_groups,
};

fn write_group(xml: &mut Xml, caller: &Caller, kind: &GroupKind, name: &str, group: &Group) {
    xml.element(kind.element, |xml| {
        xml.text(kind.named, name)
            .text(kind.described, &group.description)
            .text(&format!("{}Arn", kind.element), arn(caller, kind.arn, name));
        match kind.family {
            Some(family) => xml.optional(family, group.holds.first()),
            None => xml.text("SubnetGroupStatus", "Complete").list(
                "Subnets",
                "Subnet",
                &group.holds,
                |xml, id| {
                    xml.text("SubnetIdentifier", id)
                        .text("SubnetStatus", "Active");
                },
            ),
        };
    });
}

/// What answers the deletion of a snapshot or of backups.
fn deleted(element: &str, named: &str, name: &str, left: &Left) -> String {
    let mut xml = Xml::fragment();
    xml.element(element, |xml| {
        xml.text(named, name)
            .text("DBInstanceIdentifier", &left.of)
            .text("Status", "deleted");
    });
    xml.finish()
}

fn of_database(xml: &mut Xml, left: &Left) {
    let database = &left.database;
    xml.text("Engine", "postgres")
        .text("EngineVersion", &database.engine_version)
        .text("AllocatedStorage", database.size.storage)
        .text("AvailabilityZone", &database.zone)
        .text("MasterUsername", &database.master)
        .text("StorageType", &database.storage_type)
        .text("Encrypted", database.encrypted)
        .list("TagList", "Tag", &left.tags, |xml, (key, value)| {
            xml.text("Key", key).text("Value", value);
        });
}

/// A page of a listing, as `MaxRecords` and `Marker` cut it.
fn page<'a, T>(
    list: &str,
    all: Vec<(&'a String, &'a T)>,
    params: &Params,
    mut write: impl FnMut(&mut Xml, (&'a String, &'a T)),
) -> Result<String, ApiError> {
    let limit = super::actions::page_limit(params)?;
    let after = params.get("Marker").unwrap_or_default();
    let mut rest = all.into_iter().filter(|(name, _)| name.as_str() > after);
    let here: Vec<_> = rest.by_ref().take(limit).collect();
    let marker = here.last().map(|(name, _)| (*name).clone());
    let mut xml = Xml::fragment();
    xml.element(list, |xml| {
        for entry in here {
            write(xml, entry);
        }
    });
    xml.optional("Marker", marker.filter(|_| rest.next().is_some()));
    Ok(xml.finish())
}

fn arn(caller: &Caller, kind: &str, name: &str) -> String {
    format!(
        "arn:aws:rds:{}:{}:{kind}:{name}",
        caller.region, caller.account
    )
}

fn missing(code: &'static str, name: &str) -> ApiError {
    ApiError::with_status(StatusCode::NOT_FOUND, code, format!("{name} not found."))
}
