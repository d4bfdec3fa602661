//! Launching instances: one request shape for single instances and builders.

use std::time::Duration;

use aws_sdk_ec2::types::{
    BlockDeviceMapping, CreditSpecificationRequest, EbsBlockDevice, HttpTokensState,
    IamInstanceProfileSpecification, InstanceMetadataOptionsRequest, InstanceMetadataTagsState,
    InstanceNetworkInterfaceSpecification, InstanceStateName, InstanceType, ResourceType,
    ShutdownBehavior, VolumeType,
};
use deployer_core::blueprint::{BaseImage, CpuCredits, Role};
use deployer_core::inventory::Subnet;
use deployer_core::names::{
    Kind, ResourceId, ResourceName, TAG_BASE, TAG_CPU_CREDITS, TAG_PROGRAMS,
};
use deployer_core::plan::{artifact_key, instance_program_names};
use deployer_core::settings::{NotYet, secrets_key, settings_key};
use deployer_core::user_data::{self, Download, Header};

use super::Site;
use crate::error::{AwsError, During, Meaning};
use crate::progress::Progress;
use crate::stored;
use crate::wait::{Look, until};

/// A minute or two is usual.
const DEADLINE: Duration = Duration::from_secs(10 * 60);
/// How long EC2 may not know a profile that IAM has just made, or a group.
const PROFILE_DEADLINE: Duration = Duration::from_secs(5 * 60);

/// One instance to launch.
pub(super) struct Launch<'a> {
    pub(super) resource: ResourceId,
    pub(super) machine: &'a str,
    pub(super) cpu_credits: Option<CpuCredits>,
    pub(super) base: BaseImage,
    pub(super) security_group: &'a ResourceName,
    pub(super) profile: Option<String>,
    pub(super) user_data: String,
    pub(super) on_shutdown: ShutdownBehavior,
    pub(super) tags: Vec<(&'a str, &'a str)>,
}

impl Site {
    pub(super) async fn launch_instance(
        &self,
        name: &ResourceName,
        programs: &str,
        subnets: &[Subnet],
        progress: &Progress,
    ) -> Result<String, AwsError> {
        let instance = self
            .blueprint
            .instances
            .get(name)
            .ok_or_else(|| NotYet(format!("instance/{name}")))?;
        let names: Vec<&str> = instance_program_names(instance).collect();
        let downloads = self.downloads(&names).await?;
        let header = self.header(Kind::Instance, name)?;
        let mut tags = vec![(TAG_PROGRAMS, programs), (TAG_BASE, instance.base.as_str())];
        let credits = instance.cpu_credits.map(CpuCredits::as_str);
        tags.extend(credits.map(|credits| (TAG_CPU_CREDITS, credits)));
        let launch = Launch {
            resource: ResourceId {
                kind: Kind::Instance,
                name: name.clone(),
            },
            machine: &instance.machine,
            cpu_credits: instance.cpu_credits,
            base: instance.base,
            security_group: &instance.security_group,
            profile: Some(self.profile(&instance.role)?),
            user_data: user_data::instance_script(&header, &downloads).map_err(in_user_data)?,
            on_shutdown: ShutdownBehavior::Terminate,
            tags,
        };
        let id = self.launch(&launch, subnets, progress).await?;
        self.learn(|k| drop(k.instances.insert(name.clone(), id.clone())));
        self.await_running(&id, progress).await?;
        Ok(id)
    }

    /// The groups of an instance count at once, while it runs.
    pub(super) async fn change_group(&self, name: &ResourceName, id: &str) -> Result<(), AwsError> {
        let instance = self.blueprint.instances.get(name);
        let instance = instance.ok_or_else(|| NotYet(format!("instance/{name}")))?;
        self.account
            .ec2
            .modify_instance_attribute()
            .instance_id(id)
            .groups(self.group_id(&instance.security_group)?)
            .send()
            .await
            .during("ModifyInstanceAttribute")
            .map(drop)
    }

