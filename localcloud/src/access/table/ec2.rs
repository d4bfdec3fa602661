//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>

mod launch;

use super::{Call, Row, on_everything, tags};
use crate::access::decision::Check;
use crate::access::keys::Keys;
use crate::wire::Params;

pub(super) const ROWS: &[(&str, Row)] = &[
    ("RunInstances", launch::run_instances),
    ("DescribeInstances", on_everything),
    ("DescribeInstanceStatus", on_everything),
    ("TerminateInstances", on_instances),
    ("StopInstances", on_instances),
    ("StartInstances", on_instances),
    ("RebootInstances", on_instances),
    ("DescribeInstanceAttribute", on_instances),
    ("ModifyInstanceAttribute", |call| {
        let mut checks = on_instances(call);
        let groups = call.params.list("GroupId");
        checks.extend(groups.iter().map(|id| call.existing(id)));
        checks
    }),
    ("GetConsoleOutput", on_instances),
    ("CreateTags", on_tagged),
    ("DeleteTags", on_tagged),
    ("DescribeTags", on_everything),
    ("CreateSecurityGroup", |call| {
        let vpc = call.params.get("VpcId").map(str::to_owned);
        let vpc = vpc.unwrap_or_else(|| call.resources.default_vpc(&call.caller.region));
        let requested = requested_tags(call, "security-group");
        let mut checks = vec![
            call.created("security-group", requested),
            call.existing(&vpc),
        ];
        checks.extend(tagging(call));
        checks
    }),
    ("DescribeSecurityGroups", on_everything),
    ("DeleteSecurityGroup", |call| vec![on_group(call)]),
    ("AuthorizeSecurityGroupIngress", on_group_with_rules),
    ("AuthorizeSecurityGroupEgress", on_group_with_rules),
    ("RevokeSecurityGroupIngress", |call| vec![on_group(call)]),
    ("RevokeSecurityGroupEgress", |call| vec![on_group(call)]),
    ("DescribeSecurityGroupRules", on_everything),
    ("DescribeRegions", on_everything),
    ("DescribeAvailabilityZones", on_everything),
    ("DescribeVpcs", on_everything),
    ("DescribeSubnets", on_everything),
    ("DescribeNetworkInterfaces", on_everything),
    ("DescribeInstanceTypes", on_everything),
    ("DescribeInstanceTypeOfferings", on_everything),
    ("DescribeImages", on_everything),
    ("CreateImage", |call| {
        let mut checks = on_instances(call);
        for kind in ["image", "snapshot"] {
            checks.push(call.created(kind, requested_tags(call, kind)));
        }
        checks.extend(tagging(call));
        checks
    }),
    ("DeregisterImage", deregister_image),
    ("DescribeVolumes", on_everything),
    ("DeleteVolume", |call| {
        vec![on_one(call, "VolumeId", "volume")]
    }),
    ("DescribeSnapshots", on_everything),
    ("DeleteSnapshot", |call| {
        vec![on_one(call, "SnapshotId", "snapshot")]
    }),
    ("CreateVolume", |call| made(call, "volume")),
    ("CreateSnapshot", |call| {
        let mut checks = made(call, "snapshot");
        checks.push(on_one(call, "VolumeId", "volume"));
        checks
    }),
    ("CreateNetworkInterface", |call| {
        let mut checks = made(call, "network-interface");
        checks.push(on_one(call, "SubnetId", "subnet"));
        let groups = call.params.list("SecurityGroupId");
        checks.extend(groups.iter().map(|id| call.existing(id)));
        checks
    }),
    ("DeleteNetworkInterface", |call| {
        vec![on_one(call, "NetworkInterfaceId", "network-interface")]
    }),
    ("AllocateAddress", |call| made(call, "elastic-ip")),
    ("ReleaseAddress", |call| {
        vec![on_one(call, "AllocationId", "elastic-ip")]
    }),
    ("DescribeAddresses", on_everything),
    ("ImportKeyPair", |call| made(call, "key-pair")),
    ("DeleteKeyPair", |call| vec![on_key_pair(call)]),
    ("DescribeKeyPairs", on_everything),
    ("CreateLaunchTemplate", |call| made(call, "launch-template")),
    ("DeleteLaunchTemplate", |call| {
        vec![on_one(call, "LaunchTemplateId", "launch-template")]
    }),
    ("DescribeLaunchTemplates", on_everything),
];

/// What a creating call checks that makes one thing and tags it.
fn made(call: &Call<'_>, kind: &str) -> Vec<Check> {
    let mut checks = vec![call.created(kind, requested_tags(call, kind))];
    checks.extend(tagging(call));
    checks
}

/// The instances named, each for itself.
fn on_instances(call: &Call<'_>) -> Vec<Check> {
    let mut ids = call.params.list("InstanceId");
    ids.extend(call.params.get("InstanceId").map(str::to_owned));
    if ids.is_empty() {
        return vec![call.created("instance", Keys::default())];
    }
    ids.iter().map(|id| call.existing(id)).collect()
}

