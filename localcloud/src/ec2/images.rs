//! Images: the base images that are always there, and those made from instances.

mod base;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::filters::{Filters, Page};
use super::model::{Image, ImageState, InstanceState, Region, Snapshot};
use super::{Ec2, ids, tags};
use crate::auth::Caller;
use crate::machines::{MachineError, RootSource};
use crate::rehearsal::Delay;
use crate::wire::{ApiError, Params, Xml};

impl Ec2 {
    /// The images of a region: the base images and the account's own.
    pub(super) fn images_of(&self, region_name: &str, region: &Region) -> BTreeMap<String, Image> {
        let mut all: BTreeMap<String, Image> = base::images(region_name)
            .into_iter()
            .map(|image| (image.id.clone(), image))
            .collect();
        all.extend(region.images.clone());
        all
    }

    /// What the root folder of an instance of that snapshot is made from.
    pub(super) fn root_source(&self, region: &str, snapshot: &str) -> RootSource {
        match base::distribution_of(region, snapshot) {
            Some(distribution) => RootSource::Base(distribution),
            None => RootSource::Snapshot(snapshot.to_owned()),
        }
    }

    pub(super) async fn create_image(
        self: &Arc<Self>,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let source = params.required("InstanceId")?.to_owned();
        ids::INSTANCE.check(&source)?;
        // What is copied is the root as it is now: nothing may start, stop or remove it meanwhile.
        let held = self.hold(&source).await;
        let name = params.required("Name")?.to_owned();
        check_name(&name)?;
        let allowed = ["image", "snapshot"];
        let image_tags = tags::specified(params, "image", &allowed)?;
        let snapshot_tags = tags::specified(params, "snapshot", &allowed)?;
        let no_reboot = params.boolean("NoReboot")?.unwrap_or(false);
        let account = self.context.account().to_owned();
        let (image, was) = self.change(caller, params, |region| {
            let instance = ids::INSTANCE.find(&region.instances, &source)?;
            let was = instance.state;
            if !matches!(was, InstanceState::Running | InstanceState::Stopped) {
                return Err(ApiError::new(
                    "IncorrectInstanceState",
                    format!("The instance '{source}' is {}; an image is made of one that is running or stopped.", was.name()),
                ));
            }
            if let Some(other) = region.images.values().find(|image| image.name == name) {
                return Err(ApiError::new(
                    "InvalidAMIName.Duplicate",
                    format!("AMI name {name} is already in use by AMI {}", other.id),
                ));
            }
            let volumes = region.volumes_of(instance);
            let (volume, size_gib) = volumes
                .first()
                .map(|(volume, _)| (volume.id.clone(), volume.size_gib))
                .unwrap_or_default();
            let now = Timestamp::now();
            let image = Image {
                id: ids::new("ami"),
                name: name.clone(),
                description: params.get("Description").unwrap_or_default().to_owned(),
                owner: account.clone(),
                owner_alias: None,
                architecture: instance.architecture.clone(),
                created_at: now,
                state: ImageState::Pending,
                failure: None,
                root_device: instance.root_device.clone(),
                snapshot: ids::new("snap"),
                size_gib,
                source_instance: Some(source.clone()),
                tags: image_tags,
            };
            let snapshot = Snapshot {
                id: image.snapshot.clone(),
                volume,
                size_gib,
                description: format!("Created by CreateImage({source}) for {}", image.id),
                started_at: now,
                completed: false,
                tags: snapshot_tags,
            };
            region.snapshots.insert(snapshot.id.clone(), snapshot);
            region.images.insert(image.id.clone(), image.clone());
            Ok((image, was))
        })?;
        let id = image.id.clone();
        self.context.stage.hide(&id);
        self.context.stage.hide(&image.snapshot);
        let this = Arc::clone(self);
        let region = caller.region.clone();
        self.context.tasks.spawn(async move {
            let stage = &this.context.stage;
            let due = stage.begin_with_tags(Delay::ImageAvailable, &image.id, &image.tags);
            let reboots = was == InstanceState::Running && !no_reboot;
            let copied = this.copy_root(&region, &image, &source, reboots).await;
            drop(held);
            if due.over().await {
                this.finish_image(&region, &image, copied).await;
            }
        });
        let mut xml = Xml::fragment();
        xml.text("imageId", id);
        Ok(xml.finish())
    }

    async fn copy_root(
        self: &Arc<Self>,
        region: &str,
        image: &Image,
        source: &str,
        reboots: bool,
    ) -> Result<(), MachineError> {
        if reboots {
            self.machines.stop(source).await;
        }
        let copied = self.machines.snapshot(source, &image.snapshot).await;
        if reboots {
            self.start_machine(region, source).await;
        }
        copied
    }

    async fn finish_image(&self, region: &str, image: &Image, copied: Result<(), MachineError>) {
        let noted = self.note(region, |region| {
            if let Some(image) = region.images.get_mut(&image.id) {
                image.state = ImageState::Available;
                if let Err(error) = &copied {
                    image.state = ImageState::Failed;
                    image.failure = Some(crate::wire::ApiError::internal(error).message);
                }
            }
            if let Some(snapshot) = region.snapshots.get_mut(&image.snapshot) {
                snapshot.completed = copied.is_ok();
            }
        });
        noted.await;
    }

