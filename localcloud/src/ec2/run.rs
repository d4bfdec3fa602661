//! RunInstances.

mod disks;
mod placement;
mod request;

use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::Timestamp;
use rand::Rng as _;

use super::instances::write_instance;
use super::model::{Attachment, Instance, InstanceState, Interface, Launch, Region, Volume};
use super::types::InstanceType;
use super::{Ec2, PORT_TAKEN, groups, ids};
use crate::auth::Caller;
use crate::network::{METADATA_PORT, Network};
use crate::rehearsal::{Delay, InUse, LaunchRequested};
use crate::wire::{ApiError, Params, Xml};
use request::LaunchRequest;
pub(super) use request::check_user_data;

/// Addresses leased for a launch, given back unless it comes about.
struct Leases<'a> {
    network: &'a Network,
    addresses: Vec<Ipv4Addr>,
}

impl Drop for Leases<'_> {
    fn drop(&mut self) {
        for address in self.addresses.drain(..) {
            self.network.release(address);
        }
    }
}

impl Ec2 {
    pub(super) fn run_instances(
        self: &Arc<Self>,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let token = client_token(params)?;
        let fingerprint = params.fingerprint(&["ClientToken"]);
        let mut leases = Leases {
            network: &self.context.network,
            addresses: Vec::new(),
        };
        let (reservation, launched, is_new) = self.change(caller, params, |region| {
            if let Some(earlier) = token.as_ref().and_then(|token| region.tokens.get(token)) {
                return earlier_launch(region, earlier, &fingerprint);
            }
            let request = LaunchRequest::read(self, &caller.region, region, params)?;
            self.check_room(&caller.region, region, &request)?;
            let instances = self.make(&request, region, token.as_deref(), &mut leases)?;
            let reservation = instances[0].reservation.clone();
            if let Some(token) = &token {
                let launch = Launch {
                    fingerprint: fingerprint.clone(),
                    reservation: reservation.clone(),
                    instances: instances
                        .iter()
                        .map(|instance| instance.id.clone())
                        .collect(),
                };
                region.tokens.insert(token.clone(), launch);
            }
            Ok((reservation, instances, true))
        })?;
        leases.addresses.clear();
        if is_new {
            for instance in &launched {
                self.context.stage.hide(&instance.id);
                let boot = Arc::clone(self).bring_up(caller.region.clone(), instance.id.clone());
                self.context.tasks.spawn(boot);
            }
            self.end_excess(&caller.region);
        }
        let region = self.region(&caller.region);
        let mut xml = Xml::fragment();
        xml.text("reservationId", reservation)
            .text("ownerId", self.context.account())
            .element("groupSet", |_| {})
            .list("instancesSet", "item", &launched, |xml, instance| {
                write_instance(xml, self, &caller.region, &region, instance);
            });
        Ok(xml.finish())
    }

    /// Whether the rehearsed account has room for a launch.
    fn check_room(
        self: &Arc<Self>,
        region_name: &str,
        region: &Region,
        request: &LaunchRequest,
    ) -> Result<(), ApiError> {
        let in_use = in_use(region);
        let stage = &self.context.stage;
        if stage.closes_at(in_use.instances + request.count) {
            tracing::warn!("so many instances are the end of a Learner Lab");
            let (this, name) = (Arc::clone(self), region_name.to_owned());
            self.context.tasks.spawn(async move {
                this.terminate_newest(&name, 0).await;
            });
        }
        let asked = LaunchRequested {
            instance_type: request.instance_type.name,
            vcpus: request.instance_type.vcpus,
            count: request.count,
            zone: request.zone.letter(),
        };
        stage.launch(asked, in_use, region_name)
    }

    /// Where the account may have only so many instances at once, the newest are terminated after a
    /// while.
    fn end_excess(self: &Arc<Self>, region: &str) {
        let account = self.context.stage.account();
        let Some(most) = account.and_then(crate::AccountKind::most_instances) else {
            return;
        };
        if in_use(&self.region(region)).instances <= most {
            return;
        }
        let due = self.context.stage.begin(Delay::ExcessTerminated, region);
        let (this, region) = (Arc::clone(self), region.to_owned());
        self.context.tasks.spawn(async move {
            if due.over().await {
                this.terminate_newest(&region, most).await;
            }
        });
    }

