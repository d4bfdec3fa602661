//! Volumes, snapshots and network interfaces that belong to no instance. Nothing here attaches them to
//! one.

use jiff::Timestamp;

use super::model::{Interface, LooseInterface, Snapshot, Volume};
use super::{Ec2, done, ids, tags};
use crate::auth::Caller;
use crate::network::Zone;
use crate::wire::{ApiError, Params, Xml};

/// Smallest and largest gp3 volume in GiB.
const SIZES: std::ops::RangeInclusive<i64> = 1..=65_536;

impl Ec2 {
    pub(super) fn create_volume(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let zone_name = params.required("AvailabilityZone")?;
        let zone = Zone::named(&caller.region, zone_name).ok_or_else(|| {
            ApiError::new(
                "InvalidZone.NotFound",
                format!("The zone '{zone_name}' does not exist."),
            )
        })?;
        let size = params.integer("Size")?.unwrap_or_default();
        if !SIZES.contains(&size) {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!("Volume of {size}GiB is invalid; it has to be 1 to 65536."),
            ));
        }
        let volume = Volume {
            id: ids::new("vol"),
            size_gib: size,
            volume_type: params.get("VolumeType").unwrap_or("gp2").to_owned(),
            snapshot: None,
            zone,
            encrypted: params.boolean("Encrypted")?.unwrap_or(false),
            created_at: Timestamp::now(),
            attachment: None,
            tags: tags::specified(params, "volume", &["volume"])?,
        };
        self.change(caller, params, |region| {
            region.volumes.insert(volume.id.clone(), volume.clone());
            Ok(())
        })?;
        let mut xml = Xml::fragment();
        xml.text("volumeId", &volume.id)
            .text("size", volume.size_gib)
            .text("availabilityZone", zone_name)
            .text("status", "creating")
            .text("createTime", format!("{:.3}", volume.created_at))
            .text("volumeType", &volume.volume_type)
            .text("encrypted", volume.encrypted);
        tags::write(&mut xml, &volume.tags);
        Ok(xml.finish())
    }

    /// Of an unattached volume, which is empty. That of a running instance is an image's part here.
    pub(super) fn create_snapshot(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let volume_id = params.required("VolumeId")?;
        let own_tags = tags::specified(params, "snapshot", &["snapshot"])?;
        let snapshot = self.change(caller, params, |region| {
            let volume = ids::VOLUME.find(&region.volumes, volume_id)?;
            if volume.attachment.is_some() {
                return Err(ApiError::new(
                    "UnsupportedOperation",
                    "localcloud makes snapshots of attached volumes only with CreateImage.",
                ));
            }
            let snapshot = Snapshot {
                id: ids::new("snap"),
                volume: volume.id.clone(),
                size_gib: volume.size_gib,
                description: params.get("Description").unwrap_or_default().to_owned(),
                started_at: Timestamp::now(),
                completed: true,
                tags: own_tags,
            };
            region
                .snapshots
                .insert(snapshot.id.clone(), snapshot.clone());
            Ok(snapshot)
        })?;
        let mut xml = Xml::fragment();
        xml.text("snapshotId", &snapshot.id)
            .text("volumeId", &snapshot.volume)
            .text("status", "pending")
            .text("startTime", format!("{:.3}", snapshot.started_at))
            .text("ownerId", self.context.account())
            .text("volumeSize", snapshot.size_gib)
            .text("description", &snapshot.description)
            .text("encrypted", false);
        tags::write(&mut xml, &snapshot.tags);
        Ok(xml.finish())
    }

    pub(super) fn create_network_interface(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let zone = self.zone_of_subnet(&caller.region, params.required("SubnetId")?)?;
        let mut groups = params.list("SecurityGroupId");
        if groups.is_empty() {
            groups.push(self.default_security_group(&caller.region));
        }
        let own_tags = tags::specified(params, "network-interface", &["network-interface"])?;
        let network = &self.context.network;
        let address = network.lease(zone).map_err(|error| {
            ApiError::new("InsufficientFreeAddressesInSubnet", error.to_string())
        })?;
        let [_, b, c, d] = address.octets();
        let loose = LooseInterface {
            interface: Interface {
                id: ids::new("eni"),
                mac: format!("0a:ff:00:{b:02x}:{c:02x}:{d:02x}"),
                description: params.get("Description").unwrap_or_default().to_owned(),
                tags: own_tags,
            },
            zone,
            address,
            groups,
        };
        let made = self.change(caller, params, |region| {
            ids::GROUP.check_all(&loose.groups, |id| region.groups.contains_key(id))?;
            let id = loose.interface.id.clone();
            region.interfaces.insert(id, loose.clone());
            Ok(())
        });
        if let Err(error) = made {
            network.release(address);
            return Err(error);
        }
        let region = self.region(&caller.region);
        let mut xml = Xml::fragment();
        xml.element("networkInterface", |xml| {
            self.write_interface(xml, caller, &region, &loose.shown());
        });
        Ok(xml.finish())
    }

    pub(super) fn delete_network_interface(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let id = params.required("NetworkInterfaceId")?;
        let gone = self.change(caller, params, |region| {
            ids::INTERFACE.check(id)?;
            let of_instance = region.live_instances().find(|i| i.interface.id == id);
            if let Some(instance) = of_instance {
                return Err(ApiError::new(
                    "InvalidParameterValue",
                    format!(
                        "Network interface '{id}' is currently in use by {}.",
                        instance.id
                    ),
                ));
            }
            let gone = region.interfaces.remove(id);
            gone.ok_or_else(|| ids::INTERFACE.not_found(id))
        })?;
        self.context.network.release(gone.address);
        Ok(done())
    }
}
