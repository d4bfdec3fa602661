//! What every region has without asking: zones, the default VPC and its subnets; and interfaces.

use std::net::Ipv4Addr;

use super::filters::{Filters, Page};
use super::instances::{write_association, write_groups};
use super::model::{Instance, Interface, LooseInterface, Region, Tags};
use super::{Ec2, ids, tags};
use crate::auth::Caller;
use crate::network::Zone;
use crate::wire::{ApiError, Params, Xml};

/// Regions that are enabled in every account.
/// <https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html>
const REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

impl Ec2 {
    /// The ids of what every region has.
    pub(super) fn network_ids(&self, region: &str) -> Vec<String> {
        let account = self.context.account();
        let mut all = vec![ids::default_vpc(account, region)];
        all.extend(Zone::ALL.map(|zone| ids::subnet(account, region, zone)));
        all
    }

    /// The zone of a subnet.
    pub(super) fn zone_of_subnet(&self, region: &str, subnet: &str) -> Result<Zone, ApiError> {
        ids::SUBNET.check(subnet)?;
        Zone::ALL
            .into_iter()
            .find(|zone| ids::subnet(self.context.account(), region, *zone) == subnet)
            .ok_or_else(|| ids::SUBNET.not_found(subnet))
    }

    /// The address range of a zone's subnet.
    fn range_of(&self, zone: Zone) -> String {
        let (first, length) = zone.subnet();
        format!("{}/{length}", self.context.network.address(first))
    }

