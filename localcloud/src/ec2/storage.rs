//! Volumes and snapshots.

use super::filters::{Filters, Page};
use super::model::Snapshot;
use super::{Ec2, done, ids, tags};
use crate::auth::Caller;
use crate::wire::{ApiError, Params, Xml};

impl Ec2 {
    pub(super) fn describe_volumes(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.region(&caller.region);
        let wanted = params.list("VolumeId");
        ids::VOLUME.check_all(&wanted, |id| region.volumes.contains_key(id))?;
        let known = [
            "volume-id",
            "status",
            "attachment.instance-id",
            "attachment.device",
            "availability-zone",
            "volume-type",
            "size",
            "snapshot-id",
        ];
        let filters = Filters::read(params, &known)?;
        let found: Vec<_> = region
            .volumes
            .values()
            .filter(|volume| wanted.is_empty() || wanted.contains(&volume.id))
            .filter(|volume| {
                let attachment = volume.attachment.iter();
                let values = [
                    ("volume-id", vec![volume.id.clone()]),
                    (
                        "status",
                        vec![status(volume.attachment.is_some()).to_owned()],
                    ),
                    (
                        "attachment.instance-id",
                        attachment.clone().map(|at| at.instance.clone()).collect(),
                    ),
                    (
                        "attachment.device",
                        attachment.map(|at| at.device.clone()).collect(),
                    ),
                    ("availability-zone", vec![volume.zone.name(&caller.region)]),
                    ("volume-type", vec![volume.volume_type.clone()]),
                    ("size", vec![volume.size_gib.to_string()]),
                    ("snapshot-id", volume.snapshot.iter().cloned().collect()),
                ];
                filters.pass(&values.into(), &volume.tags)
            })
            .collect();
        let page = Page::of(found, params)?;
        let mut xml = Xml::fragment();
        xml.list("volumeSet", "item", page.items, |xml, volume| {
            xml.text("volumeId", &volume.id)
                .text("size", volume.size_gib)
                .text("snapshotId", volume.snapshot.as_deref().unwrap_or_default())
                .text("availabilityZone", volume.zone.name(&caller.region))
                .text("status", status(volume.attachment.is_some()))
                .text("createTime", format!("{:.3}", volume.created_at))
                .text("volumeType", &volume.volume_type)
                .text("encrypted", volume.encrypted)
                .text("multiAttachEnabled", false)
                .list(
                    "attachmentSet",
                    "item",
                    &volume.attachment,
                    |xml, attachment| {
                        xml.text("volumeId", &volume.id)
                            .text("instanceId", &attachment.instance)
                            .text("device", &attachment.device)
                            .text("status", "attached")
                            .text("attachTime", format!("{:.3}", attachment.attached_at))
                            .text("deleteOnTermination", attachment.delete_on_termination);
                    },
                );
            tags::write(xml, &volume.tags);
        })
        .optional("nextToken", page.next);
        Ok(xml.finish())
    }

    pub(super) fn delete_volume(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let id = params.required("VolumeId")?;
        self.change(caller, params, |region| {
            let volume = ids::VOLUME.find(&region.volumes, id)?;
            if let Some(attachment) = &volume.attachment {
                return Err(ApiError::new(
                    "VolumeInUse",
                    format!(
                        "Volume {id} is currently attached to {}",
                        attachment.instance
                    ),
                ));
            }
            region.volumes.remove(id);
            Ok(())
        })?;
        Ok(done())
    }

    pub(super) fn describe_snapshots(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let account = self.context.account();
        let region = self.region(&caller.region);
        let wanted = params.list("SnapshotId");
        ids::SNAPSHOT.check_all(&wanted, |id| region.snapshots.contains_key(id))?;
        let owners = params.list("Owner");
        let ours = owners.is_empty()
            || owners
                .iter()
                .any(|owner| owner == "self" || owner == account);
        let known = [
            "snapshot-id",
            "status",
            "volume-id",
            "owner-id",
            "description",
            "volume-size",
        ];
        let filters = Filters::read(params, &known)?;
        let found: Vec<_> = region
            .snapshots
            .values()
            .filter(|snapshot| ours && (wanted.is_empty() || wanted.contains(&snapshot.id)))
            .filter(|snapshot| {
                let values = [
                    ("snapshot-id", vec![snapshot.id.clone()]),
                    ("status", vec![progress(snapshot).0.to_owned()]),
                    ("volume-id", vec![snapshot.volume.clone()]),
                    ("owner-id", vec![account.to_owned()]),
                    ("description", vec![snapshot.description.clone()]),
                    ("volume-size", vec![snapshot.size_gib.to_string()]),
                ];
                filters.pass(&values.into(), &snapshot.tags)
            })
            .collect();
        let page = Page::of(found, params)?;
        let mut xml = Xml::fragment();
        xml.list("snapshotSet", "item", page.items, |xml, snapshot| {
            let (status, progress) = progress(snapshot);
            xml.text("snapshotId", &snapshot.id)
                .text("volumeId", &snapshot.volume)
                .text("status", status)
                .text("progress", progress)
                .text("startTime", format!("{:.3}", snapshot.started_at))
                .text("ownerId", account)
                .text("volumeSize", snapshot.size_gib)
                .text("description", &snapshot.description)
                .text("encrypted", false)
                .text("storageTier", "standard");
            tags::write(xml, &snapshot.tags);
        })
        .optional("nextToken", page.next);
        Ok(xml.finish())
    }

    pub(super) async fn delete_snapshot(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let id = params.required("SnapshotId")?;
        self.change(caller, params, |region| {
            ids::SNAPSHOT.find(&region.snapshots, id)?;
            if let Some(image) = region.images.values().find(|image| image.snapshot == id) {
                return Err(ApiError::new(
                    "InvalidSnapshot.InUse",
                    format!("The snapshot {id} is currently in use by {}", image.id),
                ));
            }
            region.snapshots.remove(id);
            Ok(())
        })?;
        self.machines.delete_snapshot(id).await;
        Ok(done())
    }
}

fn status(attached: bool) -> &'static str {
    if attached { "in-use" } else { "available" }
}

fn progress(snapshot: &Snapshot) -> (&'static str, &'static str) {
    if snapshot.completed {
        ("completed", "100%")
    } else {
        ("pending", "0%")
    }
}