    pub(super) async fn start_instance(
        &self,
        id: &str,
        progress: &Progress,
    ) -> Result<(), AwsError> {
        let pace = self.account.target.pace;
        until(
            &format!("instance {id}"),
            pace,
            DEADLINE,
            progress,
            async || {
                let answer = self
                    .account
                    .ec2
                    .start_instances()
                    .instance_ids(id)
                    .send()
                    .await;
                match answer.during("StartInstances") {
                    // It is still on its way to stopped.
                    Err(error) if error.code() == Some("IncorrectInstanceState") => {
                        Ok(Look::NotYet("stopping".to_owned()))
                    }
                    Err(error) => Err(error),
                    Ok(_) => Ok(Look::There(())),
                }
            },
        )
        .await?;
        self.await_running(id, progress).await
    }

    /// What an instance reads in its user data of where it belongs.
    pub(super) fn header(&self, kind: Kind, name: &ResourceName) -> Result<Header, NotYet> {
        Ok(Header {
            deployment: self.scope.deployment.to_string(),
            region: self.scope.region.clone(),
            bucket: self.home_bucket()?,
            resource: ResourceId {
                kind,
                name: name.clone(),
            }
            .to_string(),
            settings: settings_key(kind, name),
            secrets: secrets_key(kind, name),
        })
    }

    /// Presigned addresses of programs, with what their bytes have to hash to.
    pub(super) async fn downloads(&self, names: &[&str]) -> Result<Vec<Download>, AwsError> {
        let bucket = self.home_bucket()?;
        let mut downloads = Vec::new();
        for name in names {
            let program = self
                .programs
                .get(*name)
                .ok_or_else(|| NotYet(format!("program/{name}")))?;
            let sha256 = program.sha256.clone();
            let url =
                stored::presigned_get(&self.account, &bucket, &artifact_key(name, &sha256)).await?;
            downloads.push(Download {
                name: (*name).to_owned(),
                sha256,
                url,
            });
        }
        Ok(downloads)
    }

    fn profile(&self, role: &ResourceName) -> Result<String, NotYet> {
        if let Some(Role::Existing(profile)) = self.blueprint.roles.get(role) {
            return Ok(profile.clone());
        }
        self.lock()
            .profiles
            .get(role)
            .cloned()
            .ok_or_else(|| NotYet(format!("role/{role}")))
    }

    /// Launches in the first zone that has room, and waits for a new profile to become known.
    pub(super) async fn launch(
        &self,
        launch: &Launch<'_>,
        subnets: &[Subnet],
        progress: &Progress,
    ) -> Result<String, AwsError> {
        let mut refused = None;
        for subnet in subnets {
            match self.launch_in(launch, subnet, progress).await {
                Err(error) if error.meaning() == Meaning::NotInZone => {
                    progress.say(format!("{}: {error}", subnet.zone));
                    refused = Some(error);
                }
                answer => return answer,
            }
        }
        Err(refused.unwrap_or(AwsError::NotReached {
            what: launch.resource.to_string(),
            why: "no subnet to launch it in".to_owned(),
        }))
    }

    async fn launch_in(
        &self,
        launch: &Launch<'_>,
        subnet: &Subnet,
        progress: &Progress,
    ) -> Result<String, AwsError> {
        let pace = self.account.target.pace;
        // Good for this launch in this zone: an answer that was lost is asked for again by it.
        let token = uuid::Uuid::new_v4().to_string();
        until(
            &launch.resource.to_string(),
            pace,
            PROFILE_DEADLINE,
            progress,
            async || match self.run_instances(launch, subnet, &token).await {
                Err(error) if error.may_be_too_early() => Ok(Look::NotYet(error.to_string())),
                Err(error) => Err(error),
                Ok(id) => Ok(Look::There(id)),
            },
        )
        .await
    }

