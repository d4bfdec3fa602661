//! Security groups.

use aws_sdk_ec2::types::{InstanceStateName, InstanceType, IpPermission, IpRange, UserIdGroupPair};

use crate::support::{Cloud, code, filter};

async fn group(cloud: &Cloud, name: &str) -> String {
    let made = cloud
        .ec2()
        .create_security_group()
        .group_name(name)
        .description("test");
    made.send().await.unwrap().group_id.unwrap()
}

fn port(port: i32, range: &str) -> IpPermission {
    IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(port)
        .to_port(port)
        .ip_ranges(
            IpRange::builder()
                .cidr_ip(range)
                .description("test")
                .build(),
        )
        .build()
}

fn from_group(group: &str) -> IpPermission {
    IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(5432)
        .to_port(5432)
        .user_id_group_pairs(UserIdGroupPair::builder().group_id(group).build())
        .build()
}

#[tokio::test]
async fn rules_are_kept_as_they_were_given() {
    let mut cloud = Cloud::paper().await;
    let ec2 = cloud.ec2();
    let id = group(&cloud, "door").await;
    let authorize = || ec2.authorize_security_group_ingress().group_id(&id);
    authorize()
        .ip_permissions(port(5000, "203.0.113.7/32"))
        .ip_permissions(from_group(&id))
        .send()
        .await
        .unwrap();
    let twice = authorize()
        .ip_permissions(port(5000, "203.0.113.7/32"))
        .send()
        .await;
    assert_eq!(code(twice), "InvalidPermission.Duplicate");

    let answer = ec2
        .describe_security_groups()
        .group_ids(&id)
        .send()
        .await
        .unwrap();
    let found = &answer.security_groups()[0];
    assert_eq!(found.ip_permissions().len(), 2);
    let ranges: Vec<_> = found
        .ip_permissions()
        .iter()
        .flat_map(IpPermission::ip_ranges)
        .collect();
    assert_eq!(ranges[0].cidr_ip(), Some("203.0.113.7/32"));
    assert_eq!(ranges[0].description(), Some("test"));
    let egress = &found.ip_permissions_egress()[0];
    assert_eq!(
        (egress.ip_protocol(), egress.from_port()),
        (Some("-1"), None)
    );

    let rules = ec2
        .describe_security_group_rules()
        .filters(filter("group-id", &id))
        .send()
        .await;
    assert_eq!(rules.unwrap().security_group_rules().len(), 3);

    let revoke = || ec2.revoke_security_group_ingress().group_id(&id);
    revoke()
        .ip_permissions(from_group(&id))
        .send()
        .await
        .unwrap();
    let again = revoke().ip_permissions(from_group(&id)).send().await;
    assert_eq!(code(again), "InvalidPermission.NotFound");
    cloud.stop().await;
}

#[tokio::test]
async fn a_group_in_use_cannot_go() {
    let mut cloud = Cloud::paper().await;
    let ec2 = cloud.ec2();
    let (door, data) = (group(&cloud, "door").await, group(&cloud, "data").await);
    ec2.authorize_security_group_ingress()
        .group_id(&data)
        .ip_permissions(from_group(&door))
        .send()
        .await
        .unwrap();
    let named_by_another = ec2.delete_security_group().group_id(&door).send().await;
    assert_eq!(code(named_by_another), "DependencyViolation");
    ec2.delete_security_group()
        .group_id(&data)
        .send()
        .await
        .unwrap();

    let launched = ec2
        .run_instances()
        .image_id(cloud.base_image().await)
        .instance_type(InstanceType::T3Micro)
        .min_count(1)
        .max_count(1)
        .security_group_ids(&door)
        .send()
        .await
        .unwrap();
    let instance = launched.instances()[0].instance_id().unwrap();
    let used = ec2.delete_security_group().group_id(&door).send().await;
    assert_eq!(code(used), "DependencyViolation");
    ec2.terminate_instances()
        .instance_ids(instance)
        .send()
        .await
        .unwrap();
    cloud
        .wait_for(instance, InstanceStateName::Terminated)
        .await;
    // The terminated instance can still be seen, and is in nobody's way.
    ec2.delete_security_group()
        .group_id(&door)
        .send()
        .await
        .unwrap();
    let gone = ec2.delete_security_group().group_id(&door).send().await;
    assert_eq!(code(gone), "InvalidGroup.NotFound");
    cloud.stop().await;
}

#[tokio::test]
async fn names_are_checked_and_unique() {
    let mut cloud = Cloud::paper().await;
    let ec2 = cloud.ec2();
    group(&cloud, "door").await;
    let create = |name: &str| {
        ec2.create_security_group()
            .group_name(name)
            .description("d")
            .send()
    };
    assert_eq!(code(create("DOOR").await), "InvalidGroup.Duplicate");
    for name in ["sg-door", "default", "dö", "a\nb"] {
        assert_eq!(code(create(name).await), "InvalidParameterValue", "{name}");
    }
    let region = ec2
        .describe_security_groups()
        .filters(filter("group-name", "default"))
        .send();
    let default = region.await.unwrap().security_groups()[0]
        .group_id()
        .unwrap()
        .to_owned();
    let refused = ec2.delete_security_group().group_id(default).send().await;
    assert_eq!(code(refused), "CannotDelete");
    for (id, expected) in [
        ("../../etc", "InvalidGroupId.Malformed"),
        ("sg-0123456789abcdef0", "InvalidGroup.NotFound"),
    ] {
        let answer = ec2.describe_security_groups().group_ids(id).send().await;
        assert_eq!(code(answer), expected);
    }
    cloud.stop().await;
}
