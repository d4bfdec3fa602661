//! What a RunInstances request asks for, checked.

use crate::ec2::model::{
    Image, ImageState, MetadataOptions, Profile, Region, ShutdownBehavior, Tags,
};
use crate::ec2::types::{InstanceType, unknown_type};
use crate::ec2::{Ec2, groups, ids, tags};
use crate::network::Zone;
use crate::wire::{ApiError, Params};

use super::disks::{Disk, disks};
use super::placement;

/// Most bytes of user data, before encoding.
const LONGEST_USER_DATA: usize = 16384;
/// Most instances of one request; AWS allows what the quota does.
const MOST_INSTANCES: i64 = 20;
/// What localcloud cannot do, and would be wrong to ignore.
const UNSUPPORTED: [&str; 12] = [
    "LaunchTemplate",
    "InstanceMarketOptions",
    "PrivateIpAddress",
    "Ipv6AddressCount",
    "Ipv6Address",
    "KernelId",
    "RamdiskId",
    "EnclaveOptions",
    "HibernationOptions",
    "CapacityReservationSpecification",
    "SecondaryInterface",
    "LicenseSpecification",
];

/// A launch that can be carried out.
#[derive(Debug)]
pub(super) struct LaunchRequest {
    pub(super) image: Image,
    pub(super) instance_type: InstanceType,
    pub(super) count: usize,
    pub(super) zone: Zone,
    pub(super) groups: Vec<String>,
    pub(super) public: bool,
    pub(super) profile: Option<Profile>,
    pub(super) shutdown: ShutdownBehavior,
    pub(super) user_data: Option<String>,
    pub(super) metadata: MetadataOptions,
    pub(super) credits: Option<String>,
    pub(super) detailed_monitoring: bool,
    pub(super) termination_protection: bool,
    pub(super) disks: Vec<Disk>,
    pub(super) tags: Tags,
    pub(super) volume_tags: Tags,
    pub(super) interface_tags: Tags,
    pub(super) interface_description: String,
}

impl LaunchRequest {
    pub(super) fn read(
        ec2: &Ec2,
        region_name: &str,
        region: &Region,
        params: &Params,
    ) -> Result<Self, ApiError> {
        refuse_unsupported(params)?;
        let image = image(ec2, region_name, region, params)?;
        let instance_type = instance_type(params, &image)?;
        let interface = interface(params)?;
        let network = interface.as_ref().unwrap_or(params);
        let zone = placement::zone(ec2, region_name, params, network)?;
        placement::check_offered(instance_type, region_name, zone)?;
        let tag_types = [
            "instance",
            "volume",
            "network-interface",
            "spot-instances-request",
        ];
        let tags = tags::specified(params, "instance", &tag_types)?;
        let metadata = metadata_options(params)?;
        if metadata.tags {
            check_tag_keys_for_metadata(&tags)?;
        }
        Ok(Self {
            count: count(params)?,
            groups: security_groups(ec2, region_name, region, network)?,
            public: interface
                .as_ref()
                .map_or(Ok(None), |interface| {
                    interface.boolean("AssociatePublicIpAddress")
                })?
                .unwrap_or(true),
            profile: profile(ec2, &params.sub("IamInstanceProfile"))?,
            shutdown: shutdown_behavior(params)?,
            user_data: user_data(params)?,
            credits: credits(params, instance_type)?,
            detailed_monitoring: params.boolean("Monitoring.Enabled")?.unwrap_or(false),
            termination_protection: params.boolean("DisableApiTermination")?.unwrap_or(false),
            disks: disks(params, &image)?,
            volume_tags: tags::specified(params, "volume", &tag_types)?,
            interface_tags: tags::specified(params, "network-interface", &tag_types)?,
            interface_description: network.get("Description").unwrap_or_default().to_owned(),
            image,
            instance_type,
            zone,
            metadata,
            tags,
        })
    }
}

fn refuse_unsupported(params: &Params) -> Result<(), ApiError> {
    if let Some(key) = params.get("KeyName") {
        let shown: String = key.chars().take(255).collect();
        return Err(ApiError::new(
            "InvalidKeyPair.NotFound",
            format!("The key pair '{shown}' does not exist (localcloud has no key pairs)"),
        ));
    }
    match UNSUPPORTED.iter().find(|name| !params.sub(name).is_empty()) {
        Some(name) => Err(ApiError::new(
            "UnsupportedOperation",
            format!("The parameter {name} is not supported by localcloud."),
        )),
        None => Ok(()),
    }
}