    async fn run_instances(
        &self,
        launch: &Launch<'_>,
        subnet: &Subnet,
        token: &str,
    ) -> Result<String, AwsError> {
        let base = self
            .ground
            .bases
            .get(&launch.base)
            .ok_or_else(|| NotYet("the base image".to_owned()))?;
        let kinds = [
            ResourceType::Instance,
            ResourceType::Volume,
            ResourceType::NetworkInterface,
        ];
        let ResourceId { kind, name } = &launch.resource;
        let tags = kinds.map(|k| self.specification(k, *kind, name, &launch.tags));
        let profile = launch
            .profile
            .as_ref()
            .map(|p| IamInstanceProfileSpecification::builder().name(p).build());
        let answer = self
            .account
            .ec2
            .run_instances()
            .min_count(1)
            .max_count(1)
            .client_token(token)
            .image_id(&base.id)
            .instance_type(InstanceType::from(launch.machine))
            .network_interfaces(network(subnet, self.group_id(launch.security_group)?))
            .block_device_mappings(root_volume(&base.root_device))
            .metadata_options(metadata_options())
            .set_credit_specification(launch.cpu_credits.map(credits))
            .set_iam_instance_profile(profile)
            .instance_initiated_shutdown_behavior(launch.on_shutdown.clone())
            // EC2 wants base64, and the Rust SDK leaves that to us.
            .user_data(base64_simd::STANDARD.encode_to_string(&launch.user_data))
            .set_tag_specifications(Some(tags.to_vec()))
            .send()
            .await
            .during("RunInstances")?;
        let id = answer.instances().first().and_then(|i| i.instance_id());
        id.map(str::to_owned).ok_or(AwsError::Incomplete {
            operation: "RunInstances",
            what: "instance id",
        })
    }

    pub(super) async fn await_running(
        &self,
        id: &str,
        progress: &Progress,
    ) -> Result<(), AwsError> {
        let pace = self.account.target.pace;
        until(
            &format!("instance {id}"),
            pace,
            DEADLINE,
            progress,
            async || {
                Ok(match self.state_of(id).await? {
                    Some(InstanceStateName::Running) => Look::There(()),
                    Some(InstanceStateName::Terminated | InstanceStateName::ShuttingDown) => {
                        Look::Never(
                            "it ended by itself; its console says why: deploy logs".to_owned(),
                        )
                    }
                    Some(state) => Look::NotYet(state.as_str().to_owned()),
                    None => Look::NotYet("not seen yet".to_owned()),
                })
            },
        )
        .await
    }

    /// The state of an instance; `None` while EC2 does not show it yet.
    pub(super) async fn state_of(&self, id: &str) -> Result<Option<InstanceStateName>, AwsError> {
        let answer = self
            .account
            .ec2
            .describe_instances()
            .instance_ids(id)
            .send()
            .await;
        match answer.during("DescribeInstances") {
            Err(error) if error.meaning() == Meaning::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(answer) => {
                let instance = answer
                    .reservations()
                    .first()
                    .and_then(|r| r.instances().first());
                Ok(instance
                    .and_then(|i| i.state())
                    .and_then(|s| s.name())
                    .cloned())
            }
        }
    }
}

pub(super) fn in_user_data(source: user_data::UserDataError) -> AwsError {
    AwsError::Here {
        what: "writing the user data".to_owned(),
        source: Box::new(source),
    }
}

/// A public address has to be asked for here, and then subnet and groups stand here too. Without
/// one an instance of a default VPC cannot reach any AWS endpoint.
fn network(subnet: &Subnet, group: String) -> InstanceNetworkInterfaceSpecification {
    InstanceNetworkInterfaceSpecification::builder()
        .device_index(0)
        .associate_public_ip_address(true)
        .subnet_id(&subnet.id)
        .groups(group)
        .delete_on_termination(true)
        .build()
}

/// The image's own root device, by its own name: any other name would add a second volume.
fn root_volume(device: &str) -> BlockDeviceMapping {
    let volume = EbsBlockDevice::builder()
        .volume_type(VolumeType::Gp3)
        .delete_on_termination(true)
        .build();
    BlockDeviceMapping::builder()
        .device_name(device)
        .ebs(volume)
        .build()
}

fn credits(credits: CpuCredits) -> CreditSpecificationRequest {
    CreditSpecificationRequest::builder()
        .cpu_credits(credits.as_str())
        .build()
}

fn metadata_options() -> InstanceMetadataOptionsRequest {
    InstanceMetadataOptionsRequest::builder()
        .http_tokens(HttpTokensState::Required)
        .http_put_response_hop_limit(1)
        .instance_metadata_tags(InstanceMetadataTagsState::Enabled)
        .build()
}
