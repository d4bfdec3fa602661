//! RunInstances: everything that a launch touches is checked for itself.

use super::{arn, requested_tags, tagging};
use crate::access::decision::Check;
use crate::access::keys::Keys;
use crate::access::table::Call;
use crate::wire::Params;

pub(super) fn run_instances(call: &Call<'_>) -> Vec<Check> {
    let params = call.params;
    let region = &call.caller.region;
    let interface = params.structures("NetworkInterface").pop();
    // With an interface in the request, subnet and groups stand there.
    let network = interface.as_ref().unwrap_or(params);
    let subnet = network.get("SubnetId").map_or_else(
        || {
            let zone = params.get("Placement.AvailabilityZone");
            call.resources.default_subnet(region, zone)
        },
        str::to_owned,
    );
    let image = params.get("ImageId").unwrap_or("ami-");
    let mut checks = vec![
        call.existing(image),
        call.created("instance", instance(call)),
        call.existing(&subnet),
        call.created("network-interface", new_interface(call, network, &subnet)),
        call.created("volume", volume(call)),
    ];
    checks.extend(groups(call, network).iter().map(|id| call.existing(id)));
    if let Some(key) = params.get("KeyName") {
        checks.push(call.on(arn(call, "key-pair", key), Keys::default()));
    }
    checks.extend(tagging(call));
    checks.extend(role(call));
    checks
}

fn instance(call: &Call<'_>) -> Keys {
    let params = call.params;
    let metadata = params.sub("MetadataOptions");
    let profile = params.get("IamInstanceProfile.Arn").map(str::to_owned);
    let profile = profile.or_else(|| {
        let name = params.get("IamInstanceProfile.Name")?;
        Some(call.resources.profile(name)?.arn)
    });
    requested_tags(call, "instance")
        .with_some("ec2:InstanceType", params.get("InstanceType"))
        .with_some(
            "ec2:AvailabilityZone",
            params.get("Placement.AvailabilityZone"),
        )
        .with_some("ec2:InstanceProfile", profile)
        .with("ec2:RootDeviceType", "ebs")
        .with("ec2:Tenancy", "default")
        .with("ec2:EbsOptimized", "false")
        .with_some("ec2:MetadataHttpTokens", metadata.get("HttpTokens"))
        .with_some("ec2:MetadataHttpEndpoint", metadata.get("HttpEndpoint"))
        .with_some(
            "ec2:MetadataHttpPutResponseHopLimit",
            metadata.get("HttpPutResponseHopLimit"),
        )
}

fn new_interface(call: &Call<'_>, network: &Params, subnet: &str) -> Keys {
    requested_tags(call, "network-interface")
        .with("ec2:Subnet", arn(call, "subnet", subnet))
        .with_some(
            "ec2:AssociatePublicIpAddress",
            network.get("AssociatePublicIpAddress"),
        )
}

fn volume(call: &Call<'_>) -> Keys {
    let disk = call.params.structures("BlockDeviceMapping").into_iter();
    let disk = disk.map(|mapping| mapping.sub("Ebs")).next();
    let disk = disk.unwrap_or_default();
    requested_tags(call, "volume")
        .with_some("ec2:VolumeType", disk.get("VolumeType"))
        .with_some("ec2:VolumeSize", disk.get("VolumeSize"))
        .with("ec2:Encrypted", disk.get("Encrypted").unwrap_or("false"))
}

fn groups(call: &Call<'_>, network: &Params) -> Vec<String> {
    let region = &call.caller.region;
    let mut ids = network.list("SecurityGroupId");
    // One that does not exist is for the service to refuse; until then it is one nobody may use.
    ids.extend(network.list("SecurityGroup").iter().map(|name| {
        let found = call.resources.group_named(region, name);
        found.unwrap_or_else(|| "sg-".to_owned())
    }));
    if ids.is_empty() {
        ids.push(call.resources.default_group(region));
    }
    ids
}

/// An empty profile, or one that does not exist, passes no role.
fn role(call: &Call<'_>) -> Option<Check> {
    let profile = call.params.sub("IamInstanceProfile");
    let named = profile.get("Arn").or(profile.get("Name"))?;
    let role = call.resources.role_in_profile(named)?;
    Some(call.pass_role(&role, arn(call, "instance", "*")))
}