fn on_one(call: &Call<'_>, parameter: &str, kind: &str) -> Check {
    match call.params.get(parameter) {
        Some(id) => call.existing(id),
        None => call.created(kind, Keys::default()),
    }
}

/// A key pair has its name in its ARN, however a call names it.
fn on_key_pair(call: &Call<'_>) -> Check {
    let region = &call.caller.region;
    let id = call.params.get("KeyPairId").unwrap_or_default();
    let named = call.params.get("KeyName").map(str::to_owned);
    let name = named.or_else(|| call.resources.key_pair_name(region, id));
    let keys = in_region(call).and(call.resources.ec2(region, id));
    call.on(arn(call, "key-pair", name.as_deref().unwrap_or("*")), keys)
}

fn on_group(call: &Call<'_>) -> Check {
    let region = &call.caller.region;
    let named = call.params.get("GroupName");
    let named = named.and_then(|name| call.resources.group_named(region, name));
    match named {
        Some(id) if call.params.get("GroupId").is_none() => call.existing(&id),
        _ => on_one(call, "GroupId", "security-group"),
    }
}

fn on_group_with_rules(call: &Call<'_>) -> Vec<Check> {
    let mut checks = vec![on_group(call)];
    checks.extend(tagging(call));
    checks
}

fn on_tagged(call: &Call<'_>) -> Vec<Check> {
    let keys = Keys::default().with_requested_tags(&tags(call.params, "Tag"));
    let ids = call.params.list("ResourceId");
    if ids.is_empty() {
        return on_everything(call);
    }
    let on_one = |id: &String| {
        let mut check = call.existing(id);
        check.keys = check.keys.and(keys.clone());
        check
    };
    ids.iter().map(on_one).collect()
}

fn deregister_image(call: &Call<'_>) -> Vec<Check> {
    let mut checks = vec![on_one(call, "ImageId", "image")];
    if let (Some(image), Some("true")) = (
        call.params.get("ImageId"),
        call.params.get("DeleteAssociatedSnapshots"),
    ) {
        let snapshots = call.resources.snapshots_of(&call.caller.region, image);
        checks.extend(snapshots.iter().map(|id| {
            let Check { resource, keys, .. } = call.existing(id);
            call.also("ec2:DeleteSnapshot", resource, keys)
        }));
    }
    checks
}

/// `ec2:CreateTags` for each type of resource that a creating call tags.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html>
fn tagging(call: &Call<'_>) -> Vec<Check> {
    let specifications = call.params.structures("TagSpecification");
    let tagging = specifications.iter().filter_map(|specification| {
        let kind = specification.get("ResourceType")?;
        let keys = in_region(call)
            .with("ec2:CreateAction", call.action)
            .with_requested_tags(&tags(specification, "Tag"));
        Some(call.also("ec2:CreateTags", arn(call, kind, "*"), keys))
    });
    tagging.collect()
}

/// The tags that a creating call gives to one type of resource, as keys.
fn requested_tags(call: &Call<'_>, kind: &str) -> Keys {
    let of_kind = |specification: &Params| specification.get("ResourceType") == Some(kind);
    let specifications = call.params.structures("TagSpecification");
    let requested: Vec<_> = specifications
        .iter()
        .filter(|specification| of_kind(specification))
        .flat_map(|specification| tags(specification, "Tag"))
        .collect();
    Keys::default().with_requested_tags(&requested)
}

impl Call<'_> {
    /// This action on what will be made: it has no id yet.
    fn created(&self, kind: &str, keys: Keys) -> Check {
        self.on(arn(self, kind, "*"), in_region(self).and(keys))
    }

    /// This action on what has an id.
    fn existing(&self, id: &str) -> Check {
        let keys = self.resources.ec2(&self.caller.region, id);
        self.on(arn(self, kind_of(id), id), in_region(self).and(keys))
    }
}

fn in_region(call: &Call<'_>) -> Keys {
    Keys::default().with("ec2:Region", &call.caller.region)
}

/// The type of a resource, told by its id.
fn kind_of(id: &str) -> &'static str {
    match id.split('-').next().unwrap_or_default() {
        "i" => "instance",
        "vol" => "volume",
        "snap" => "snapshot",
        "ami" => "image",
        "sg" => "security-group",
        "sgr" => "security-group-rule",
        "eni" => "network-interface",
        "eipalloc" => "elastic-ip",
        "key" => "key-pair",
        "lt" => "launch-template",
        "vpc" => "vpc",
        "subnet" => "subnet",
        _ => "*",
    }
}

/// Images and snapshots can be of another account, so theirs have none.
fn arn(call: &Call<'_>, kind: &str, id: &str) -> String {
    let account = match kind {
        "image" | "snapshot" => "",
        _ => &call.caller.account,
    };
    format!("arn:aws:ec2:{}:{account}:{kind}/{id}", call.caller.region)
}
