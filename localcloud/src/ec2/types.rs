//! Instance types.

use super::Ec2;
use super::filters::{Filters, Page, like};
use super::model::Tags;
use super::network::zone_id;
use crate::auth::Caller;
use crate::network::Zone;
use crate::wire::{ApiError, Params, Xml};

/// An instance type, as the list of AWS describes it.
/// <https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InstanceType {
    pub(super) name: &'static str,
    pub(super) vcpus: u32,
    memory_mib: u32,
    pub(super) arm: bool,
    pub(super) burstable: bool,
    free_tier: bool,
}

impl InstanceType {
    pub(super) fn named(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|known| known.name == name)
    }

    /// Whether a zone has it: the youngest zone of all never got the small types.
    pub(super) fn is_offered_in(self, zone: Zone) -> bool {
        zone != Zone::C || !self.burstable
    }

    pub(super) fn architecture(self) -> &'static str {
        if self.arm { "arm64" } else { "x86_64" }
    }

    /// Every vCPU of x86 is half a core, every one of Graviton a whole one.
    pub(super) fn cores(self) -> u32 {
        if self.arm { self.vcpus } else { self.vcpus / 2 }
    }

    pub(super) fn threads_per_core(self) -> u32 {
        if self.arm { 1 } else { 2 }
    }
}

const fn burstable(name: &'static str, vcpus: u32, memory_mib: u32) -> InstanceType {
    InstanceType {
        name,
        vcpus,
        memory_mib,
        arm: false,
        burstable: true,
        free_tier: false,
    }
}

const fn fixed(name: &'static str, vcpus: u32, memory_mib: u32) -> InstanceType {
    InstanceType {
        burstable: false,
        ..burstable(name, vcpus, memory_mib)
    }
}

const fn graviton(name: &'static str, vcpus: u32, memory_mib: u32) -> InstanceType {
    InstanceType {
        arm: true,
        ..burstable(name, vcpus, memory_mib)
    }
}

const fn free(plain: InstanceType) -> InstanceType {
    InstanceType {
        free_tier: true,
        ..plain
    }
}

const ALL: [InstanceType; 27] = [
    burstable("t3.nano", 2, 512),
    free(burstable("t3.micro", 2, 1024)),
    free(burstable("t3.small", 2, 2048)),
    burstable("t3.medium", 2, 4096),
    burstable("t3.large", 2, 8192),
    burstable("t3.xlarge", 4, 16384),
    burstable("t3.2xlarge", 8, 32768),
    burstable("t3a.nano", 2, 512),
    burstable("t3a.micro", 2, 1024),
    burstable("t3a.small", 2, 2048),
    burstable("t3a.medium", 2, 4096),
    burstable("t3a.large", 2, 8192),
    burstable("t3a.xlarge", 4, 16384),
    burstable("t3a.2xlarge", 8, 32768),
    graviton("t4g.nano", 2, 512),
    free(graviton("t4g.micro", 2, 1024)),
    free(graviton("t4g.small", 2, 2048)),
    graviton("t4g.medium", 2, 4096),
    graviton("t4g.large", 2, 8192),
    graviton("t4g.xlarge", 4, 16384),
    graviton("t4g.2xlarge", 8, 32768),
    fixed("m5.large", 2, 8192),
    fixed("m5.xlarge", 4, 16384),
    fixed("m5.2xlarge", 8, 32768),
    fixed("c5.large", 2, 4096),
    fixed("c5.xlarge", 4, 8192),
    fixed("c5.2xlarge", 8, 16384),
];

impl Ec2 {
    pub(super) fn describe_instance_types(params: &Params) -> Result<String, ApiError> {
        let wanted = params.list("InstanceType");
        if let Some(unknown) = wanted
            .iter()
            .find(|name| InstanceType::named(name).is_none())
        {
            return Err(unknown_type(unknown));
        }
        let known = [
            "instance-type",
            "free-tier-eligible",
            "processor-info.supported-architecture",
            "burstable-performance-supported",
            "current-generation",
            "vcpu-info.default-vcpus",
            "memory-info.size-in-mib",
        ];
        let filters = Filters::read(params, &known)?;
        let found: Vec<InstanceType> = ALL
            .into_iter()
            .filter(|kind| wanted.is_empty() || wanted.iter().any(|name| name == kind.name))
            .filter(|kind| {
                let values = [
                    ("instance-type", vec![kind.name.to_owned()]),
                    ("free-tier-eligible", vec![kind.free_tier.to_string()]),
                    (
                        "processor-info.supported-architecture",
                        vec![kind.architecture().to_owned()],
                    ),
                    (
                        "burstable-performance-supported",
                        vec![kind.burstable.to_string()],
                    ),
                    ("current-generation", vec!["true".to_owned()]),
                    ("vcpu-info.default-vcpus", vec![kind.vcpus.to_string()]),
                    ("memory-info.size-in-mib", vec![kind.memory_mib.to_string()]),
                ];
                filters.pass(&values.into(), &Tags::new())
            })
            .collect();
        let page = Page::of(found, params)?;
        let mut xml = Xml::fragment();
        xml.list("instanceTypeSet", "item", page.items, write)
            .optional("nextToken", page.next);
        Ok(xml.finish())
    }

