//! RDS databases. Every default that costs money or opens a door is set by us.

use std::time::Duration;

use aws_sdk_rds::types::Tag;
use deployer_core::inventory::Endpoint;
use deployer_core::names::{Kind, ResourceName};
use deployer_core::settings::{DATABASE_NAME, NotYet};

use super::Site;
use crate::error::{AwsError, During, Meaning};
use crate::progress::Progress;
use crate::read::read_database;
use crate::wait::{Look, until};

/// RDS needs five to ten minutes; half an hour means that something is wrong.
const DEADLINE: Duration = Duration::from_secs(30 * 60);
const PORT: i32 = 5432;

impl Site {
    pub(super) async fn create_database(
        &self,
        resource: &ResourceName,
        id: &str,
    ) -> Result<(), AwsError> {
        let missing = || NotYet(format!("database/{resource}"));
        let database = self.blueprint.databases.get(resource).ok_or_else(missing)?;
        let secrets = self
            .secrets()
            .await?
            .ok_or_else(|| NotYet("the secrets".to_owned()))?;
        let tag = |(key, value): (&str, String)| Tag::builder().key(key).value(value).build();
        let answer = self
            .account
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
            .during("CreateDBInstance");
        match answer {
            Err(error) if error.meaning() != Meaning::Exists => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) async fn await_database(
        &self,
        resource: &ResourceName,
        id: &str,
        progress: &Progress,
    ) -> Result<(), AwsError> {
        let poll = self.account.target.pace.poll;
        let what = format!("database {id}");
        let endpoint = until(&what, poll, DEADLINE, progress, async || {
            self.look_at_database(id).await
        })
        .await?;
        self.learn(|k| drop(k.databases.insert(resource.clone(), endpoint)));
        Ok(())
    }

    async fn look_at_database(&self, id: &str) -> Result<Look<Endpoint>, AwsError> {
        let request = self
            .account
            .rds
            .describe_db_instances()
            .db_instance_identifier(id);
        let answer = match request.send().await.during("DescribeDBInstances") {
            // Seen for some seconds after it was made.
            Err(error) if error.meaning() == Meaning::NotFound => {
                return Ok(Look::NotYet("not seen yet".into()));
            }
            answer => answer?,
        };
        let found = answer
            .db_instances()
            .first()
            .and_then(|d| read_database(&self.scope, d));
        Ok(match found {
            None => Look::NotYet("not seen yet".to_owned()),
            Some(found) => match (found.state.as_str(), found.endpoint) {
                ("available", Some(endpoint)) => Look::There(endpoint),
                ("failed" | "deleting" | "incompatible-parameters" | "incompatible-network", _) => {
                    Look::Never(format!("it is {}", found.state))
                }
                (state, _) => Look::NotYet(state.to_owned()),
            },
        })
    }
}