    /// Puts new, pending instances with their volumes into a region.
    fn make(
        &self,
        request: &LaunchRequest,
        region: &mut Region,
        token: Option<&str>,
        leases: &mut Leases<'_>,
    ) -> Result<Vec<Instance>, ApiError> {
        let mut ports = groups::opened_ports(region, &request.groups);
        ports.push(METADATA_PORT);
        let reservation = ids::new("r");
        let now = Timestamp::now();
        for launch_index in 0..request.count {
            let address = self.context.network.lease(request.zone).map_err(|_| {
                ApiError::new(
                    "InsufficientFreeAddressesInSubnet",
                    "The specified subnet does not have enough free addresses to satisfy the request.",
                )
            })?;
            leases.addresses.push(address);
            self.machines
                .check_ports(address, &ports)
                .map_err(|error| ApiError::new(PORT_TAKEN, error.to_string()))?;
            let instance = Instance {
                id: ids::new("i"),
                reservation: reservation.clone(),
                launch_index,
                image: request.image.id.clone(),
                root_snapshot: request.image.snapshot.clone(),
                root_device: request.image.root_device.clone(),
                instance_type: request.instance_type.name.to_owned(),
                architecture: request.image.architecture.clone(),
                zone: request.zone,
                address,
                public: request.public,
                public_address: None,
                groups: request.groups.clone(),
                profile: request.profile.clone(),
                client_token: token.map(str::to_owned),
                launched_at: now,
                state: InstanceState::Pending,
                changed_at: now,
                reason: None,
                shutdown: request.shutdown,
                user_data: request.user_data.clone(),
                metadata: request.metadata.clone(),
                credits: request.credits.clone(),
                detailed_monitoring: request.detailed_monitoring,
                termination_protection: request.termination_protection,
                interface: Interface {
                    id: ids::new("eni"),
                    mac: new_mac(),
                    description: request.interface_description.clone(),
                    tags: request.interface_tags.clone(),
                },
                tags: request.tags.clone(),
            };
            attach_volumes(region, request, &instance);
            region.instances.insert(instance.id.clone(), instance);
        }
        Ok(region
            .instances
            .values()
            .filter(|instance| instance.reservation == reservation)
            .cloned()
            .collect())
    }
}

/// What of a region's quotas is taken. What is shutting down counts for a while.
fn in_use(region: &Region) -> InUse {
    let mut in_use = InUse::default();
    for instance in region.live_instances() {
        let runs = matches!(
            instance.state,
            InstanceState::Pending | InstanceState::Running
        );
        if runs || instance.state == InstanceState::ShuttingDown {
            let kind = InstanceType::named(&instance.instance_type);
            in_use.vcpus += kind.map_or(0, |kind| kind.vcpus);
        }
        in_use.instances += usize::from(runs);
    }
    in_use
}

fn client_token(params: &Params) -> Result<Option<String>, ApiError> {
    let Some(token) = params.get("ClientToken").filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    if token.len() > 64 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(params
            .invalid("ClientToken", "Use up to 64 ASCII characters.")
            .into());
    }
    Ok(Some(token.to_owned()))
}

/// The same request again gets the same instances; another one under the same token is refused.
fn earlier_launch(
    region: &Region,
    earlier: &Launch,
    fingerprint: &str,
) -> Result<(String, Vec<Instance>, bool), ApiError> {
    if earlier.fingerprint != fingerprint {
        return Err(ApiError::new(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        ));
    }
    let instances = earlier
        .instances
        .iter()
        .filter_map(|id| region.instances.get(id).cloned())
        .collect();
    Ok((earlier.reservation.clone(), instances, false))
}

fn attach_volumes(region: &mut Region, request: &LaunchRequest, instance: &Instance) {
    for disk in &request.disks {
        let volume = Volume {
            id: ids::new("vol"),
            size_gib: disk.size_gib,
            volume_type: disk.volume_type.clone(),
            snapshot: disk.snapshot.clone(),
            zone: instance.zone,
            encrypted: disk.encrypted,
            created_at: instance.launched_at,
            attachment: Some(Attachment {
                instance: instance.id.clone(),
                device: disk.device.clone(),
                delete_on_termination: disk.delete_on_termination,
                attached_at: instance.launched_at,
            }),
            tags: request.volume_tags.clone(),
        };
        region.volumes.insert(volume.id.clone(), volume);
    }
}

/// A locally administered hardware address, as EC2's begin.
fn new_mac() -> String {
    let bytes: [u8; 5] = rand::rng().random();
    let rest: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("02:{}", rest.join(":"))
}
