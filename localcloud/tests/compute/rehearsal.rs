//! A rehearsed account as its clients see it: slow, late, strict and short of room.

mod accounts;

use std::time::{Duration, Instant};

use aws_sdk_ec2::types::{IamInstanceProfileSpecification, InstanceStateName, InstanceType};
use localcloud::rehearsal::Delay;
use localcloud::{AccountKind, Rehearsal};

use crate::support::{Cloud, code, filter};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// So slow that nothing is over while a test looks.
fn slow(account: AccountKind) -> Rehearsal {
    Rehearsal {
        speed: 0.001,
        ..Rehearsal::of(account)
    }
}

/// So fast that everything is over soon.
fn fast(account: AccountKind) -> Rehearsal {
    Rehearsal {
        speed: 3000.0,
        ..Rehearsal::of(account)
    }
}

async fn launch(cloud: &Cloud, kind: InstanceType, count: i32) -> Result<Vec<String>, String> {
    let answer = cloud
        .ec2()
        .run_instances()
        .image_id(cloud.base_image().await)
        .instance_type(kind)
        .min_count(count)
        .max_count(count)
        .send()
        .await;
    match answer {
        Ok(answer) => {
            let ids = answer.instances().iter().filter_map(|i| i.instance_id());
            Ok(ids.map(str::to_owned).collect())
        }
        error => Err(code(error)),
    }
}

#[tokio::test]
async fn a_new_instance_is_pending_for_as_long_as_was_drawn_and_hidden_for_a_while() {
    let cloud = Cloud::rehearsing(slow(AccountKind::FreePlan)).await;
    let id = launch(&cloud, InstanceType::T3Micro, 1)
        .await
        .unwrap()
        .remove(0);
    let by_id = cloud
        .ec2()
        .describe_instances()
        .instance_ids(&id)
        .send()
        .await;
    assert_eq!(code(by_id), "InvalidInstanceID.NotFound");
    let ended = cloud
        .ec2()
        .terminate_instances()
        .instance_ids(&id)
        .send()
        .await;
    assert_eq!(code(ended), "InvalidInstanceID.NotFound");
    let listed = cloud
        .ec2()
        .describe_instances()
        .filters(filter("instance-type", "t3.micro"))
        .send()
        .await
        .unwrap();
    assert!(listed.reservations().is_empty());
    let waits = cloud.stage().waits();
    let drawn = |delay| waits.iter().find(|w| w.delay == delay && w.subject == id);
    let pending = drawn(Delay::InstanceRunning).unwrap().seconds;
    assert!((10.0..=30.0).contains(&pending), "{pending}");
}

#[tokio::test]
async fn an_instance_and_what_it_leaves_take_their_time_and_then_are_gone() {
    let cloud = Cloud::rehearsing(fast(AccountKind::FreePlan)).await;
    let group = cloud.group("g").await;
    let image = cloud.base_image().await;
    let mut id = None;
    eventually_ok(async || {
        let answer = cloud
            .ec2()
            .run_instances()
            .image_id(&image)
            .instance_type(InstanceType::T3Micro)
            .security_group_ids(&group)
            .min_count(1)
            .max_count(1)
            .send()
            .await;
        id = answer.ok()?.instances()[0].instance_id().map(str::to_owned);
        Some(())
    })
    .await;
    let id = id.unwrap();
    wait_until_it_runs(&cloud, &id).await;
    let ended = cloud
        .ec2()
        .terminate_instances()
        .instance_ids(&id)
        .send()
        .await;
    ended.unwrap();
    cloud.wait_for(&id, InstanceStateName::Terminated).await;
    eventually_ok(async || {
        let deleted = cloud
            .ec2()
            .delete_security_group()
            .group_id(&group)
            .send()
            .await;
        deleted.ok().map(drop)
    })
    .await;
    let waits = cloud.stage().waits();
    for delay in [
        Delay::InstanceRunning,
        Delay::InstanceBooted,
        Delay::InstanceTerminated,
        Delay::InterfaceGone,
    ] {
        assert!(waits.iter().any(|w| w.delay == delay), "{delay:?}");
    }
}

#[tokio::test]
async fn what_ended_holds_its_group_until_its_interface_is_gone() {
    let cloud = Cloud::rehearsing(slow(AccountKind::Paid)).await;
    let group = cloud.group("g").await;
    let interface = "eni-0123456789abcdef0";
    let groups = std::slice::from_ref(&group);
    cloud
        .stage()
        .leave_interface("us-east-1", interface, groups);
    let refused = cloud
        .ec2()
        .delete_security_group()
        .group_id(&group)
        .send()
        .await;
    assert_eq!(code(refused), "DependencyViolation");
}

#[tokio::test]
async fn a_new_group_is_not_found_at_first() {
    let cloud = Cloud::rehearsing(slow(AccountKind::Paid)).await;
    let group = cloud.group("g").await;
    let opened = cloud
        .ec2()
        .authorize_security_group_ingress()
        .group_id(&group)
        .ip_protocol("tcp")
        .from_port(80)
        .to_port(80)
        .cidr_ip("0.0.0.0/0")
        .send()
        .await;
    assert_eq!(code(opened), "InvalidGroup.NotFound");
}

