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

async fn micro(cloud: &Cloud) -> RunInstancesFluentBuilder {
    cloud
        .ec2()
        .run_instances()
        .image_id(cloud.base_image().await)
        .instance_type(InstanceType::T3Micro)
        .min_count(1)
        .max_count(1)
}

fn tags(kind: ResourceType, value: &str) -> TagSpecification {
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
    assert!((128..=254).contains(&address.octets()[3]), "{address}");
    assert_eq!(instance.public_ip_address(), instance.private_ip_address());
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
    assert_eq!(
        interfaces.network_interfaces()[0].tag_set()[0].value(),
        Some("interface/manager")
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

#[tokio::test]
async fn instances_are_found_by_tag_and_state_over_pages() {
    let mut cloud = Cloud::paper().await;
    let ec2 = cloud.ec2();
    let mut launched = Vec::new();
    for _ in 0..7 {
        let request = micro(&cloud)
            .await
            .tag_specifications(tags(ResourceType::Instance, "pool/cache"));
        let answer = request.send().await.unwrap();
        launched.push(answer.instances()[0].instance_id().unwrap().to_owned());
    }
    for id in &launched {
        cloud.wait_for(id, InstanceStateName::Running).await;
    }
    micro(&cloud).await.send().await.unwrap();
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page = ec2
            .describe_instances()
            .filters(filter("tag:bivouac:resource", "pool/*"))
            .filters(filter("instance-state-name", "running"))
            .max_results(5)
            .set_next_token(token)
            .send()
            .await
            .unwrap();
        for reservation in page.reservations() {
            found.extend(
                reservation
                    .instances()
                    .iter()
                    .map(|i| i.instance_id().unwrap().to_owned()),
            );
        }
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    found.sort();
    launched.sort();
    assert_eq!(found, launched);

    let all = vec![launched[0].clone(), "i-0123456789abcdef0".to_owned()];
    let one_unknown = ec2
        .terminate_instances()
        .set_instance_ids(Some(all))
        .send()
        .await;
    assert_eq!(code(one_unknown), "InvalidInstanceID.NotFound");
    cloud
        .wait_for(&launched[0], InstanceStateName::Running)
        .await;
    cloud.stop().await;
}

#[tokio::test]
async fn tags_change_while_an_instance_runs() {
    let mut cloud = Cloud::paper().await;
    let ec2 = cloud.ec2();
    let id = cloud.launch("").await;
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    ec2.create_tags()
        .resources(&id)
        .tags(tag("a", "1"))
        .tags(tag("b", "2"))
        .send()
        .await
        .unwrap();
    ec2.delete_tags()
        .resources(&id)
        .tags(tag("a", "other"))
        .send()
        .await
        .unwrap();
    ec2.delete_tags()
        .resources(&id)
        .tags(Tag::builder().key("b").build())
        .send()
        .await
        .unwrap();
    let answer = ec2
        .describe_tags()
        .filters(filter("resource-id", &id))
        .send()
        .await
        .unwrap();
    let tags: Vec<_> = answer
        .tags()
        .iter()
        .map(|t| (t.key().unwrap(), t.value().unwrap()))
        .collect();
    assert_eq!(tags, [("a", "1")]);
    let reserved = ec2
        .create_tags()
        .resources(&id)
        .tags(tag("aws:x", "1"))
        .send()
        .await;
    assert_eq!(code(reserved), "InvalidParameterValue");
    let nothing = ec2
        .create_tags()
        .resources("snap-0123456789abcdef0")
        .tags(tag("a", "1"))
        .send();
    assert_eq!(code(nothing.await), "InvalidSnapshot.NotFound");
    cloud.stop().await;
}

#[tokio::test]
async fn states_that_do_not_allow_it_refuse() {
    let mut cloud = Cloud::paper().await;
    let ec2 = cloud.ec2();
    let id = cloud.launch("").await;
    cloud.wait_for(&id, InstanceStateName::Running).await;
    let running = ec2
        .modify_instance_attribute()
        .instance_id(&id)
        .user_data(
            aws_sdk_ec2::types::SecureBlobAttributeValue::builder()
                .value(aws_sdk_ec2::primitives::Blob::new("#!/bin/sh\n"))
                .build(),
        )
        .send()
        .await;
    assert_eq!(code(running), "IncorrectInstanceState");
    ec2.modify_instance_attribute()
        .instance_id(&id)
        .instance_initiated_shutdown_behavior(
            aws_sdk_ec2::types::AttributeValue::builder()
                .value("terminate")
                .build(),
        )
        .send()
        .await
        .unwrap();
    ec2.terminate_instances()
        .instance_ids(&id)
        .send()
        .await
        .unwrap();
    cloud.wait_for(&id, InstanceStateName::Terminated).await;
    assert_eq!(
        code(ec2.start_instances().instance_ids(&id).send().await),
        "IncorrectInstanceState"
    );
    assert_eq!(
        code(ec2.stop_instances().instance_ids(&id).send().await),
        "IncorrectInstanceState"
    );
    ec2.terminate_instances()
        .instance_ids(&id)
        .send()
        .await
        .unwrap();
    cloud.stop().await;
}

#[tokio::test]
async fn what_every_account_has_is_there() {
    let mut cloud = Cloud::paper().await;
    let ec2 = cloud.ec2();
    let zones = ec2.describe_availability_zones().send().await.unwrap();
    assert_eq!(zones.availability_zones().len(), 2);
    let vpcs = ec2
        .describe_vpcs()
        .filters(filter("is-default", "true"))
        .send()
        .await
        .unwrap();
    assert_eq!(vpcs.vpcs().len(), 1);
    let micro = ec2
        .describe_instance_types()
        .instance_types(InstanceType::T3Micro)
        .send()
        .await;
    let micro = micro.unwrap().instance_types()[0].clone();
    assert_eq!(micro.memory_info().unwrap().size_in_mib(), Some(1024));
    assert_eq!(micro.free_tier_eligible(), Some(true));
    let offered = ec2
        .describe_instance_type_offerings()
        .location_type("availability-zone".into())
        .filters(filter("instance-type", "t3.micro"))
        .send()
        .await
        .unwrap();
    assert_eq!(offered.instance_type_offerings().len(), 2);
    assert!(ec2.describe_regions().send().await.unwrap().regions().len() > 10);
    assert!(
        ec2.describe_addresses()
            .send()
            .await
            .unwrap()
            .addresses()
            .is_empty()
    );
    assert!(
        ec2.describe_key_pairs()
            .send()
            .await
            .unwrap()
            .key_pairs()
            .is_empty()
    );
    assert!(
        ec2.describe_launch_templates()
            .send()
            .await
            .unwrap()
            .launch_templates()
            .is_empty()
    );
    let unknown = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await;
    let text = format!("{unknown:?}");
    assert_eq!(code(unknown), "InvalidAction");
    assert!(text.contains("CreateVpc"), "{text}");
    cloud.stop().await;
}
