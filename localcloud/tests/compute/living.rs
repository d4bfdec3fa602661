//! Instances described, tagged and changed, on paper; and what every account has.

use aws_sdk_ec2::types::{InstanceStateName, InstanceType, ResourceType, Tag};

use crate::launching::{micro, tags};
use crate::support::{Cloud, code, filter};

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
    assert_eq!(zones.availability_zones().len(), 3);
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
    let zones = offered.instance_type_offerings().iter();
    let zones: Vec<_> = zones.map(|offering| offering.location().unwrap()).collect();
    assert_eq!(zones, ["us-east-1a", "us-east-1b"]);
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