    pub(super) fn describe_regions(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let mut known: Vec<String> = REGIONS.map(str::to_owned).into();
        known.extend(
            self.state
                .read(|all| all.regions.keys().cloned().collect::<Vec<_>>()),
        );
        known.push(caller.region.clone());
        known.sort();
        known.dedup();
        let wanted = params.list("RegionName");
        if let Some(unknown) = wanted.iter().find(|name| !known.contains(name)) {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!("Invalid region names: {unknown}"),
            ));
        }
        let filters = Filters::read(params, &["region-name", "opt-in-status"])?;
        known.retain(|name| {
            let values = [
                ("region-name", vec![name.clone()]),
                ("opt-in-status", vec!["opt-in-not-required".to_owned()]),
            ];
            (wanted.is_empty() || wanted.contains(name))
                && filters.pass(&values.into(), &Tags::new())
        });
        let mut xml = Xml::fragment();
        xml.list("regionInfo", "item", known, |xml, name| {
            xml.text("regionName", &name)
                .text("regionEndpoint", format!("ec2.{name}.amazonaws.com"))
                .text("optInStatus", "opt-in-not-required");
        });
        Ok(xml.finish())
    }

    pub(super) fn describe_availability_zones(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = &caller.region;
        let wanted = params.list("ZoneName");
        if let Some(unknown) = wanted
            .iter()
            .find(|name| Zone::named(region, name).is_none())
        {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!("Invalid availability zone: [{unknown}]"),
            ));
        }
        let known = [
            "zone-name",
            "zone-id",
            "state",
            "region-name",
            "zone-type",
            "opt-in-status",
        ];
        let filters = Filters::read(params, &known)?;
        let zones = Zone::ALL.into_iter().filter(|zone| {
            let name = zone.name(region);
            let values = [
                ("zone-name", vec![name.clone()]),
                ("zone-id", vec![zone_id(region, *zone)]),
                ("state", vec!["available".to_owned()]),
                ("region-name", vec![region.clone()]),
                ("zone-type", vec!["availability-zone".to_owned()]),
                ("opt-in-status", vec!["opt-in-not-required".to_owned()]),
            ];
            (wanted.is_empty() || wanted.contains(&name))
                && filters.pass(&values.into(), &Tags::new())
        });
        let mut xml = Xml::fragment();
        xml.list("availabilityZoneInfo", "item", zones, |xml, zone| {
            xml.text("zoneName", zone.name(region))
                .text("zoneState", "available")
                .text("optInStatus", "opt-in-not-required")
                .text("regionName", region)
                .text("zoneId", zone_id(region, zone))
                .text("groupName", region)
                .text("networkBorderGroup", region)
                .text("zoneType", "availability-zone");
        });
        Ok(xml.finish())
    }

    pub(super) fn describe_vpcs(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let account = self.context.account();
        let vpc = ids::default_vpc(account, &caller.region);
        let range = format!("{}/24", self.context.network.address(0));
        let wanted = params.list("VpcId");
        ids::VPC.check_all(&wanted, |id| id == vpc)?;
        let known = [
            "vpc-id",
            "is-default",
            "isDefault",
            "state",
            "cidr",
            "owner-id",
        ];
        let filters = Filters::read(params, &known)?;
        let region = self.region(&caller.region);
        let own_tags = region.network_tags.get(&vpc).cloned().unwrap_or_default();
        let values = [
            ("vpc-id", vec![vpc.clone()]),
            ("is-default", vec!["true".to_owned()]),
            ("isDefault", vec!["true".to_owned()]),
            ("state", vec!["available".to_owned()]),
            ("cidr", vec![range.clone()]),
            ("owner-id", vec![account.to_owned()]),
        ];
        let found = filters.pass(&values.into(), &own_tags).then_some(&vpc);
        let mut xml = Xml::fragment();
        xml.list("vpcSet", "item", found, |xml, vpc| {
            xml.text("vpcId", vpc)
                .text("ownerId", account)
                .text("state", "available")
                .text("cidrBlock", &range)
                .text("instanceTenancy", "default")
                .text("isDefault", true);
            tags::write(xml, &own_tags);
        });
        Ok(xml.finish())
    }

    pub(super) fn describe_subnets(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let (account, name) = (self.context.account(), &caller.region);
        let vpc = ids::default_vpc(account, name);
        let wanted = params.list("SubnetId");
        ids::SUBNET.check_all(&wanted, |id| self.zone_of_subnet(name, id).is_ok())?;
        let known = [
            "vpc-id",
            "subnet-id",
            "availability-zone",
            "availabilityZone",
            "availability-zone-id",
            "default-for-az",
            "defaultForAz",
            "state",
            "cidr-block",
            "map-public-ip-on-launch",
        ];
        let filters = Filters::read(params, &known)?;
        let region = self.region(name);
        let own_tags = |id: &str| region.network_tags.get(id).cloned().unwrap_or_default();
        let zones: Vec<Zone> = Zone::ALL
            .into_iter()
            .filter(|zone| {
                let id = ids::subnet(account, name, *zone);
                let yes = || vec!["true".to_owned()];
                let values = [
                    ("vpc-id", vec![vpc.clone()]),
                    ("subnet-id", vec![id.clone()]),
                    ("availability-zone", vec![zone.name(name)]),
                    ("availabilityZone", vec![zone.name(name)]),
                    ("availability-zone-id", vec![zone_id(name, *zone)]),
                    ("default-for-az", yes()),
                    ("defaultForAz", yes()),
                    ("state", vec!["available".to_owned()]),
                    ("cidr-block", vec![self.range_of(*zone)]),
                    ("map-public-ip-on-launch", yes()),
                ];
                (wanted.is_empty() || wanted.contains(&id))
                    && filters.pass(&values.into(), &own_tags(&id))
            })
            .collect();
        let page = Page::of(zones, params)?;
        let mut xml = Xml::fragment();
        xml.list("subnetSet", "item", page.items, |xml, zone| {
            let id = ids::subnet(account, name, zone);
            xml.text("subnetId", &id)
                .text("state", "available")
                .text("vpcId", &vpc)
                .text("cidrBlock", self.range_of(zone))
                .text("availableIpAddressCount", self.context.network.free(zone))
                .text("availabilityZone", zone.name(name))
                .text("availabilityZoneId", zone_id(name, zone))
                .text("ownerId", account)
                .text("defaultForAz", true)
                .text("mapPublicIpOnLaunch", true)
                .text("assignIpv6AddressOnCreation", false);
            tags::write(xml, &own_tags(&id));
        })
        .optional("nextToken", page.next);
        Ok(xml.finish())
    }

    pub(super) fn describe_network_interfaces(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let (account, name) = (self.context.account(), &caller.region);
        let wanted = params.list("NetworkInterfaceId");
        let region = self.region(name);
        let all = || {
            let of_instances = region.live_instances().map(Shown::of);
            of_instances.chain(region.interfaces.values().map(LooseInterface::shown))
        };
        ids::INTERFACE.check_all(&wanted, |id| all().any(|shown| shown.interface.id == id))?;
        let known = [
            "network-interface-id",
            "attachment.instance-id",
            "group-id",
            "subnet-id",
            "vpc-id",
            "status",
            "private-ip-address",
            "addresses.private-ip-address",
            "association.public-ip",
            "availability-zone",
        ];
        let filters = Filters::read(params, &known)?;
        let vpc = ids::default_vpc(account, name);
        let found: Vec<_> = all()
            .filter(|shown| {
                let interface = shown.interface;
                let address = vec![shown.address.to_string()];
                let instance = shown.instance.iter().map(|instance| instance.id.clone());
                let public = shown.instance.iter().filter_map(|i| i.public_address());
                let public = public.map(|address| address.to_string());
                let values = [
                    ("network-interface-id", vec![interface.id.clone()]),
                    ("attachment.instance-id", instance.collect()),
                    ("group-id", shown.groups.to_vec()),
                    ("subnet-id", vec![ids::subnet(account, name, shown.zone)]),
                    ("vpc-id", vec![vpc.clone()]),
                    ("status", vec![shown.status().to_owned()]),
                    ("private-ip-address", address.clone()),
                    ("addresses.private-ip-address", address),
                    ("association.public-ip", public.collect()),
                    ("availability-zone", vec![shown.zone.name(name)]),
                ];
                (wanted.is_empty() || wanted.contains(&interface.id))
                    && filters.pass(&values.into(), &interface.tags)
            })
            .collect();
        let page = Page::of(found, params)?;
        let mut xml = Xml::fragment();
        xml.list("networkInterfaceSet", "item", page.items, |xml, shown| {
            self.write_interface(xml, caller, &region, &shown);
        })
        .optional("nextToken", page.next);
        Ok(xml.finish())
    }

    pub(super) fn write_interface(
        &self,
        xml: &mut Xml,
        caller: &Caller,
        region: &Region,
        shown: &Shown<'_>,
    ) {
        let (account, name) = (self.context.account(), &caller.region);
        xml.text("networkInterfaceId", &shown.interface.id)
            .text("subnetId", ids::subnet(account, name, shown.zone))
            .text("vpcId", ids::default_vpc(account, name))
            .text("availabilityZone", shown.zone.name(name))
            .text("description", &shown.interface.description)
            .text("ownerId", account)
            .text("requesterManaged", false)
            .text("status", shown.status())
            .text("macAddress", &shown.interface.mac)
            .text("privateIpAddress", shown.address)
            .text("sourceDestCheck", true)
            .text("interfaceType", "interface");
        write_groups(xml, region, shown.groups);
        if let Some(instance) = shown.instance {
            write_association(xml, instance);
            xml.element("attachment", |xml| {
                xml.text("instanceId", &instance.id)
                    .text("instanceOwnerId", account)
                    .text("deviceIndex", 0)
                    .text("status", "attached")
                    .text("attachTime", instance.launched_at)
                    .text("deleteOnTermination", true);
            });
        }
        tags::write(xml, &shown.interface.tags);
    }
}

