//! Instances described.

use std::collections::BTreeMap;

use super::filters::{Filters, Page};
use super::model::{Instance, InstanceState, Region};
use super::network::{group_name, zone_id};
use super::types::InstanceType;
use super::{Ec2, ids, tags};
use crate::auth::Caller;
use crate::wire::{ApiError, Params, Xml};

const FILTERS: [&str; 21] = [
    "instance-id",
    "instance-state-name",
    "instance-state-code",
    "image-id",
    "instance-type",
    "vpc-id",
    "subnet-id",
    "availability-zone",
    "private-ip-address",
    "ip-address",
    "instance.group-id",
    "instance.group-name",
    "group-id",
    "client-token",
    "iam-instance-profile.arn",
    "iam-instance-profile.id",
    "architecture",
    "reservation-id",
    "owner-id",
    "root-device-type",
    "network-interface.network-interface-id",
];

impl Ec2 {
    pub(super) fn describe_instances(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.visible_region(&caller.region);
        let page = Page::of(self.chosen_instances(caller, &region, params)?, params)?;
        let mut reservations: BTreeMap<&str, Vec<&Instance>> = BTreeMap::new();
        for instance in page.items {
            reservations
                .entry(&instance.reservation)
                .or_default()
                .push(instance);
        }
        let mut xml = Xml::fragment();
        xml.list(
            "reservationSet",
            "item",
            reservations,
            |xml, (id, instances)| {
                xml.text("reservationId", id)
                    .text("ownerId", self.context.account())
                    .element("groupSet", |_| {})
                    .list("instancesSet", "item", instances, |xml, instance| {
                        write_instance(xml, self, &caller.region, &region, instance);
                    });
            },
        )
        .optional("nextToken", page.next);
        Ok(xml.finish())
    }

    pub(super) fn describe_instance_status(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.visible_region(&caller.region);
        let all = params.boolean("IncludeAllInstances")?.unwrap_or(false);
        let mut found = self.chosen_instances(caller, &region, params)?;
        found.retain(|instance| all || instance.state == InstanceState::Running);
        let page = Page::of(found, params)?;
        let mut xml = Xml::fragment();
        xml.list("instanceStatusSet", "item", page.items, |xml, instance| {
            let status = match instance.state {
                InstanceState::Running => "ok",
                InstanceState::Pending => "initializing",
                _ => "not-applicable",
            };
            xml.text("instanceId", &instance.id)
                .text("availabilityZone", instance.zone.name(&caller.region));
            write_state(xml, "instanceState", instance.state);
            for name in ["systemStatus", "instanceStatus"] {
                xml.element(name, |xml| {
                    xml.text("status", status);
                });
            }
        })
        .optional("nextToken", page.next);
        Ok(xml.finish())
    }

    /// A region without the instances that have been gone for so long that nobody sees them.
    fn visible_region(&self, name: &str) -> Region {
        self.state.read(|all| {
            let mut region = all.region(self.context.account(), name);
            region.forget_terminated(jiff::Timestamp::now());
            region
        })
    }