    pub(super) fn describe_images(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let account = self.context.account();
        let region = self.region(&caller.region);
        let images = self.images_of(&caller.region, &region);
        let wanted = params.list("ImageId");
        let stage = &self.context.stage;
        ids::IMAGE.check_all(&wanted, |id| {
            images.contains_key(id) && !stage.is_unseen(id)
        })?;
        let owners = params.list("Owner");
        let owned = |image: &Image| {
            owners.iter().any(|owner| match owner.as_str() {
                "self" => image.owner == account,
                alias @ ("amazon" | "aws-marketplace") => {
                    image.owner_alias.as_deref() == Some(alias)
                }
                id => image.owner == id,
            })
        };
        let known = [
            "image-id",
            "name",
            "state",
            "architecture",
            "owner-id",
            "owner-alias",
            "root-device-type",
            "root-device-name",
            "virtualization-type",
            "image-type",
            "is-public",
            "description",
            "block-device-mapping.snapshot-id",
            "creation-date",
        ];
        let filters = Filters::read(params, &known)?;
        let found: Vec<_> = images
            .values()
            .filter(|image| wanted.is_empty() || wanted.contains(&image.id))
            .filter(|image| !wanted.is_empty() || !stage.is_unlisted(&image.id))
            .filter(|image| owners.is_empty() || owned(image))
            .filter(|image| {
                let values = [
                    ("image-id", vec![image.id.clone()]),
                    ("name", vec![image.name.clone()]),
                    ("state", vec![image.state.name().to_owned()]),
                    ("architecture", vec![image.architecture.clone()]),
                    ("owner-id", vec![image.owner.clone()]),
                    ("owner-alias", image.owner_alias.iter().cloned().collect()),
                    ("root-device-type", vec!["ebs".to_owned()]),
                    ("root-device-name", vec![image.root_device.clone()]),
                    ("virtualization-type", vec!["hvm".to_owned()]),
                    ("image-type", vec!["machine".to_owned()]),
                    ("is-public", vec![(image.owner != account).to_string()]),
                    ("description", vec![image.description.clone()]),
                    (
                        "block-device-mapping.snapshot-id",
                        vec![image.snapshot.clone()],
                    ),
                    ("creation-date", vec![format!("{:.3}", image.created_at)]),
                ];
                filters.pass(&values.into(), &image.tags)
            })
            .collect();
        let page = Page::of(found, params)?;
        let mut xml = Xml::fragment();
        xml.list("imagesSet", "item", page.items, |xml, image| {
            write(xml, image, image.owner != account);
        })
        .optional("nextToken", page.next);
        Ok(xml.finish())
    }

    pub(super) async fn deregister_image(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let id = params.required("ImageId")?;
        ids::IMAGE.check(id)?;
        let with_snapshots = params
            .boolean("DeleteAssociatedSnapshots")?
            .unwrap_or(false);
        let snapshot = self.change(caller, params, |region| {
            if base::images(&caller.region)
                .iter()
                .any(|image| image.id == id)
            {
                return Err(ApiError::new(
                    "AuthFailure",
                    format!("Not authorized for image: {id}; it is not this account's"),
                ));
            }
            let image = ids::IMAGE.find(&region.images, id)?;
            if image.state == ImageState::Pending {
                return Err(ApiError::new(
                    "InvalidAMIID.Unavailable",
                    format!("The image '{id}' is still being made; wait until it is available"),
                ));
            }
            let snapshot = image.snapshot.clone();
            region.images.remove(id);
            let removed = with_snapshots && region.snapshots.remove(&snapshot).is_some();
            Ok(removed.then_some(snapshot))
        })?;
        if let Some(snapshot) = &snapshot {
            self.machines.delete_snapshot(snapshot).await;
        }
        let mut xml = Xml::fragment();
        xml.text("return", true);
        if with_snapshots {
            xml.list(
                "deleteSnapshotResultSet",
                "item",
                snapshot,
                |xml, snapshot| {
                    xml.text("snapshotId", snapshot)
                        .text("returnCode", "success");
                },
            );
        }
        Ok(xml.finish())
    }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
    if !(3..=128).contains(&name.chars().count()) || !name.chars().all(allowed) {
        return Err(ApiError::new(
            "InvalidAMIName.Malformed",
            "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, spaces and ()[]./-'@_",
        ));
    }
    Ok(())
}

fn write(xml: &mut Xml, image: &Image, public: bool) {
    xml.text("imageId", &image.id)
        .text("imageLocation", format!("{}/{}", image.owner, image.name))
        .text("imageState", image.state.name())
        .text("imageOwnerId", &image.owner)
        .optional("imageOwnerAlias", image.owner_alias.as_ref())
        .text("creationDate", format!("{:.3}", image.created_at))
        .text("isPublic", public)
        .text("architecture", &image.architecture)
        .text("imageType", "machine")
        .text("name", &image.name)
        .text("description", &image.description)
        .text("platformDetails", "Linux/UNIX")
        .text("usageOperation", "RunInstances")
        .text("rootDeviceType", "ebs")
        .text("rootDeviceName", &image.root_device)
        .text("virtualizationType", "hvm")
        .text("hypervisor", "xen")
        .text("enaSupport", true)
        .text("imdsSupport", "v2.0")
        .optional("sourceInstanceId", image.source_instance.as_ref())
        .list("blockDeviceMapping", "item", [image], |xml, image| {
            xml.text("deviceName", &image.root_device)
                .element("ebs", |xml| {
                    xml.text("snapshotId", &image.snapshot)
                        .text("volumeSize", image.size_gib)
                        .text("volumeType", "gp3")
                        .text("deleteOnTermination", true)
                        .text("encrypted", false);
                });
        });
    if let Some(failure) = &image.failure {
        xml.element("stateReason", |xml| {
            xml.text("code", "Server.InternalError")
                .text("message", failure);
        });
    }
    tags::write(xml, &image.tags);
}
