//! The volumes of a launch.

use crate::ec2::model::Image;
use crate::wire::{ApiError, Params};

const VOLUME_TYPES: [&str; 7] = ["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"];

/// A volume to make and attach.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) device: String,
    pub(super) size_gib: i64,
    pub(super) volume_type: String,
    pub(super) snapshot: Option<String>,
    pub(super) encrypted: bool,
    pub(super) delete_on_termination: bool,
}

/// The root volume, and one more for each mapping of another device.
pub(super) fn disks(params: &Params, image: &Image) -> Result<Vec<Disk>, ApiError> {
    let mut disks = vec![Disk {
        device: image.root_device.clone(),
        size_gib: image.size_gib,
        volume_type: "gp3".to_owned(),
        snapshot: Some(image.snapshot.clone()),
        encrypted: false,
        delete_on_termination: true,
    }];
    for mapping in params.structures("BlockDeviceMapping") {
        let device = mapping.required("DeviceName")?;
        let ebs = mapping.sub("Ebs");
        let size = ebs.integer("VolumeSize")?;
        let place = disks.iter().position(|disk| disk.device == device);
        let mut disk = match place {
            Some(0) => disks.remove(0),
            Some(_) => {
                return Err(ApiError::new(
                    "InvalidBlockDeviceMapping",
                    format!("The device {device} is mapped twice"),
                ));
            }
            None => Disk {
                device: device.to_owned(),
                size_gib: size.ok_or_else(|| {
                    ApiError::new(
                        "MissingParameter",
                        format!("The device {device} is not the image's root device {}: give its VolumeSize", image.root_device),
                    )
                })?,
                volume_type: "gp2".to_owned(),
                snapshot: None,
                encrypted: false,
                delete_on_termination: true,
            },
        };
        adjust(&mut disk, &ebs, size, image)?;
        match place {
            Some(_) => disks.insert(0, disk),
            None => disks.push(disk),
        }
    }
    Ok(disks)
}

fn adjust(disk: &mut Disk, ebs: &Params, size: Option<i64>, image: &Image) -> Result<(), ApiError> {
    if let Some(size) = size {
        if !(1..=65536).contains(&size) {
            return Err(ebs.invalid("VolumeSize", "Use 1 to 65536 GiB.").into());
        }
        if let Some(snapshot) = disk.snapshot.as_ref().filter(|_| size < image.size_gib) {
            return Err(ApiError::new(
                "InvalidBlockDeviceMapping",
                format!(
                    "Volume of size {size}GB is smaller than snapshot '{snapshot}', expect size >= {}GB",
                    image.size_gib
                ),
            ));
        }
        disk.size_gib = size;
    }
    if let Some(kind) = ebs.get("VolumeType") {
        if !VOLUME_TYPES.contains(&kind) {
            return Err(ebs
                .invalid(
                    "VolumeType",
                    format!("Use one of {}.", VOLUME_TYPES.join(", ")),
                )
                .into());
        }
        disk.volume_type = kind.to_owned();
    }
    disk.encrypted = ebs.boolean("Encrypted")?.unwrap_or(disk.encrypted);
    disk.delete_on_termination = ebs
        .boolean("DeleteOnTermination")?
        .unwrap_or(disk.delete_on_termination);
    Ok(())
}
