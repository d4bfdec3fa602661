//! RDS databases. Every default that costs money or opens a door is set by us.

use std::time::Duration;

use aws_sdk_rds::types::Tag;
use deployer_core::blueprint::Database;
use deployer_core::inventory::{Endpoint, FoundDatabase, Pending};
use deployer_core::names::{Kind, ResourceName};
use deployer_core::settings::{DATABASE_NAME, NotYet};

use super::Site;
use crate::error::{AwsError, During, Meaning};
use crate::progress::Progress;
use crate::read::read_database;
use crate::wait::{Look, until};

/// RDS needs five to ten minutes; half an hour means that something is wrong.
const DEADLINE: Duration = Duration::from_secs(30 * 60);
/// How long RDS may need to make its own role, which it does for the first database of an account.
const ROLE_DEADLINE: Duration = Duration::from_secs(60);
const PORT: i32 = 5432;

impl Site {
    pub(super) async fn create_database(
        &self,
        resource: &ResourceName,
        id: &str,
        progress: &Progress,
    ) -> Result<(), AwsError> {
        let pace = self.account.target.pace;
        let what = format!("database {id}");
        until(&what, pace, ROLE_DEADLINE, progress, async || {
            match self.ask_for_database(resource, id).await {
                Err(error) if error.may_be_too_early() => Ok(Look::NotYet(error.to_string())),
                Err(error) if error.meaning() != Meaning::Exists => Err(error),
                _ => Ok(Look::There(())),
            }
        })
        .await
    }

    async fn ask_for_database(&self, resource: &ResourceName, id: &str) -> Result<(), AwsError> {
        let missing = || NotYet(format!("database/{resource}"));
        let database = self.blueprint.databases.get(resource).ok_or_else(missing)?;
        let zone = self.ground.subnets.first().map(|s| s.zone.as_str());
        match self.order_database(resource, id, database, zone).await {
            // Then wherever there is.
            Err(error) if error.meaning() == Meaning::NotInZone => {
                self.order_database(resource, id, database, None).await
            }
            answer => answer,
        }
    }

    /// In a zone, or wherever RDS chooses.
    async fn order_database(
        &self,
        resource: &ResourceName,
        id: &str,
        database: &Database,
        zone: Option<&str>,
    ) -> Result<(), AwsError> {
        let secrets = self
            .secrets()
            .await?
            .ok_or_else(|| NotYet("the secrets".to_owned()))?;
        let tag = |(key, value): (&str, String)| Tag::builder().key(key).value(value).build();
        self.account
            .rds
            .create_db_instance()
            .db_instance_identifier(id)
            .engine("postgres")
            .set_engine_version(database.version.clone())
            .db_instance_class(&database.class)
            .allocated_storage(i32::try_from(database.storage_gib).unwrap_or(i32::MAX))
            // A Learner Lab allows gp2 and not the default.
            .storage_type("gp2")
            .db_name(DATABASE_NAME)
            .master_username(DATABASE_NAME)
            .master_user_password(&secrets.database_password)
            .port(PORT)
            .vpc_security_group_ids(self.group_id(&database.security_group)?)
            // The default is public, with an address that bills.
            .publicly_accessible(false)
            .storage_encrypted(true)
            .multi_az(false)
            .set_availability_zone(zone.map(str::to_owned))
            // No backups: the first one would delay the start, and nothing of it would be left.
            .backup_retention_period(0)
            .auto_minor_version_upgrade(false)
            .deletion_protection(false)
            .copy_tags_to_snapshot(true)
            .enable_performance_insights(false)
            .monitoring_interval(0)
            // A version past its end is refused, not billed as Extended Support.
            .engine_lifecycle_support("open-source-rds-extended-support-disabled")
            .set_tags(Some(
                self.tags(Kind::Database, resource)
                    .into_iter()
                    .map(tag)
                    .collect(),
            ))
            .send()
            .await
            .during("CreateDBInstance")
            .map(drop)
    }

    /// Changes class, storage and group at once: RDS would wait for the maintenance window.
    pub(super) async fn change_database(
        &self,
        resource: &ResourceName,
        id: &str,
        progress: &Progress,
    ) -> Result<(), AwsError> {
        let missing = || NotYet(format!("database/{resource}"));
        let wanted = self.blueprint.databases.get(resource).ok_or_else(missing)?;
        self.await_database(resource, id, progress).await?;
        let found = self.found_database(id).await?;
        let storage = i32::try_from(wanted.storage_gib).unwrap_or(i32::MAX);
        let grows = found.is_some_and(|f| f.storage_gib < wanted.storage_gib);
        self.account
            .rds
            .modify_db_instance()
            .db_instance_identifier(id)
            .db_instance_class(&wanted.class)
            // Storage may change once in six hours, and naming it counts.
            .set_allocated_storage(grows.then_some(storage))
            .vpc_security_group_ids(self.group_id(&wanted.security_group)?)
            .apply_immediately(true)
            .send()
            .await
            .during("ModifyDBInstance")?;
        let pace = self.account.target.pace;
        let what = format!("database {id}");
        until(&what, pace, DEADLINE, progress, async || {
            Ok(match self.found_database(id).await? {
                Some(found) if is_as(&found, wanted) => Look::There(()),
                Some(found) if found.is_available() => {
                    Look::NotYet(format!("{}, about to change", found.state))
                }
                Some(found) => Look::NotYet(found.state),
                None => Look::Never("it is gone".to_owned()),
            })
        })
        .await
    }

    async fn found_database(&self, id: &str) -> Result<Option<FoundDatabase>, AwsError> {
        let request = self
            .account
            .rds
            .describe_db_instances()
            .db_instance_identifier(id);
        match request.send().await.during("DescribeDBInstances") {
            Err(error) if error.meaning() == Meaning::NotFound => Ok(None),
            answer => Ok(answer?
                .db_instances()
                .first()
                .and_then(|d| read_database(&self.scope, d))),
        }
    }

    pub(super) async fn await_database(
        &self,
        resource: &ResourceName,
        id: &str,
        progress: &Progress,
    ) -> Result<(), AwsError> {
        let pace = self.account.target.pace;
        let what = format!("database {id}");
        let endpoint = until(&what, pace, DEADLINE, progress, async || {
            self.look_at_database(id).await
        })
        .await?;
        self.learn(|k| drop(k.databases.insert(resource.clone(), endpoint)));
        Ok(())
    }

    async fn look_at_database(&self, id: &str) -> Result<Look<Endpoint>, AwsError> {
        Ok(match self.found_database(id).await? {
            // For some seconds after it was made.
            None => Look::NotYet("not seen yet".to_owned()),
            Some(found) if found.is_available() => found.endpoint.map_or_else(
                || Look::NotYet("it has no address yet".to_owned()),
                Look::There,
            ),
            Some(found) => match found.state.as_str() {
                "failed" | "deleting" | "incompatible-parameters" | "incompatible-network" => {
                    Look::Never(format!("it is {}", found.state))
                }
                state => Look::NotYet(state.to_owned()),
            },
        })
    }
}

/// Whether all of a modification is in effect. RDS stays `available` for a moment before it begins.
fn is_as(found: &FoundDatabase, wanted: &Database) -> bool {
    found.is_available()
        && found.class == wanted.class
        && found.storage_gib == wanted.storage_gib
        && found.pending == Pending::default()
}
