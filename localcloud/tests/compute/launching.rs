//! RunInstances and DescribeInstances, on paper.

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, CreditSpecificationRequest, EbsBlockDevice, HttpTokensState,
    IamInstanceProfileSpecification, InstanceMetadataOptionsRequest, InstanceMetadataTagsState,
    InstanceNetworkInterfaceSpecification, InstanceStateName, InstanceType, ResourceType,
    ShutdownBehavior, Tag, TagSpecification, VolumeType,
};

use crate::roles::role_with_profile;
use crate::support::{Cloud, code, filter};

pub(crate) async fn micro(cloud: &Cloud) -> RunInstancesFluentBuilder {
    cloud
        .ec2()
        .run_instances()
        .image_id(cloud.base_image().await)
        .instance_type(InstanceType::T3Micro)
        .min_count(1)
        .max_count(1)
}

pub(crate) fn tags(kind: ResourceType, value: &str) -> TagSpecification {
    let tag = Tag::builder().key("bivouac:resource").value(value).build();
    TagSpecification::builder()
        .resource_type(kind)
        .tags(tag)
        .build()
}

#[tokio::test]
async fn the_launch_a_deployer_makes_comes_back_as_asked() {
    let mut cloud = Cloud::paper().await;
    let ec2 = cloud.ec2();
    role_with_profile(cloud.iam(), "manager").await;
    let subnets = ec2
        .describe_subnets()
        .filters(filter("default-for-az", "true"))
        .send()
        .await;
    let subnet = subnets.unwrap().subnets()[1].clone();
    let groups = ec2.describe_security_groups().send().await.unwrap();
    let group = groups.security_groups()[0].group_id().unwrap();
    let answer = micro(&cloud)
        .await
        .client_token("one")
        .network_interfaces(
            InstanceNetworkInterfaceSpecification::builder()
                .device_index(0)
                .associate_public_ip_address(true)
                .subnet_id(subnet.subnet_id().unwrap())
                .groups(group)
                .build(),
        )
        .iam_instance_profile(
            IamInstanceProfileSpecification::builder()
                .name("manager")
                .build(),
        )
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
        .metadata_options(
            InstanceMetadataOptionsRequest::builder()
                .http_tokens(HttpTokensState::Required)
                .http_put_response_hop_limit(1)
                .instance_metadata_tags(InstanceMetadataTagsState::Enabled)
                .build(),
        )
        .block_device_mappings(
            BlockDeviceMapping::builder()
                .device_name("/dev/xvda")
                .ebs(
                    EbsBlockDevice::builder()
                        .volume_size(12)
                        .volume_type(VolumeType::Gp3)
                        .delete_on_termination(true)
                        .build(),
                )
                .build(),
        )
        .credit_specification(
            CreditSpecificationRequest::builder()
                .cpu_credits("standard")
                .build(),
        )
        .tag_specifications(tags(ResourceType::Instance, "instance/manager"))
        .tag_specifications(tags(ResourceType::Volume, "volume/manager"))
        .tag_specifications(tags(ResourceType::NetworkInterface, "interface/manager"))
        .user_data(base64_simd::STANDARD.encode_to_string("#!/bin/bash\n"))
        .send()
        .await
        .unwrap();
    let pending = &answer.instances()[0];
    assert_eq!(
        pending.state().unwrap().name(),
        Some(&InstanceStateName::Pending)
    );
    let id = pending.instance_id().unwrap();
    cloud.wait_for(id, InstanceStateName::Running).await;

    let instance = cloud.instance(id).await;
    assert_eq!(instance.subnet_id(), subnet.subnet_id());
    assert_eq!(
        instance.placement().unwrap().availability_zone(),
        Some("us-east-1b")
    );
    let address: std::net::Ipv4Addr = instance.private_ip_address().unwrap().parse().unwrap();
    assert!((128..=191).contains(&address.octets()[3]), "{address}");
    let public: std::net::Ipv4Addr = instance.public_ip_address().unwrap().parse().unwrap();
    assert_eq!(public.octets()[..2], [127, 78]);
    assert_eq!(public.octets()[2], address.octets()[2]);
    assert_eq!(instance.tags()[0].value(), Some("instance/manager"));
    assert_eq!(
        instance.metadata_options().unwrap().http_tokens(),
        Some(&HttpTokensState::Required)
    );
    assert!(
        instance
            .iam_instance_profile()
            .unwrap()
            .arn()
            .unwrap()
            .ends_with("/manager")
    );
    assert_eq!(instance.security_groups()[0].group_name(), Some("default"));

    let volumes = ec2
        .describe_volumes()
        .filters(filter("attachment.instance-id", id))
        .send()
        .await;
    let volume = volumes.unwrap().volumes()[0].clone();
    assert_eq!(
        (volume.size(), volume.tags()[0].value()),
        (Some(12), Some("volume/manager"))
    );
    let interfaces = ec2
        .describe_network_interfaces()
        .filters(filter("tag-key", "bivouac:*"));
    let interfaces = interfaces.send().await.unwrap();
    let interface = &interfaces.network_interfaces()[0];
    assert_eq!(interface.tag_set()[0].value(), Some("interface/manager"));
    assert_eq!(
        interface.association().unwrap().public_ip(),
        instance.public_ip_address()
    );
    let data = ec2
        .describe_instance_attribute()
        .instance_id(id)
        .attribute("userData".into())
        .send()
        .await
        .unwrap();
    assert_eq!(data.user_data().unwrap().value(), Some("IyEvYmluL2Jhc2gK"));
    let held = ec2
        .delete_volume()
        .volume_id(volume.volume_id().unwrap())
        .send()
        .await;
    assert_eq!(code(held), "VolumeInUse");

    ec2.terminate_instances()
        .instance_ids(id)
        .send()
        .await
        .unwrap();
    cloud.wait_for(id, InstanceStateName::Terminated).await;
    assert!(
        ec2.describe_volumes()
            .send()
            .await
            .unwrap()
            .volumes()
            .is_empty()
    );
    assert!(cloud.instance(id).await.tags().is_empty());
    assert_eq!(
        cloud.running().cloud().ec2.remaining(),
        Vec::<String>::new()
    );
    cloud.stop().await;
}