fn image(
    ec2: &Ec2,
    region_name: &str,
    region: &Region,
    params: &Params,
) -> Result<Image, ApiError> {
    let id = params.required("ImageId")?;
    let images = ec2.images_of(region_name, region);
    let image = ids::IMAGE.find(&images, id)?;
    if image.state != ImageState::Available {
        return Err(ApiError::new(
            "InvalidAMIID.Unavailable",
            format!("The image '{id}' is {}", image.state.name()),
        ));
    }
    Ok(image.clone())
}

fn instance_type(params: &Params, image: &Image) -> Result<InstanceType, ApiError> {
    let name = params.required("InstanceType")?;
    let found = InstanceType::named(name).ok_or_else(|| unknown_type(name))?;
    if found.architecture() != image.architecture {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!(
                "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.",
                found.architecture(),
                image.architecture
            ),
        ));
    }
    Ok(found)
}

fn count(params: &Params) -> Result<usize, ApiError> {
    let read = |name: &str| {
        params.required(name)?;
        Ok::<_, ApiError>(params.integer(name)?.unwrap_or(0))
    };
    let (least, most) = (read("MinCount")?, read("MaxCount")?);
    if least < 1 {
        return Err(params.invalid("MinCount", "Use 1 or more.").into());
    }
    if least > most {
        return Err(params.invalid("MaxCount", "Use MinCount or more.").into());
    }
    if most > MOST_INSTANCES {
        return Err(ApiError::new(
            "InstanceLimitExceeded",
            format!(
                "Your request for {most} instances exceeds localcloud's {MOST_INSTANCES} per call."
            ),
        ));
    }
    Ok(usize::try_from(most).unwrap_or(1))
}

/// The one interface, if the request has the form with interfaces: then subnet and groups belong there.
fn interface(params: &Params) -> Result<Option<Params>, ApiError> {
    let mut interfaces = params.structures("NetworkInterface");
    let Some(interface) = interfaces.pop() else {
        return Ok(None);
    };
    let combination = |message: &str| Err(ApiError::new("InvalidParameterCombination", message));
    if !interfaces.is_empty() {
        return Err(ApiError::new(
            "AttachmentLimitExceeded",
            "localcloud gives an instance one network interface.",
        ));
    }
    if !params.list("SecurityGroupId").is_empty() || !params.list("SecurityGroup").is_empty() {
        return combination(
            "Network interfaces and an instance-level security groups may not be specified on the same request",
        );
    }
    if params.get("SubnetId").is_some() {
        return combination(
            "Network interfaces and an instance-level subnet ID may not be specified on the same request",
        );
    }
    if interface.get("NetworkInterfaceId").is_some() || interface.get("PrivateIpAddress").is_some()
    {
        return Err(ApiError::new(
            "UnsupportedOperation",
            "localcloud makes the interface and chooses its address itself.",
        ));
    }
    interface.required("DeviceIndex")?;
    if interface.integer("DeviceIndex")? != Some(0) {
        return Err(interface
            .invalid("DeviceIndex", "The first interface has device index 0.")
            .into());
    }
    Ok(Some(interface))
}

fn security_groups(
    ec2: &Ec2,
    region_name: &str,
    region: &Region,
    network: &Params,
) -> Result<Vec<String>, ApiError> {
    let mut chosen = network.list("SecurityGroupId");
    ec2.must_see_groups(region, &chosen)?;
    for name in network.list("SecurityGroup") {
        chosen.push(groups::named(region, &name)?.id.clone());
    }
    if chosen.is_empty() {
        chosen.push(ec2.default_security_group(region_name));
    }
    let given = chosen.len();
    chosen.sort();
    chosen.dedup();
    if chosen.len() < given {
        return Err(ApiError::new(
            "InvalidParameterValue",
            "A security group is given twice.",
        ));
    }
    Ok(chosen)
}

