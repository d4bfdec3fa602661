//! What would not go says what of whose holds it, and how to free it.

use aws_sdk_ec2::types::{IpPermission, ResourceType, UserIdGroupPair};
use teardown::{Blocked, Ended, Verdict};

use crate::account::{Place, tagged};
use crate::strange::{Thing, make, subnet};

async fn group(place: &Place, is_ours: bool, name: &str) -> String {
    let scope = if is_ours {
        place.ours()
    } else {
        place.others()
    };
    let request = place.ec2.create_security_group().group_name(name);
    let request = request.tag_specifications(tagged(&scope, ResourceType::SecurityGroup));
    let made = request.description("by hand").send().await.unwrap();
    made.group_id().unwrap().to_owned()
}

fn only(ended: &Ended) -> &Blocked {
    assert!(
        matches!(ended.verdict, Verdict::Remains { .. }),
        "{ended:#?}"
    );
    assert_eq!(ended.blocked.len(), 1, "{ended:#?}");
    &ended.blocked[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_a_strangers_rule_and_interface_hold() {
    let place = Place::new().await;
    let (ours, theirs) = (
        group(&place, true, "ours").await,
        group(&place, false, "web").await,
    );
    let names_ours = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(80)
        .to_port(80)
        .user_id_group_pairs(UserIdGroupPair::builder().group_id(&ours).build());
    let rule = place
        .ec2
        .authorize_security_group_ingress()
        .group_id(&theirs);
    let rule = rule
        .ip_permissions(names_ours.build())
        .send()
        .await
        .unwrap();
    let rule = rule.security_group_rules()[0]
        .security_group_rule_id()
        .unwrap();
    let interface = place.ec2.create_network_interface().description("theirs");
    let interface = interface.subnet_id(subnet(&place).await).groups(&ours);
    let interface = interface.send().await.unwrap();
    let interface = interface.network_interface().unwrap();
    let interface = interface.network_interface_id().unwrap();

    let begun = std::time::Instant::now();
    let ended = place.take_away().await;
    // A quarter of an hour is for what goes by itself.
    assert!(begun.elapsed().as_secs() < 300, "{:?}", begun.elapsed());
    let held = &only(&ended).holders;
    let whats: Vec<&str> = held.iter().map(|h| h.what.as_str()).collect();
    assert_eq!(
        whats,
        [
            format!("the network interface {interface} (theirs) is in it"),
            format!("a rule of the security group {theirs} (web) names it ({rule})"),
        ]
    );
    assert_eq!(
        held[1].command,
        format!(
            "aws ec2 revoke-security-group-ingress --group-id {theirs} --security-group-rule-ids {rule} --region us-east-1"
        )
    );

    // Done as it says, it goes.
    let request = place.ec2.revoke_security_group_ingress().group_id(&theirs);
    request.security_group_rule_ids(rule).send().await.unwrap();
    let request = place.ec2.delete_network_interface();
    request
        .network_interface_id(interface)
        .send()
        .await
        .unwrap();
    let ended = place.take_away().await;
    assert!(matches!(ended.verdict, Verdict::Zero), "{ended:#?}");
    assert_eq!(
        place.remaining(),
        [format!("us-east-1: security group {theirs}")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_in_a_strangers_profile() {
    let place = Place::new().await;
    make(&place, &place.ours(), Thing::Role, 1).await;
    let role = format!("{}-strange-1", place.ours().prefix());
    let profile = place.iam.create_instance_profile();
    profile
        .instance_profile_name("theirs")
        .send()
        .await
        .unwrap();
    let into = place.iam.add_role_to_instance_profile();
    let into = into.instance_profile_name("theirs").role_name(&role);
    into.send().await.unwrap();

    let ended = place.take_away().await;
    let blocked = only(&ended);
    assert!(blocked.error.contains("DeleteConflict"), "{blocked:?}");
    assert_eq!(
        blocked.holders[0].what,
        "the instance profile theirs, which is not ours, holds it"
    );
    assert!(
        blocked.holders[0]
            .command
            .contains("--instance-profile-name theirs"),
        "{blocked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_somebody_has_attached_stays_and_the_role_goes() {
    let place = Place::new().await;
    make(&place, &place.ours(), Thing::Role, 1).await;
    let policy = place.iam.create_policy().policy_name("theirs");
    let policy = policy.policy_document(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#,
    );
    let policy = policy.send().await.unwrap();
    let arn = policy.policy().unwrap().arn().unwrap();
    let attach = place.iam.attach_role_policy().policy_arn(arn);
    let role = format!("{}-strange-1", place.ours().prefix());
    attach.role_name(role).send().await.unwrap();

    let ended = place.take_away().await;
    assert!(matches!(ended.verdict, Verdict::Zero), "{ended:#?}");
    assert_eq!(place.remaining(), [format!("iam: policy {arn}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_protected_from_deletion_while_all_else_goes() {
    let place = Place::new().await;
    let id = format!("{}-catalog", place.ours().prefix());
    let create = place.rds.create_db_instance().db_instance_identifier(&id);
    let create = create.db_instance_class("db.t4g.micro").engine("postgres");
    let create = create
        .master_username("keeper")
        .master_user_password("not-a-secret");
    let create = create.allocated_storage(20).deletion_protection(true);
    create.backup_retention_period(0).send().await.unwrap();
    for thing in [Thing::Bucket, Thing::Volume, Thing::Role] {
        make(&place, &place.ours(), thing, 1).await;
    }

    let ended = place.take_away().await;
    let blocked = only(&ended);
    assert_eq!(blocked.holders[0].what, "it is protected from deletion");
    assert!(
        blocked.holders[0]
            .command
            .contains(&format!("{id} --no-deletion-protection")),
        "{blocked:?}"
    );
    assert_eq!(place.remaining(), [format!("database {id} in us-east-1")]);
}
