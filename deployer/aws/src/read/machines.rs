//! Instances, volumes, images and snapshots.

use aws_sdk_ec2::types::{Filter, Image, Instance, InstanceStateName, Tag};
use aws_smithy_types::date_time::Format;
use deployer_core::inventory::{FoundImage, FoundInstance, InstanceState};
use deployer_core::names::{
    ResourceId, Scope, TAG_BASE, TAG_DEPLOYMENT, TAG_PROGRAMS, TAG_RECIPE, TAG_RESOURCE,
    TAG_SETTINGS,
};

use crate::account::Account;
use crate::error::{AwsError, During};

/// The filter for what carries our deployment's tag.
pub(crate) fn ours(scope: &Scope) -> Filter {
    Filter::builder()
        .name(format!("tag:{TAG_DEPLOYMENT}"))
        .values(scope.deployment.as_str())
        .build()
}

pub(crate) fn tag<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter()
        .find(|t| t.key() == Some(key))
        .and_then(|t| t.value())
}

pub(crate) fn resource_of(tags: &[Tag]) -> Option<ResourceId> {
    tag(tags, TAG_RESOURCE)?.parse().ok()
}

/// Instances that carry our tag, in every state but terminated.
///
/// # Errors
/// When the listing fails.
pub async fn instances(account: &Account, scope: &Scope) -> Result<Vec<FoundInstance>, AwsError> {
    let mut pages = account
        .ec2
        .describe_instances()
        .filters(ours(scope))
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(reservation) = pages.next().await {
        let reservation = reservation.during("DescribeInstances")?;
        found.extend(reservation.instances().iter().filter_map(read_instance));
    }
    Ok(found)
}

fn read_instance(instance: &Instance) -> Option<FoundInstance> {
    let state = match instance.state()?.name()? {
        InstanceStateName::Pending => InstanceState::Pending,
        InstanceStateName::Running => InstanceState::Running,
        InstanceStateName::Stopping => InstanceState::Stopping,
        InstanceStateName::Stopped => InstanceState::Stopped,
        InstanceStateName::ShuttingDown => InstanceState::ShuttingDown,
        _ => return None,
    };
    let tags = instance.tags();
    let given = |text: Option<&str>| text.filter(|t| !t.is_empty()).map(str::to_owned);
    Some(FoundInstance {
        id: instance.instance_id()?.to_owned(),
        resource: resource_of(tags)?,
        state,
        machine: instance
            .instance_type()
            .map_or_else(String::new, |t| t.as_str().to_owned()),
        private_address: given(instance.private_ip_address()),
        public_address: given(instance.public_ip_address()),
        zone: instance
            .placement()
            .and_then(|p| p.availability_zone())
            .unwrap_or_default()
            .to_owned(),
        launched: instance
            .launch_time()
            .and_then(|t| t.fmt(Format::DateTime).ok()),
        settings: given(tag(tags, TAG_SETTINGS)),
        programs: given(tag(tags, TAG_PROGRAMS)),
        base: given(tag(tags, TAG_BASE)),
        profile: instance
            .iam_instance_profile()
            .and_then(|p| p.arn())
            .and_then(|arn| arn.rsplit('/').next())
            .map(str::to_owned),
        groups: instance
            .security_groups()
            .iter()
            .filter_map(|g| g.group_id().map(str::to_owned))
            .collect(),
    })
}

/// Images that carry our tag. They are named after what they were made from.
pub(super) async fn images(account: &Account, scope: &Scope) -> Result<Vec<FoundImage>, AwsError> {
    let mut pages = account
        .ec2
        .describe_images()
        .owners("self")
        .filters(ours(scope))
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(image) = pages.next().await {
        found.extend(read_image(&image.during("DescribeImages")?));
    }
    Ok(found)
}

fn read_image(image: &Image) -> Option<FoundImage> {
    let snapshot = |d: &aws_sdk_ec2::types::BlockDeviceMapping| {
        d.ebs().and_then(|e| e.snapshot_id()).map(str::to_owned)
    };
    Some(FoundImage {
        id: image.image_id()?.to_owned(),
        name: image.name()?.to_owned(),
        resource: resource_of(image.tags())?.name,
        state: image.state().map_or("pending", |s| s.as_str()).to_owned(),
        snapshots: image
            .block_device_mappings()
            .iter()
            .filter_map(snapshot)
            .collect(),
        programs: tag(image.tags(), TAG_PROGRAMS).map(str::to_owned),
        recipe: tag(image.tags(), TAG_RECIPE).map(str::to_owned),
    })
}

/// Volumes that carry our tag and hang on no instance; those of an instance go with it.
pub(super) async fn volumes(account: &Account, scope: &Scope) -> Result<Vec<String>, AwsError> {
    let mut pages = account
        .ec2
        .describe_volumes()
        .filters(ours(scope))
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(volume) = pages.next().await {
        let volume = volume.during("DescribeVolumes")?;
        if let (true, Some(id)) = (volume.attachments().is_empty(), volume.volume_id()) {
            found.push(id.to_owned());
        }
    }
    Ok(found)
}

/// Snapshots that carry our tag.
pub(super) async fn snapshots(account: &Account, scope: &Scope) -> Result<Vec<String>, AwsError> {
    let mut pages = account
        .ec2
        .describe_snapshots()
        .owner_ids("self")
        .filters(ours(scope))
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(snapshot) = pages.next().await {
        found.extend(
            snapshot
                .during("DescribeSnapshots")?
                .snapshot_id()
                .map(str::to_owned),
        );
    }
    Ok(found)
}
