//! Roles for instances: the role, its one policy, and the instance profile that holds it.

use std::time::Duration;

use aws_sdk_iam::types::Tag;
use deployer_core::inventory::{FoundInstance, InstanceState};
use deployer_core::names::{Kind, ResourceName};

use super::{POLICY_NAME, Site};
use crate::error::{AwsError, During, Meaning};
use crate::progress::Progress;
use crate::wait::{Look, until};

/// How long the nodes of a pool may take to be replaced by such that have another role.
const DEADLINE: Duration = Duration::from_secs(60 * 60);
/// Who may take on the role: EC2, for an instance.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

impl Site {
    pub(super) async fn complete_role(
        &self,
        resource: &ResourceName,
        name: &str,
        policy: &str,
    ) -> Result<(), AwsError> {
        self.create_role(resource, name).await?;
        self.account
            .iam
            .put_role_policy()
            .role_name(name)
            .policy_name(POLICY_NAME)
            .policy_document(policy)
            .send()
            .await
            .during("PutRolePolicy")?;
        self.create_profile(resource, name).await?;
        self.fill_profile(name).await?;
        self.learn(|k| drop(k.profiles.insert(resource.clone(), name.to_owned())));
        Ok(())
    }

    /// Waits until no instance has the role any more: without it they could do nothing.
    pub(super) async fn await_unused(
        &self,
        name: &str,
        progress: &Progress,
    ) -> Result<(), AwsError> {
        let uses = |i: &FoundInstance| i.profile.as_deref() == Some(name);
        self.await_none(&format!("role {name}"), uses, progress)
            .await
    }

    /// Waits until no instance is in the security group any more: without its rules nobody would
    /// reach it.
    pub(super) async fn await_left(&self, id: &str, progress: &Progress) -> Result<(), AwsError> {
        let is_in = |i: &FoundInstance| {
            i.state != InstanceState::ShuttingDown && i.groups.iter().any(|group| group == id)
        };
        self.await_none(&format!("security group {id}"), is_in, progress)
            .await
    }

    async fn await_none(
        &self,
        what: &str,
        uses: impl Fn(&FoundInstance) -> bool,
        progress: &Progress,
    ) -> Result<(), AwsError> {
        let pace = self.account.target.pace;
        until(what, pace, DEADLINE, progress, async || {
            let instances = crate::read::instances(&self.account, &self.scope).await?;
            Ok(match instances.iter().filter(|i| uses(i)).count() {
                0 => Look::There(()),
                left => Look::NotYet(format!("in use by {left} of our instances")),
            })
        })
        .await
    }

    async fn create_role(&self, resource: &ResourceName, name: &str) -> Result<(), AwsError> {
        let answer = self
            .account
            .iam
            .create_role()
            .role_name(name)
            .path(self.scope.iam_path())
            .assume_role_policy_document(TRUST)
            .set_tags(Some(self.iam_tags(resource)?))
            .send()
            .await;
        there_already_is_fine(answer.during("CreateRole"))
    }

    async fn create_profile(&self, resource: &ResourceName, name: &str) -> Result<(), AwsError> {
        let answer = self
            .account
            .iam
            .create_instance_profile()
            .instance_profile_name(name)
            .path(self.scope.iam_path())
            .set_tags(Some(self.iam_tags(resource)?))
            .send()
            .await;
        there_already_is_fine(answer.during("CreateInstanceProfile"))
    }

    /// A profile holds one role at the most; asking for a second one is refused with
    /// `LimitExceeded`, so what it holds is looked at first.
    async fn fill_profile(&self, name: &str) -> Result<(), AwsError> {
        if self.is_filled(name).await? {
            return Ok(());
        }
        let request = self
            .account
            .iam
            .add_role_to_instance_profile()
            .instance_profile_name(name);
        let answer = request.role_name(name).send().await;
        match answer.during("AddRoleToInstanceProfile") {
            // Where the answer to an earlier attempt was lost, it holds the role by now.
            Err(error) if error.code() == Some("LimitExceeded") => {
                if self.is_filled(name).await? {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            answer => answer.map(drop),
        }
    }

    async fn is_filled(&self, name: &str) -> Result<bool, AwsError> {
        let answer = self
            .account
            .iam
            .get_instance_profile()
            .instance_profile_name(name)
            .send()
            .await;
        let answer = answer.during("GetInstanceProfile")?;
        Ok(answer
            .instance_profile()
            .is_some_and(|p| !p.roles().is_empty()))
    }

    fn iam_tags(&self, resource: &ResourceName) -> Result<Vec<Tag>, AwsError> {
        let tag =
            |(key, value): (&'static str, String)| Tag::builder().key(key).value(value).build();
        let missing = |_| AwsError::Incomplete {
            operation: "CreateRole",
            what: "tag",
        };
        self.tags(Kind::Role, resource)
            .into_iter()
            .map(tag)
            .collect::<Result<_, _>>()
            .map_err(missing)
    }
}

fn there_already_is_fine<T>(result: Result<T, AwsError>) -> Result<(), AwsError> {
    match result {
        Err(error) if error.meaning() != Meaning::Exists => Err(error),
        _ => Ok(()),
    }
}
