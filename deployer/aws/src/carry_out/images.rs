//! Baking: a builder runs the recipe and stops, and an image is made of its volume.

use std::time::Duration;

use aws_sdk_ec2::types::{Filter, InstanceStateName, ResourceType, ShutdownBehavior};
use deployer_core::names::{Kind, ResourceId, ResourceName, TAG_BASE, TAG_PROGRAMS, TAG_RECIPE};
use deployer_core::plan::{Action, programs_hash, recipe_hash};
use deployer_core::settings::NotYet;
use deployer_core::user_data::{self};

use super::Site;
use super::instances::{Launch, in_user_data};
use crate::error::{AwsError, During, Meaning};
use crate::progress::Progress;
use crate::wait::{Look, until};
use crate::{logs, remove, stored};

/// A builder that has not stopped by then has failed.
const BUILDER_DEADLINE: Duration = Duration::from_secs(15 * 60);
const IMAGE_DEADLINE: Duration = Duration::from_secs(30 * 60);

impl Site {
    pub(super) async fn bake_image(
        &self,
        action: &Action,
        progress: &Progress,
    ) -> Result<String, AwsError> {
        let Action::BakeImage {
            resource,
            name,
            inputs,
            base,
            ..
        } = action
        else {
            return Err(NotYet("an image to bake".to_owned()).into());
        };
        self.remove_old_builders(resource, progress).await?;
        let ok_key = format!("bake/{}.ok", inputs);
        progress.say("launching the builder");
        let builder = self.launch_builder(action, &ok_key, progress).await?;
        let built = self.await_builder(&builder, &ok_key, progress).await;
        if let Err(failure) = built {
            remove::instances(&self.account, std::slice::from_ref(&builder), progress).await?;
            return Err(failure);
        }
        progress.say("making the image");
        let base = self.ground.bases.get(base).map_or("", |b| b.id.as_str());
        let id = self.create_image(resource, name, &builder, base).await?;
        self.await_image(resource, &id, progress).await?;
        progress.say("removing the builder");
        remove::instances(&self.account, &[builder], progress).await?;
        Ok(id)
    }

    /// What an `up` that was cut off may have left.
    async fn remove_old_builders(
        &self,
        resource: &ResourceName,
        progress: &Progress,
    ) -> Result<(), AwsError> {
        let inventory = crate::read::instances(&self.account, &self.scope).await?;
        let old: Vec<String> = inventory
            .into_iter()
            .filter(|i| i.resource.kind == Kind::Builder && &i.resource.name == resource)
            .map(|i| i.id)
            .collect();
        remove::instances(&self.account, &old, progress).await
    }

    async fn launch_builder(
        &self,
        action: &Action,
        ok_key: &str,
        progress: &Progress,
    ) -> Result<String, AwsError> {
        let Action::BakeImage {
            resource,
            base,
            machine,
            security_group,
            subnets,
            ..
        } = action
        else {
            return Err(NotYet("an image to bake".to_owned()).into());
        };
        let image = self
            .blueprint
            .images
            .get(resource)
            .ok_or_else(|| NotYet(format!("image/{resource}")))?;
        let names: Vec<&str> = image.recipe.programs.iter().map(String::as_str).collect();
        let downloads = self.downloads(&names).await?;
        let ok_url = stored::presigned_put(&self.account, &self.home_bucket()?, ok_key).await?;
        let header = self.header(Kind::Builder, resource)?;
        let script = user_data::builder_script(&header, &downloads, &image.recipe.run, &ok_url);
        let launch = Launch {
            resource: ResourceId {
                kind: Kind::Builder,
                name: resource.clone(),
            },
            machine,
            cpu_credits: None,
            base: *base,
            security_group,
            profile: None,
            user_data: script.map_err(in_user_data)?,
            on_shutdown: ShutdownBehavior::Stop,
            tags: Vec::new(),
        };
        self.launch(&launch, subnets, progress).await
    }

