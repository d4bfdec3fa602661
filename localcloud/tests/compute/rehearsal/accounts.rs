//! Kinds of accounts: what each has no room for, refuses and ends.

use aws_sdk_ec2::types::{InstanceStateName, InstanceType};
use localcloud::rehearsal::{Delay, SessionAction};
use localcloud::{AccountKind, Rehearsal};

use super::{TRUST, eventually_ok, launch, slow, wait_until_it_runs};
use crate::support::{Cloud, code, eventually, filter};

/// Fast, but so that its keys, which last four hours, outlast a test.
fn lab() -> Rehearsal {
    Rehearsal {
        speed: 300.0,
        ..Rehearsal::of(AccountKind::LearnerLab)
    }
}

#[tokio::test]
async fn rooms_quotas_and_plans_are_refused_in_awss_words() {
    let cloud = Cloud::rehearsing(slow(AccountKind::FreePlan)).await;
    let refused = |kind, count| launch(&cloud, kind, count);
    assert_eq!(
        refused(InstanceType::T3Nano, 1).await.unwrap_err(),
        "InvalidParameterCombination"
    );
    assert_eq!(
        refused(InstanceType::T3Micro, 3).await.unwrap_err(),
        "VcpuLimitExceeded"
    );
    let full = Rehearsal {
        full_zones: ['a'].into(),
        ..slow(AccountKind::Paid)
    };
    let cloud = Cloud::rehearsing(full).await;
    assert_eq!(
        launch(&cloud, InstanceType::T3Micro, 1).await.unwrap_err(),
        "InsufficientInstanceCapacity"
    );
    let verified = Rehearsal {
        is_being_verified: true,
        ..slow(AccountKind::Paid)
    };
    let cloud = Cloud::rehearsing(verified).await;
    assert_eq!(
        launch(&cloud, InstanceType::T3Micro, 1).await.unwrap_err(),
        "PendingVerification"
    );
}

#[tokio::test]
async fn a_lab_has_its_own_role_and_nobody_makes_another() {
    let cloud = Cloud::rehearsing(slow(AccountKind::LearnerLab)).await;
    let iam = cloud.iam();
    let made = iam
        .create_role()
        .role_name("r")
        .assume_role_policy_document(TRUST);
    assert_eq!(code(made.send().await), "AccessDenied");
    assert_eq!(code(iam.list_roles().send().await), "AccessDenied");
    let profile = iam
        .get_instance_profile()
        .instance_profile_name("LabInstanceProfile");
    let profile = profile.send().await.unwrap();
    assert_eq!(
        profile.instance_profile().unwrap().roles()[0].role_name(),
        "LabRole"
    );
    assert!(cloud.running().cloud().remaining().is_empty());
}

#[tokio::test]
async fn a_lab_ends_what_is_more_than_nine_and_itself_at_twenty() {
    let cloud = Cloud::rehearsing(lab()).await;
    let ids = launch(&cloud, InstanceType::T3Micro, 11).await.unwrap();
    assert_eq!(ids.len(), 11);
    eventually_ok(async || {
        let running = cloud
            .ec2()
            .describe_instances()
            .filters(filter("instance-state-name", "running"))
            .send()
            .await
            .unwrap();
        let count = running
            .reservations()
            .iter()
            .flat_map(aws_sdk_ec2::types::Reservation::instances)
            .count();
        (count == 9).then_some(())
    })
    .await;
    let _refused = launch(&cloud, InstanceType::T3Micro, 11).await;
    let after = cloud.ec2().describe_vpcs().send().await;
    assert_eq!(code(after), "RequestExpired");
}

#[tokio::test]
async fn a_session_that_ends_stops_instances_and_keys_and_the_next_starts_them() {
    let cloud = Cloud::rehearsing(lab()).await;
    let id = launch(&cloud, InstanceType::T3Micro, 1)
        .await
        .unwrap()
        .remove(0);
    wait_until_it_runs(&cloud, &id).await;
    turn_session(&cloud, SessionAction::End).await;
    assert_eq!(
        code(cloud.ec2().describe_vpcs().send().await),
        "RequestExpired"
    );
    eventually("the instance to stop", || {
        let waits = cloud.stage().waits();
        waits.iter().any(|w| w.delay == Delay::InstanceStopped)
    })
    .await;
    turn_session(&cloud, SessionAction::Start).await;
    cloud.wait_for(&id, InstanceStateName::Running).await;
}

async fn turn_session(cloud: &Cloud, action: SessionAction) {
    let home = cloud.home_folder();
    let asked = move || localcloud::rehearsal::ask_session(&home, action);
    tokio::task::spawn_blocking(asked).await.unwrap().unwrap();
}

#[tokio::test]
async fn one_zone_of_a_paid_account_lacks_the_small_machines() {
    let cloud = Cloud::rehearsing(slow(AccountKind::Paid)).await;
    let offered = cloud
        .ec2()
        .describe_instance_type_offerings()
        .location_type(aws_sdk_ec2::types::LocationType::AvailabilityZone)
        .filters(filter("instance-type", "t3.micro"))
        .send()
        .await
        .unwrap();
    let zones: Vec<_> = offered
        .instance_type_offerings()
        .iter()
        .filter_map(|o| o.location())
        .collect();
    assert_eq!(zones, ["us-east-1a"]);
}
