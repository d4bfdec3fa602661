//! Carries out one step of a plan. Every action may be begun again after it was cut off: it finds
//! what it had made by name or tag.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use deployer_core::blueprint::Blueprint;
use deployer_core::inventory::Ground;
use deployer_core::known::Known;
use deployer_core::names::{
    Kind, ResourceId, Scope, TAG_DEPLOYMENT, TAG_EXPIRES_AT, TAG_HOME, TAG_OWNER, TAG_RESOURCE,
    owner,
};
use deployer_core::plan::{Action, Programs};
use deployer_core::settings::{NotYet, Sources, home_bucket};

use crate::account::Account;
use crate::error::AwsError;
use crate::progress::Progress;

mod databases;
mod images;
mod instances;
mod published;
mod roles;
pub mod secrets;
mod security_groups;

/// The name of the one inline policy that a role of ours has.
pub(crate) const POLICY_NAME: &str = "bivouac";

/// A deployment that is being built: the account, what is asked for, and what it has come to.
#[derive(Debug)]
pub struct Site {
    /// The account.
    pub account: Account,
    /// The deployment's names.
    pub scope: Scope,
    /// What is asked for.
    pub blueprint: Blueprint,
    /// What it is built on.
    pub ground: Ground,
    /// The folder that holds our programs.
    pub folder: PathBuf,
    /// The programs in it.
    pub programs: Programs,
    known: Mutex<Known>,
}

impl Site {
    /// A site on which `known` exists already.
    #[must_use]
    pub fn new(
        account: Account,
        scope: Scope,
        blueprint: Blueprint,
        ground: Ground,
        folder: PathBuf,
        programs: Programs,
        known: Known,
    ) -> Site {
        Site {
            account,
            scope,
            blueprint,
            ground,
            folder,
            programs,
            known: Mutex::new(known),
        }
    }

    /// What exists by now.
    #[must_use]
    pub fn known(&self) -> Known {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, add: impl FnOnce(&mut Known)) {
        add(&mut self.lock());
    }

    fn home_bucket(&self) -> Result<String, NotYet> {
        home_bucket(&self.blueprint, &self.lock()).map(str::to_owned)
    }

    /// Hands the sources of the settings documents, as far as things exist, to `read`.
    ///
    /// # Errors
    /// Whatever `read` answers.
    pub fn with_sources<T>(
        &self,
        read: impl FnOnce(Sources<'_>) -> Result<T, NotYet>,
    ) -> Result<T, NotYet> {
        let known = self.known();
        read(Sources {
            scope: &self.scope,
            blueprint: &self.blueprint,
            ground: &self.ground,
            known: &known,
            database_ca: &self.account.target.database_ca,
        })
    }

    /// The tags that every resource of ours carries.
    fn tags(
        &self,
        kind: Kind,
        name: &deployer_core::names::ResourceName,
    ) -> Vec<(&'static str, String)> {
        let resource = ResourceId {
            kind,
            name: name.clone(),
        };
        let mut tags = vec![
            (TAG_DEPLOYMENT, self.scope.deployment.to_string()),
            (TAG_RESOURCE, resource.to_string()),
            (TAG_OWNER, owner(&self.account.caller).to_owned()),
        ];
        let end = self.lock().expires_at;
        tags.extend(end.map(|end| (TAG_EXPIRES_AT, end.to_string())));
        tags
    }

    /// Carries out one action, and answers with the id of what it made, where it made something.
    ///
    /// # Errors
    /// The call that failed, or the state that was not reached.
    pub async fn carry_out(
        &self,
        action: &Action,
        progress: &Progress,
    ) -> Result<Option<String>, AwsError> {
        match action {
            Action::CreateBucket {
                resource,
                name,
                is_home,
            } => {
                let mut tags = self.tags(Kind::Bucket, resource);
                if *is_home {
                    tags.push((TAG_HOME, "yes".to_owned()));
                }
                crate::stored::create(&self.account, name, tags).await?;
                self.learn(|k| drop(k.buckets.insert(resource.clone(), name.clone())));
                Ok(Some(name.clone()))
            }
            Action::RemoveBucket {
                name,
                with_contents,
            } => {
                let removed = if *with_contents {
                    crate::stored::remove(&self.account, name, progress).await
                } else {
                    crate::stored::remove_empty(&self.account, name).await
                };
                removed.map(|()| None)
            }
            Action::CloseSecurityGroup { id } => {
                self.await_left(id, progress).await?;
                crate::remove::rules(&self.account, id).await.map(|()| None)
            }
            Action::RemoveSecurityGroup { id } => crate::remove::security_group(
                &self.account,
                id,
                crate::remove::GROUP_DEADLINE,
                progress,
            )
            .await
            .map(|()| None),
            Action::RemoveRole { name } => {
                self.await_unused(name, progress).await?;
                crate::remove::role(&self.account, name)
                    .await
                    .map(|()| None)
            }
            Action::ChangeDatabase { resource, id } => self
                .change_database(resource, id, progress)
                .await
                .map(|()| None),
            Action::RemoveDatabase { id } => {
                crate::remove::database(&self.account, id, None, progress)
                    .await
                    .map(|()| None)
            }
            Action::ChangeGroup { resource, id } => {
                self.change_group(resource, id).await.map(|()| None)
            }
            Action::WriteSecrets => self.write_secrets().await.map(|()| None),
            Action::CreateSecurityGroup {
                resource,
                name,
                vpc,
            } => self
                .create_security_group(resource, name, vpc)
                .await
                .map(Some),
            Action::ChangeRules {
                resource,
                add,
                remove,
            } => self
                .change_rules(resource, add, remove, progress)
                .await
                .map(|()| None),
            Action::CompleteRole {
                resource,
                name,
                policy,
            } => self
                .complete_role(resource, name, policy)
                .await
                .map(|()| Some(name.clone())),
            Action::UploadProgram { name, sha256 } => {
                self.upload_program(name, sha256).await.map(|()| None)
            }
            Action::CreateDatabase { resource, id } => {
                self.create_database(resource, id, progress).await?;
                self.await_database(resource, id, progress)
                    .await
                    .map(|()| Some(id.clone()))
            }
            Action::AwaitDatabase { resource, id } => self
                .await_database(resource, id, progress)
                .await
                .map(|()| None),
            Action::BakeImage { .. } => self.bake_image(action, progress).await.map(Some),
            Action::AwaitImage { resource, id } => self
                .await_image(resource, id, progress)
                .await
                .map(|()| None),
            Action::RemoveImage { id, snapshots } => {
                crate::remove::image(&self.account, id, snapshots)
                    .await
                    .map(|()| None)
            }
            Action::RemoveSnapshot { id } => crate::remove::snapshot(&self.account, id)
                .await
                .map(|()| None),
            Action::LaunchInstance {
                resource,
                programs,
                subnets,
            } => self
                .launch_instance(resource, programs, subnets, progress)
                .await
                .map(Some),
            Action::StartInstance { id } => self.start_instance(id, progress).await.map(|()| None),
            Action::TerminateInstance { id } => {
                crate::remove::instances(&self.account, std::slice::from_ref(id), progress)
                    .await
                    .map(|()| None)
            }
            Action::MarkExpiry { things, expires_at } => {
                crate::timers::mark(&self.account, things, *expires_at)
                    .await
                    .map(|()| None)
            }
            Action::PublishSettings { instance, pools } => {
                self.publish_settings(instance, pools).await.map(|()| None)
            }
        }
    }
}