#[tokio::test]
async fn ec2_does_not_know_a_new_profile_yet_and_a_policy_counts_later() {
    let cloud = Cloud::rehearsing(slow(AccountKind::Paid)).await;
    make_profile(&cloud).await;
    let refused = cloud
        .ec2()
        .run_instances()
        .image_id(cloud.base_image().await)
        .instance_type(InstanceType::T3Micro)
        .iam_instance_profile(IamInstanceProfileSpecification::builder().name("p").build())
        .min_count(1)
        .max_count(1)
        .send()
        .await;
    assert_eq!(code(refused), "InvalidParameterValue");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}]}"#;
    let put = cloud
        .iam()
        .put_role_policy()
        .role_name("r")
        .policy_name("p");
    put.policy_document(policy).send().await.unwrap();
    let as_role = cloud.as_role("r").await;
    let denied = as_role.ec2.describe_vpcs().send().await;
    assert_eq!(code(denied), "UnauthorizedOperation");
}

#[tokio::test]
async fn a_profile_made_again_under_its_name_launches_with_the_old_role() {
    // With this seed EC2 knows both profiles within 7 of the 60 s for which it has the old one: a launch
    // has from 3 s to 30 s of wall time.
    let cloud = Cloud::rehearsing(Rehearsal {
        seed: 3796,
        speed: 2.0,
        ..Rehearsal::of(AccountKind::Paid)
    })
    .await;
    let first = make_profile(&cloud).await;
    let iam = cloud.iam();
    let out = iam
        .remove_role_from_instance_profile()
        .instance_profile_name("p");
    out.role_name("r").send().await.unwrap();
    let gone = iam.delete_instance_profile().instance_profile_name("p");
    gone.send().await.unwrap();
    iam.delete_role().role_name("r").send().await.unwrap();
    let second = make_profile(&cloud).await;
    assert_ne!(first, second);
    let image = cloud.base_image().await;
    let mut launched_with = String::new();
    eventually_ok(async || {
        let by_name = IamInstanceProfileSpecification::builder().name("p").build();
        let answer = cloud
            .ec2()
            .run_instances()
            .image_id(&image)
            .instance_type(InstanceType::T3Micro)
            .iam_instance_profile(by_name)
            .min_count(1)
            .max_count(1)
            .send()
            .await;
        let answer = answer.ok()?;
        let profile = answer.instances()[0].iam_instance_profile()?;
        launched_with = profile.id()?.to_owned();
        Some(())
    })
    .await;
    assert_eq!(launched_with, first);
}

/// Makes the role r and puts it into the profile p; tells the profile's id.
async fn make_profile(cloud: &Cloud) -> String {
    let iam = cloud.iam();
    let role = iam
        .create_role()
        .role_name("r")
        .assume_role_policy_document(TRUST);
    role.send().await.unwrap();
    let profile = iam.create_instance_profile().instance_profile_name("p");
    let made = profile.send().await.unwrap();
    let held = iam
        .add_role_to_instance_profile()
        .instance_profile_name("p");
    held.role_name("r").send().await.unwrap();
    made.instance_profile()
        .unwrap()
        .instance_profile_id()
        .to_owned()
}

#[tokio::test]
async fn calls_that_come_too_often_are_throttled() {
    let cloud = Cloud::rehearsing(slow(AccountKind::Paid)).await;
    let mut codes = Vec::new();
    for _ in 0..7 {
        let started = cloud
            .ec2()
            .start_instances()
            .instance_ids("i-0123456789abcdef0");
        codes.push(code(started.send().await));
    }
    assert_eq!(codes[0], "InvalidInstanceID.NotFound");
    assert_eq!(codes[6], "RequestLimitExceeded");
    let mut buckets = Vec::new();
    for _ in 0..25 {
        buckets.push(cloud.clients.s3.list_buckets().send().await);
    }
    assert_eq!(code(buckets.pop().unwrap()), "SlowDown");
    let mut roles = Vec::new();
    for _ in 0..35 {
        roles.push(cloud.iam().get_role().role_name("none").send().await);
    }
    assert_eq!(code(roles.pop().unwrap()), "Throttling");
}

#[tokio::test]
async fn the_first_database_of_an_account_waits_for_the_role_of_rds() {
    let cloud = Cloud::rehearsing(fast(AccountKind::Paid)).await;
    let create = || {
        cloud
            .clients
            .rds
            .create_db_instance()
            .db_instance_identifier("d")
            .engine("postgres")
            .db_instance_class("db.t4g.micro")
            .allocated_storage(20)
            .master_username("catalog")
            .master_user_password("not-a-secret-at-all")
            .send()
    };
    assert_eq!(code(create().await), "InvalidParameterValue");
    eventually_ok(async || create().await.ok().map(drop)).await;
}

#[tokio::test]
async fn the_name_of_a_deleted_bucket_is_not_free_at_once() {
    let cloud = Cloud::rehearsing(slow(AccountKind::Paid)).await;
    let s3 = &cloud.clients.s3;
    let create = || s3.create_bucket().bucket("a-bucket-of-this-test").send();
    create().await.unwrap();
    let deleted = s3
        .delete_bucket()
        .bucket("a-bucket-of-this-test")
        .send()
        .await;
    deleted.unwrap();
    assert_eq!(code(create().await), "OperationAborted");
    let listed = s3.list_buckets().send().await.unwrap();
    assert_eq!(listed.buckets().len(), 1, "a listing still shows it");
}

/// A listing does not show a new instance at once.
async fn wait_until_it_runs(cloud: &Cloud, id: &str) {
    eventually_ok(async || {
        let look = cloud.ec2().describe_instances().instance_ids(id);
        look.send().await.ok().map(drop)
    })
    .await;
    cloud.wait_for(id, InstanceStateName::Running).await;
}

/// Tries until it succeeds.
async fn eventually_ok(mut attempt: impl AsyncFnMut() -> Option<()>) {
    let begun = Instant::now();
    while attempt().await.is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "in vain");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
