//! Instances, volumes, images and snapshots.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, Image, Instance, InstanceStateName, Reservation, Tag};
use deployer_core::inventory::{FoundImage, FoundInstance, InstanceState, StrayKind};
use deployer_core::names::{
    ResourceId, Scope, TAG_BASE, TAG_CPU_CREDITS, TAG_DEPLOYMENT, TAG_EXPIRES_AT, TAG_PROGRAMS,
    TAG_RECIPE, TAG_RESOURCE, TAG_SETTINGS,
};

use super::extras::instant;
use super::listing::Part;
use super::scan::Remembered;
use crate::account::Account;
use crate::error::AwsError;

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

/// What people call a thing, in brackets: its tag `Name`, else what its kind has in place of one.
pub(crate) fn name_of(tags: &[Tag], otherwise: Option<&str>) -> String {
    match tag(tags, "Name").or(otherwise) {
        None | Some("") => String::new(),
        Some(name) => format!(" ({name})"),
    }
}

pub(crate) fn resource_of(tags: &[Tag]) -> Option<ResourceId> {
    tag(tags, TAG_RESOURCE)?.parse().ok()
}

/// What to ask EC2 for: what carries our tag, and what a journal remembers of that kind.
pub(super) fn filters(
    scope: &Scope,
    remembered: &Remembered,
    prefix: &str,
    by_id: &str,
) -> Vec<Filter> {
    let ids: Vec<String> = remembered
        .keys()
        .filter(|id| id.starts_with(prefix))
        .cloned()
        .collect();
    let mut filters = vec![ours(scope)];
    // A filter takes 200 values.
    filters.extend(ids.chunks(200).map(|some| {
        Filter::builder()
            .name(by_id)
            .set_values(Some(some.to_vec()))
            .build()
    }));
    filters
}

/// Instances that carry our tag, in every state but terminated.
///
/// # Errors
/// When the listing fails.
pub async fn instances(account: &Account, scope: &Scope) -> Result<Vec<FoundInstance>, AwsError> {
    let part = all_instances(account, scope, &Remembered::new()).await?;
    Ok(part.inventory.instances)
}

/// The same, with those that a journal remembers and those that do not say what they are.
pub(super) async fn all_instances(
    account: &Account,
    scope: &Scope,
    remembered: &Remembered,
) -> Result<Part, AwsError> {
    let mut part = Part::default();
    let mut seen = BTreeSet::new();
    for filter in filters(scope, remembered, "i-", "instance-id") {
        let pages = account
            .ec2
            .describe_instances()
            .filters(filter)
            .set_max_results(account.page_size)
            .into_paginator()
            .send();
        let seen = &mut seen;
        part.read_pages("DescribeInstances", pages, |part, page| {
            let here = page.reservations().iter().flat_map(Reservation::instances);
            let mut entries = 0;
            for instance in here {
                entries += 1;
                if instance
                    .instance_id()
                    .is_some_and(|id| seen.insert(id.to_owned()))
                {
                    note_instance(part, instance, remembered);
                }
            }
            entries
        })
        .await?;
    }
    Ok(part)
}

fn note_instance(part: &mut Part, instance: &Instance, remembered: &Remembered) {
    let state = instance.state().and_then(|s| s.name());
    let Some(id) = instance.instance_id() else {
        return;
    };
    let resource = resource_of(instance.tags()).or_else(|| remembered.get(id)?.parse().ok());
    match resource.and_then(|resource| read_instance(instance, resource)) {
        Some(found) => part.inventory.instances.push(found),
        None if state == Some(&InstanceStateName::Terminated) => {}
        None => {
            let stray = part.stray(StrayKind::Instance, id);
            stray.state = state.map_or("", |s| s.as_str()).to_owned();
            stray.created = instant(instance.launch_time());
        }
    }
}

fn read_instance(instance: &Instance, resource: ResourceId) -> Option<FoundInstance> {
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
        resource,
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
        launched: instant(instance.launch_time()),
        expires_at: given(tag(tags, TAG_EXPIRES_AT)),
        settings: given(tag(tags, TAG_SETTINGS)),
        programs: given(tag(tags, TAG_PROGRAMS)),
        base: given(tag(tags, TAG_BASE)),
        cpu_credits: given(tag(tags, TAG_CPU_CREDITS)),
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
pub(super) async fn images(
    account: &Account,
    scope: &Scope,
    remembered: &Remembered,
) -> Result<Part, AwsError> {
    let mut part = Part::default();
    let mut seen = BTreeSet::new();
    for filter in filters(scope, remembered, "ami-", "image-id") {
        let pages = account
            .ec2
            .describe_images()
            .owners("self")
            .filters(filter)
            .set_max_results(account.page_size)
            .into_paginator()
            .send();
        let seen = &mut seen;
        part.read_pages("DescribeImages", pages, |part, page| {
            for image in page.images() {
                if image
                    .image_id()
                    .is_some_and(|id| seen.insert(id.to_owned()))
                {
                    note_image(part, image, remembered);
                }
            }
            page.images().len()
        })
        .await?;
    }
    Ok(part)
}

fn note_image(part: &mut Part, image: &Image, remembered: &Remembered) {
    let Some(id) = image.image_id() else { return };
    let resource = resource_of(image.tags()).or_else(|| remembered.get(id)?.parse().ok());
    if let Some(found) = resource.and_then(|resource| read_image(image, resource)) {
        for snapshot in &found.snapshots {
            part.held_by(snapshot, id);
        }
        part.inventory.images.push(found);
    } else {
        part.stray(StrayKind::Image, id);
    }
}

fn read_image(image: &Image, resource: ResourceId) -> Option<FoundImage> {
    let snapshot = |d: &aws_sdk_ec2::types::BlockDeviceMapping| {
        d.ebs().and_then(|e| e.snapshot_id()).map(str::to_owned)
    };
    Some(FoundImage {
        id: image.image_id()?.to_owned(),
        name: image.name()?.to_owned(),
        resource: resource.name,
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

/// Volumes that carry our tag. Those of an instance of ours go with it.
pub(super) async fn volumes(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let pages = account
        .ec2
        .describe_volumes()
        .filters(ours(scope))
        .set_max_results(account.page_size)
        .into_paginator()
        .send();
    let mut part = Part::default();
    part.read_pages("DescribeVolumes", pages, |part, page| {
        for volume in page.volumes() {
            let Some(id) = volume.volume_id() else {
                continue;
            };
            part.inventory.volumes.push(id.to_owned());
            for instance in volume.attachments().iter().filter_map(|a| a.instance_id()) {
                part.held_by(id, instance);
            }
        }
        page.volumes().len()
    })
    .await?;
    Ok(part)
}

/// Snapshots that carry our tag. Those of an image of ours go with it.
pub(super) async fn snapshots(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let pages = account
        .ec2
        .describe_snapshots()
        .owner_ids("self")
        .filters(ours(scope))
        .set_max_results(account.page_size)
        .into_paginator()
        .send();
    let mut part = Part::default();
    part.read_pages("DescribeSnapshots", pages, |part, page| {
        let ids = page.snapshots().iter().filter_map(|s| s.snapshot_id());
        part.inventory.snapshots.extend(ids.map(str::to_owned));
        page.snapshots().len()
    })
    .await?;
    Ok(part)
}