    fn chosen_instances<'a>(
        &self,
        caller: &Caller,
        region: &'a Region,
        params: &Params,
    ) -> Result<Vec<&'a Instance>, ApiError> {
        let wanted = params.list("InstanceId");
        let stage = &self.context.stage;
        ids::INSTANCE.check_all(&wanted, |id| {
            region.instances.contains_key(id) && !stage.is_unseen(id)
        })?;
        let filters = Filters::read(params, &FILTERS)?;
        let (account, name) = (self.context.account(), &caller.region);
        Ok(region
            .instances
            .values()
            .filter(|instance| wanted.is_empty() || wanted.contains(&instance.id))
            .filter(|instance| !wanted.is_empty() || !stage.is_unlisted(&instance.id))
            .filter(|instance| {
                let group_names: Vec<String> = instance
                    .groups
                    .iter()
                    .map(|id| group_name(region, id).to_owned())
                    .collect();
                let profile = |of: fn(&super::model::Profile) -> String| {
                    instance.profile.iter().map(of).collect::<Vec<_>>()
                };
                let (subnet, vpc, address) = if instance.state == InstanceState::Terminated {
                    Default::default()
                } else {
                    (
                        vec![ids::subnet(account, name, instance.zone)],
                        vec![ids::default_vpc(account, name)],
                        vec![instance.address.to_string()],
                    )
                };
                let public = instance.public_address().map(|address| address.to_string());
                let values = [
                    ("instance-id", vec![instance.id.clone()]),
                    (
                        "instance-state-name",
                        vec![instance.state.name().to_owned()],
                    ),
                    (
                        "instance-state-code",
                        vec![instance.state.code().to_string()],
                    ),
                    ("image-id", vec![instance.image.clone()]),
                    ("instance-type", vec![instance.instance_type.clone()]),
                    ("vpc-id", vpc),
                    ("subnet-id", subnet),
                    ("availability-zone", vec![instance.zone.name(name)]),
                    ("private-ip-address", address),
                    ("ip-address", public.into_iter().collect()),
                    ("instance.group-id", instance.groups.clone()),
                    ("instance.group-name", group_names),
                    ("group-id", instance.groups.clone()),
                    (
                        "client-token",
                        instance.client_token.iter().cloned().collect(),
                    ),
                    (
                        "iam-instance-profile.arn",
                        profile(|profile| profile.arn.clone()),
                    ),
                    (
                        "iam-instance-profile.id",
                        profile(|profile| profile.id.clone()),
                    ),
                    ("architecture", vec![instance.architecture.clone()]),
                    ("reservation-id", vec![instance.reservation.clone()]),
                    ("owner-id", vec![account.to_owned()]),
                    ("root-device-type", vec!["ebs".to_owned()]),
                    (
                        "network-interface.network-interface-id",
                        vec![instance.interface.id.clone()],
                    ),
                ];
                filters.pass(&values.into(), &instance.tags)
            })
            .collect())
    }
}

/// `<name><code/><name/></name>`.
pub(super) fn write_state(xml: &mut Xml, name: &str, state: InstanceState) {
    xml.element(name, |xml| {
        xml.text("code", state.code()).text("name", state.name());
    });
}

/// `<groupSet>`.
pub(super) fn write_groups(xml: &mut Xml, region: &Region, groups: &[String]) {
    xml.list("groupSet", "item", groups, |xml, id| {
        xml.text("groupId", id)
            .text("groupName", group_name(region, id));
    });
}

/// One instance, as RunInstances and DescribeInstances have it.
pub(super) fn write_instance(
    xml: &mut Xml,
    ec2: &Ec2,
    region_name: &str,
    region: &Region,
    instance: &Instance,
) {
    let account = ec2.context.account();
    xml.text("instanceId", &instance.id)
        .text("imageId", &instance.image);
    write_state(xml, "instanceState", instance.state);
    xml.text("privateDnsName", private_name(instance, region_name))
        .text("dnsName", "")
        .text(
            "reason",
            instance
                .reason
                .as_ref()
                .map_or("", |reason| reason.message.as_str()),
        )
        .text("amiLaunchIndex", instance.launch_index)
        .text("instanceType", &instance.instance_type)
        .text("launchTime", format!("{:.3}", instance.launched_at))
        .element("placement", |xml| {
            xml.text("availabilityZone", instance.zone.name(region_name))
                .text("availabilityZoneId", zone_id(region_name, instance.zone))
                .text("tenancy", "default");
        })
        .element("monitoring", |xml| {
            let state = if instance.detailed_monitoring {
                "enabled"
            } else {
                "disabled"
            };
            xml.text("state", state);
        })
        .text("architecture", &instance.architecture)
        .text("rootDeviceType", "ebs")
        .text("rootDeviceName", &instance.root_device)
        .text("virtualizationType", "hvm")
        .text("hypervisor", "xen")
        .text("enaSupport", true)
        .text("ebsOptimized", false)
        .text("platformDetails", "Linux/UNIX")
        .text("usageOperation", "RunInstances")
        .text("currentInstanceBootMode", "legacy-bios")
        .text(
            "clientToken",
            instance.client_token.as_deref().unwrap_or_default(),
        );
    if let Some(kind) = InstanceType::named(&instance.instance_type) {
        xml.element("cpuOptions", |xml| {
            xml.text("coreCount", kind.cores())
                .text("threadsPerCore", kind.threads_per_core());
        });
    }
    if let Some(reason) = &instance.reason {
        xml.element("stateReason", |xml| {
            xml.text("code", &reason.code)
                .text("message", &reason.message);
        });
    }
    if let Some(profile) = &instance.profile {
        xml.element("iamInstanceProfile", |xml| {
            xml.text("arn", &profile.arn).text("id", &profile.id);
        });
    }
    write_metadata_options(xml, instance);
    if instance.state != InstanceState::Terminated {
        xml.text("subnetId", ids::subnet(account, region_name, instance.zone))
            .text("vpcId", ids::default_vpc(account, region_name))
            .text("privateIpAddress", instance.address)
            .text("sourceDestCheck", true);
        xml.optional("ipAddress", instance.public_address());
        write_groups(xml, region, &instance.groups);
        write_interface(xml, account, region_name, region, instance);
    }
    xml.list(
        "blockDeviceMapping",
        "item",
        region.volumes_of(instance),
        |xml, (volume, attachment)| {
            xml.text("deviceName", &attachment.device)
                .element("ebs", |xml| {
                    xml.text("volumeId", &volume.id)
                        .text("status", "attached")
                        .text("attachTime", format!("{:.3}", attachment.attached_at))
                        .text("deleteOnTermination", attachment.delete_on_termination);
                });
        },
    );
    tags::write(xml, &instance.tags);
}