    pub(super) fn describe_instance_type_offerings(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = &caller.region;
        let kind = params.get("LocationType").unwrap_or("region");
        let in_zones = |name: fn(Zone, &str) -> String| {
            Zone::ALL
                .map(|zone| (name(zone, region), Some(zone)))
                .into()
        };
        let locations: Vec<(String, Option<Zone>)> = match kind {
            "region" => vec![(region.clone(), None)],
            "availability-zone" => in_zones(Zone::name),
            "availability-zone-id" => in_zones(|zone, region| zone_id(region, zone)),
            _ => {
                return Err(params
                    .invalid(
                        "LocationType",
                        "Use region, availability-zone or availability-zone-id.",
                    )
                    .into());
            }
        };
        let filters = Filters::read(params, &["instance-type", "location"])?;
        let mut found = Vec::new();
        for offered in ALL {
            for (location, zone) in &locations {
                if !self.is_offered(offered.name, *zone) {
                    continue;
                }
                let values = [
                    ("instance-type", vec![offered.name.to_owned()]),
                    ("location", vec![location.clone()]),
                ];
                let is_there = zone.is_none_or(|zone| offered.is_offered_in(zone));
                if is_there && filters.pass(&values.into(), &Tags::new()) {
                    found.push((offered.name, location.clone()));
                }
            }
        }
        let page = Page::of(found, params)?;
        let mut xml = Xml::fragment();
        xml.list(
            "instanceTypeOfferingSet",
            "item",
            page.items,
            |xml, (name, location)| {
                xml.text("instanceType", name)
                    .text("locationType", kind)
                    .text("location", location);
            },
        )
        .optional("nextToken", page.next);
        Ok(xml.finish())
    }
}

impl Ec2 {
    fn is_offered(&self, instance_type: &str, zone: Option<Zone>) -> bool {
        match (self.context.stage.account(), zone) {
            (Some(account), Some(zone)) => account.offers(instance_type, zone.letter()),
            _ => true,
        }
    }
}

/// No such instance type here.
pub(super) fn unknown_type(name: &str) -> ApiError {
    let shown: String = name.chars().take(40).collect();
    let family = shown.split('.').next().unwrap_or_default();
    let near: Vec<&str> = ALL
        .iter()
        .map(|kind| kind.name)
        .filter(|known| like(&format!("{family}.*"), known))
        .collect();
    let offered = if near.is_empty() {
        "t3, t3a, t4g, m5 and c5".to_owned()
    } else {
        near.join(", ")
    };
    ApiError::new(
        "InvalidInstanceType",
        format!(
            "The following supplied instance types do not exist: [{shown}] (localcloud has {offered})"
        ),
    )
}

fn write(xml: &mut Xml, kind: InstanceType) {
    xml.text("instanceType", kind.name)
        .text("currentGeneration", true)
        .text("freeTierEligible", kind.free_tier)
        .list(
            "supportedUsageClasses",
            "item",
            ["on-demand"],
            |xml, class| {
                xml.raw(class);
            },
        )
        .list(
            "supportedRootDeviceTypes",
            "item",
            ["ebs"],
            |xml, device| {
                xml.raw(device);
            },
        )
        .list(
            "supportedVirtualizationTypes",
            "item",
            ["hvm"],
            |xml, virtualization| {
                xml.raw(virtualization);
            },
        )
        .text("bareMetal", false)
        .text("hypervisor", "nitro")
        .element("processorInfo", |xml| {
            xml.list(
                "supportedArchitectures",
                "item",
                [kind.architecture()],
                |xml, name| {
                    xml.raw(name);
                },
            );
        })
        .element("vCpuInfo", |xml| {
            xml.text("defaultVCpus", kind.vcpus)
                .text("defaultCores", kind.cores())
                .text("defaultThreadsPerCore", kind.threads_per_core());
        })
        .element("memoryInfo", |xml| {
            xml.text("sizeInMiB", kind.memory_mib);
        })
        .text("instanceStorageSupported", false)
        .text("burstablePerformanceSupported", kind.burstable);
}