/// An interface, of an instance or of none.
pub(super) struct Shown<'a> {
    interface: &'a Interface,
    instance: Option<&'a Instance>,
    zone: Zone,
    address: Ipv4Addr,
    groups: &'a [String],
}

impl<'a> Shown<'a> {
    fn of(instance: &'a Instance) -> Self {
        Self {
            interface: &instance.interface,
            instance: Some(instance),
            zone: instance.zone,
            address: instance.address,
            groups: &instance.groups,
        }
    }

    fn status(&self) -> &'static str {
        match self.instance {
            Some(_) => "in-use",
            None => "available",
        }
    }
}

impl LooseInterface {
    pub(super) fn shown(&self) -> Shown<'_> {
        Shown {
            interface: &self.interface,
            instance: None,
            zone: self.zone,
            address: self.address,
            groups: &self.groups,
        }
    }
}

/// A zone's id, which on AWS is the same place for every account: `use1-az1`.
pub(super) fn zone_id(region: &str, zone: Zone) -> String {
    let mut short = String::new();
    for (place, part) in region.split('-').enumerate() {
        match place {
            0 => short.push_str(part),
            _ if part.len() > 4 && part.starts_with("south") && part != "south" => {
                short.push_str(if part.ends_with("east") { "se" } else { "sw" });
            }
            _ if part.len() > 4 && part.starts_with("north") && part != "north" => {
                short.push_str(if part.ends_with("east") { "ne" } else { "nw" });
            }
            _ => short.extend(part.chars().next()),
        }
    }
    format!("{short}-az{}", zone as usize + 1)
}

/// Names of groups by id, for answers that carry both.
pub(super) fn group_name<'a>(region: &'a Region, id: &str) -> &'a str {
    region
        .groups
        .get(id)
        .map_or("", |group| group.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_ids_are_those_of_aws() {
        assert_eq!(zone_id("us-east-1", Zone::A), "use1-az1");
        assert_eq!(zone_id("ap-southeast-2", Zone::B), "apse2-az2");
        assert_eq!(zone_id("eu-north-1", Zone::A), "eun1-az1");
    }
}