fn private_name(instance: &Instance, region: &str) -> String {
    if instance.state == InstanceState::Terminated {
        return String::new();
    }
    let dashed = instance.address.to_string().replace('.', "-");
    if region == "us-east-1" {
        format!("ip-{dashed}.ec2.internal")
    } else {
        format!("ip-{dashed}.{region}.compute.internal")
    }
}

fn write_metadata_options(xml: &mut Xml, instance: &Instance) {
    let options = &instance.metadata;
    let word = |on: bool| if on { "enabled" } else { "disabled" };
    xml.element("metadataOptions", |xml| {
        xml.text("state", "applied")
            .text(
                "httpTokens",
                if options.tokens_required {
                    "required"
                } else {
                    "optional"
                },
            )
            .text("httpPutResponseHopLimit", options.hop_limit)
            .text("httpEndpoint", word(options.enabled))
            .text("httpProtocolIpv6", "disabled")
            .text("instanceMetadataTags", word(options.tags));
    });
}

/// How an interface is reached from outside.
pub(super) fn write_association(xml: &mut Xml, instance: &Instance) {
    if let Some(address) = instance.public_address() {
        xml.element("association", |xml| {
            xml.text("publicIp", address).text("ipOwnerId", "amazon");
        });
    }
}

fn write_interface(
    xml: &mut Xml,
    account: &str,
    region_name: &str,
    region: &Region,
    instance: &Instance,
) {
    xml.list(
        "networkInterfaceSet",
        "item",
        [&instance.interface],
        |xml, interface| {
            xml.text("networkInterfaceId", &interface.id)
                .text("subnetId", ids::subnet(account, region_name, instance.zone))
                .text("vpcId", ids::default_vpc(account, region_name))
                .text("description", &interface.description)
                .text("ownerId", account)
                .text("status", "in-use")
                .text("macAddress", &interface.mac)
                .text("privateIpAddress", instance.address)
                .text("sourceDestCheck", true)
                .text("interfaceType", "interface");
            write_groups(xml, region, &instance.groups);
            xml.element("attachment", |xml| {
                xml.text("deviceIndex", 0)
                    .text("status", "attached")
                    .text("attachTime", format!("{:.3}", instance.launched_at))
                    .text("deleteOnTermination", true);
            });
            write_association(xml, instance);
            xml.list(
                "privateIpAddressesSet",
                "item",
                [instance.address],
                |xml, address| {
                    xml.text("privateIpAddress", address).text("primary", true);
                    write_association(xml, instance);
                },
            );
        },
    );
}