    /// Stopped says only that it stopped; the ok object says that the recipe succeeded.
    async fn await_builder(
        &self,
        id: &str,
        ok_key: &str,
        progress: &Progress,
    ) -> Result<(), AwsError> {
        let pace = self.account.target.pace;
        let what = format!("builder {id}");
        let stopped = until(&what, pace, BUILDER_DEADLINE, progress, async || {
            Ok(match self.state_of(id).await? {
                Some(InstanceStateName::Stopped) => Look::There(()),
                Some(InstanceStateName::Terminated | InstanceStateName::ShuttingDown) => {
                    Look::Never("it was terminated".to_owned())
                }
                Some(state) => Look::NotYet(format!("builder {}", state.as_str())),
                None => Look::NotYet("builder not seen yet".to_owned()),
            })
        })
        .await;
        let ok = stored::get(&self.account, &self.home_bucket()?, ok_key).await?;
        match (stopped, ok) {
            (Ok(()), Some(_)) => Ok(()),
            (Ok(()), None) => Err(self
                .recipe_failed(id, "it stopped without finishing the recipe")
                .await),
            (Err(AwsError::NotReached { why, .. }), _) => Err(self.recipe_failed(id, &why).await),
            (Err(error), _) => Err(error),
        }
    }

    async fn recipe_failed(&self, id: &str, why: &str) -> AwsError {
        let console = logs::console(&self.account, id).await.unwrap_or_default();
        let lines: Vec<&str> = console.lines().collect();
        let tail = lines
            .get(lines.len().saturating_sub(20)..)
            .unwrap_or_default()
            .join("\n    ");
        let why = format!("{why}; the end of its console:\n    {tail}");
        AwsError::NotReached {
            what: format!("builder {id}"),
            why,
        }
    }

    async fn create_image(
        &self,
        resource: &ResourceName,
        name: &str,
        builder: &str,
        base: &str,
    ) -> Result<String, AwsError> {
        let image = self.blueprint.images.get(resource);
        let image = image.ok_or_else(|| NotYet(format!("image/{resource}")))?;
        let programs = image.recipe.programs.iter().map(String::as_str);
        let (programs, recipe) = (programs_hash(programs, &self.programs), recipe_hash(image));
        let tags = [
            (TAG_BASE, base),
            (TAG_PROGRAMS, &programs),
            (TAG_RECIPE, &recipe),
        ];
        let tagged = |kind| self.specification(kind, Kind::Image, resource, &tags);
        let answer = self
            .account
            .ec2
            .create_image()
            .instance_id(builder)
            .name(name)
            .description(format!("{resource} of {}", self.scope.deployment))
            .tag_specifications(tagged(ResourceType::Image))
            .tag_specifications(tagged(ResourceType::Snapshot))
            .send()
            .await
            .during("CreateImage");
        match answer {
            // The answer to an earlier attempt was lost.
            Err(error) if error.meaning() == Meaning::Exists => {
                self.our_image_named(name).await?.ok_or(error)
            }
            answer => answer?.image_id.ok_or(AwsError::Incomplete {
                operation: "CreateImage",
                what: "image id",
            }),
        }
    }

    /// The image of that name, if it carries our tag.
    async fn our_image_named(&self, name: &str) -> Result<Option<String>, AwsError> {
        let answer = self
            .account
            .ec2
            .describe_images()
            .owners("self")
            .filters(Filter::builder().name("name").values(name).build())
            .filters(crate::read::ours(&self.scope))
            .send()
            .await
            .during("DescribeImages")?;
        let image = answer.images().first();
        Ok(image.and_then(|i| i.image_id()).map(str::to_owned))
    }

    pub(super) async fn await_image(
        &self,
        resource: &ResourceName,
        id: &str,
        progress: &Progress,
    ) -> Result<(), AwsError> {
        let pace = self.account.target.pace;
        until(
            &format!("image {id}"),
            pace,
            IMAGE_DEADLINE,
            progress,
            async || self.look_at_image(id).await,
        )
        .await?;
        self.learn(|k| drop(k.images.insert(resource.clone(), id.to_owned())));
        Ok(())
    }

    async fn look_at_image(&self, id: &str) -> Result<Look<()>, AwsError> {
        let answer = self
            .account
            .ec2
            .describe_images()
            .image_ids(id)
            .send()
            .await;
        let answer = match answer.during("DescribeImages") {
            Err(error) if error.meaning() == Meaning::NotFound => {
                return Ok(Look::NotYet("image not seen yet".to_owned()));
            }
            answer => answer?,
        };
        let image = answer.images().first();
        let state = image
            .and_then(|i| i.state())
            .map_or("not seen yet", |s| s.as_str());
        let reason = image
            .and_then(|i| i.state_reason()?.message())
            .map_or(String::new(), |reason| format!(": {reason}"));
        Ok(match state {
            "available" => Look::There(()),
            "failed" | "error" | "invalid" | "deregistered" => {
                Look::Never(format!("it is {state}{reason}"))
            }
            state => Look::NotYet(format!("image {state}")),
        })
    }
}