#[tokio::test]
async fn the_same_client_token_gives_the_same_instance() {
    let mut cloud = Cloud::paper().await;
    let launch = async |token: &str, value: &str| {
        let request = micro(&cloud).await.client_token(token);
        request
            .tag_specifications(tags(ResourceType::Instance, value))
            .send()
            .await
    };
    let first = launch("t1", "a").await.unwrap();
    let second = launch("t1", "a").await.unwrap();
    assert_eq!(
        first.instances()[0].instance_id(),
        second.instances()[0].instance_id()
    );
    assert_eq!(first.reservation_id(), second.reservation_id());
    assert_eq!(code(launch("t1", "b").await), "IdempotentParameterMismatch");
    let other = launch("t2", "a").await.unwrap();
    assert_ne!(
        first.instances()[0].instance_id(),
        other.instances()[0].instance_id()
    );
    cloud.stop().await;
}

#[tokio::test]
async fn wrong_launches_get_the_codes_of_ec2() {
    let mut cloud = Cloud::paper().await;
    let ec2 = cloud.ec2();
    let micro = async || micro(&cloud).await;
    let interface = || {
        InstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .build()
    };
    let big = base64_simd::STANDARD.encode_to_string(vec![b'x'; 16385]);
    let arm = micro().await.instance_type(InstanceType::T4gMicro);
    let profile = IamInstanceProfileSpecification::builder()
        .name("nobody")
        .build();
    let small = EbsBlockDevice::builder().volume_size(4).build();
    let small = BlockDeviceMapping::builder()
        .device_name("/dev/xvda")
        .ebs(small)
        .build();
    let space = Tag::builder().key("a b").value("c").build();
    let space = TagSpecification::builder()
        .resource_type(ResourceType::Instance)
        .tags(space)
        .build();
    let shown = InstanceMetadataOptionsRequest::builder()
        .instance_metadata_tags(InstanceMetadataTagsState::Enabled)
        .build();
    for (request, expected) in [
        (
            micro().await.image_id("ami-../../x"),
            "InvalidAMIID.Malformed",
        ),
        (
            micro().await.image_id("ami-0123456789abcdef0"),
            "InvalidAMIID.NotFound",
        ),
        (
            micro().await.instance_type("t9.micro".into()),
            "InvalidInstanceType",
        ),
        (arm, "InvalidParameterValue"),
        (micro().await.min_count(2), "InvalidParameterValue"),
        (micro().await.min_count(0), "InvalidParameterValue"),
        (micro().await.max_count(1000), "InstanceLimitExceeded"),
        (
            micro().await.user_data("not base64!"),
            "InvalidUserData.Malformed",
        ),
        (micro().await.user_data(big), "InvalidParameterValue"),
        (
            micro().await.iam_instance_profile(profile),
            "InvalidParameterValue",
        ),
        (
            micro().await.security_group_ids("sg-0123456789abcdef0"),
            "InvalidGroup.NotFound",
        ),
        (
            micro().await.subnet_id("subnet-0123456789abcdef0"),
            "InvalidSubnetID.NotFound",
        ),
        (
            micro()
                .await
                .network_interfaces(interface())
                .security_group_ids("sg-1"),
            "InvalidParameterCombination",
        ),
        (
            micro()
                .await
                .network_interfaces(interface())
                .subnet_id("subnet-1"),
            "InvalidParameterCombination",
        ),
        (
            micro().await.block_device_mappings(small),
            "InvalidBlockDeviceMapping",
        ),
        (micro().await.key_name("mine"), "InvalidKeyPair.NotFound"),
        (
            micro().await.private_ip_address("127.77.0.20"),
            "UnsupportedOperation",
        ),
        (
            micro()
                .await
                .tag_specifications(space)
                .metadata_options(shown),
            "InvalidParameterValue",
        ),
        (
            micro()
                .await
                .tag_specifications(tags(ResourceType::Image, "x")),
            "InvalidParameterValue",
        ),
        (
            micro().await.placement(
                aws_sdk_ec2::types::Placement::builder()
                    .availability_zone("us-east-1c")
                    .build(),
            ),
            "Unsupported",
        ),
        (micro().await.dry_run(true), "DryRunOperation"),
    ] {
        assert_eq!(code(request.send().await), expected);
    }
    let none = ec2.describe_instances().send().await.unwrap();
    assert!(none.reservations().is_empty(), "nothing was launched");
    assert_eq!(
        cloud.running().cloud().ec2.remaining(),
        Vec::<String>::new()
    );
    cloud.stop().await;
}