fn profile(ec2: &Ec2, params: &Params) -> Result<Option<Profile>, ApiError> {
    let (name, arn) = (params.get("Name"), params.get("Arn"));
    let (what, given, found) = match (name, arn) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(ApiError::new(
                "InvalidParameterCombination",
                "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'",
            ));
        }
        (Some(name), None) => ("name", name, ec2.iam.profile_named(name)),
        (None, Some(arn)) => ("arn", arn, ec2.iam.profile_with_arn(arn)),
    };
    let (arn, id) = found.ok_or_else(|| {
        let shown: String = given.chars().take(200).collect();
        ApiError::new(
            "InvalidParameterValue",
            format!("Value ({shown}) for parameter iamInstanceProfile.{what} is invalid. Invalid IAM Instance Profile {what}"),
        )
    })?;
    Ok(Some(Profile { arn, id }))
}

fn shutdown_behavior(params: &Params) -> Result<ShutdownBehavior, ApiError> {
    let name = params
        .get("InstanceInitiatedShutdownBehavior")
        .unwrap_or("stop");
    ShutdownBehavior::named(name).ok_or_else(|| {
        params
            .invalid(
                "InstanceInitiatedShutdownBehavior",
                "Use stop or terminate.",
            )
            .into()
    })
}

fn user_data(params: &Params) -> Result<Option<String>, ApiError> {
    params
        .get("UserData")
        .filter(|text| !text.is_empty())
        .map(|text| check_user_data(text).map(|()| text.to_owned()))
        .transpose()
}

/// User data is base64 of at most 16 KiB.
pub(in crate::ec2) fn check_user_data(text: &str) -> Result<(), ApiError> {
    let bytes = base64_simd::STANDARD.decode_to_vec(text).map_err(|_| {
        ApiError::new(
            "InvalidUserData.Malformed",
            "Invalid BASE64 encoding of user data.",
        )
    })?;
    if bytes.len() > LONGEST_USER_DATA {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!("User data is limited to {LONGEST_USER_DATA} bytes"),
        ));
    }
    Ok(())
}

fn metadata_options(params: &Params) -> Result<MetadataOptions, ApiError> {
    let options = params.sub("MetadataOptions");
    let choice = |name: &str, yes: &str, no: &str, default: bool| match options.get(name) {
        None => Ok(default),
        Some(value) if value == yes => Ok(true),
        Some(value) if value == no => Ok(false),
        Some(_) => Err(options.invalid(name, format!("Use {yes} or {no}."))),
    };
    let hop_limit = options.integer("HttpPutResponseHopLimit")?.unwrap_or(1);
    if !(1..=64).contains(&hop_limit) {
        return Err(options
            .invalid("HttpPutResponseHopLimit", "Use 1 to 64.")
            .into());
    }
    Ok(MetadataOptions {
        tokens_required: choice("HttpTokens", "required", "optional", true)?,
        enabled: choice("HttpEndpoint", "enabled", "disabled", true)?,
        tags: choice("InstanceMetadataTags", "enabled", "disabled", false)?,
        hop_limit,
    })
}

/// Tags that the metadata service shows are paths there.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html>
fn check_tag_keys_for_metadata(tags: &Tags) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+-=._,:@".contains(c);
    let reserved = [".", "..", "_index"];
    match tags
        .keys()
        .find(|key| !key.chars().all(allowed) || reserved.contains(&key.as_str()))
    {
        Some(key) => Err(ApiError::new(
            "InvalidParameterValue",
            format!(
                "'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), and must not be a reserved name ('.', '..', '_index')"
            ),
        )),
        None => Ok(()),
    }
}

fn credits(params: &Params, instance_type: InstanceType) -> Result<Option<String>, ApiError> {
    let default = instance_type.burstable.then(|| "unlimited".to_owned());
    let specification = params.sub("CreditSpecification");
    match specification.get("CpuCredits") {
        None => Ok(default),
        Some(_) if !instance_type.burstable => Err(ApiError::new(
            "InvalidParameterCombination",
            format!(
                "The instance type {} does not take CPU credits.",
                instance_type.name
            ),
        )),
        Some(value @ ("standard" | "unlimited")) => Ok(Some(value.to_owned())),
        Some(_) => Err(specification
            .invalid("CpuCredits", "Use standard or unlimited.")
            .into()),
    }
}
