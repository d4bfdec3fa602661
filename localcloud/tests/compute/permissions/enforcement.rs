//! When and how policies count.

use localcloud::access::table;
use localcloud::auth::{Caller, Principal};
use localcloud::wire::Params;

use super::stage::put_policy;
use crate::roles::role_with_profile;
use crate::support::{Clients, Cloud, REGION, code};

fn statement(effect: &str, action: &str, resource: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Action":{action},"Resource":"{resource}","Condition":{condition}}}]}}"#
    )
}

fn allow(action: &str) -> String {
    statement("Allow", action, "*", "{}")
}

async fn stage() -> (Cloud, Clients) {
    let cloud = Cloud::paper().await;
    role_with_profile(cloud.iam(), "r").await;
    let clients = cloud.as_role("r").await;
    (cloud, clients)
}

#[tokio::test]
async fn a_policy_counts_from_the_moment_it_is_put() {
    let (mut cloud, role) = stage().await;
    let describe = || role.ec2.describe_vpcs().send();
    assert_eq!(code(describe().await), "UnauthorizedOperation");
    put_policy(&cloud, "r", "a", &allow(r#""ec2:Describe*""#)).await;
    describe().await.unwrap();
    let deny = statement("Deny", r#""ec2:DescribeVpcs""#, "*", "{}");
    put_policy(&cloud, "r", "b", &deny).await;
    let error = describe().await.unwrap_err().into_service_error();
    let message = error.meta().message().unwrap();
    assert!(
        message.contains("with an explicit deny in an identity-based policy"),
        "{message}"
    );
    let delete = cloud
        .iam()
        .delete_role_policy()
        .role_name("r")
        .policy_name("b");
    delete.send().await.unwrap();
    describe().await.unwrap();
    let delete = cloud
        .iam()
        .delete_role_policy()
        .role_name("r")
        .policy_name("a");
    delete.send().await.unwrap();
    assert_eq!(code(describe().await), "UnauthorizedOperation");
    cloud.stop().await;
}

#[tokio::test]
async fn a_session_without_its_role_may_do_nothing() {
    let (mut cloud, _) = stage().await;
    let stray = cloud.in_session("r", "AROAANOTHER");
    put_policy(&cloud, "r", "a", &allow(r#""*""#)).await;
    assert_eq!(
        code(stray.ec2.describe_vpcs().send().await),
        "UnauthorizedOperation"
    );
    assert_eq!(code(stray.s3.list_buckets().send().await), "AccessDenied");
    stray.sts.get_caller_identity().send().await.unwrap();
    cloud.stop().await;
}

#[tokio::test]
async fn time_and_region_can_be_asked_for() {
    let (mut cloud, role) = stage().await;
    for (condition, expected) in [
        (
            r#"{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}"#,
            true,
        ),
        (
            r#"{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}"#,
            false,
        ),
        (
            r#"{"NumericLessThan":{"aws:EpochTime":"1577836800"}}"#,
            false,
        ),
        (
            r#"{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}"#,
            true,
        ),
        (r#"{"StringEquals":{"ec2:Region":"eu-west-1"}}"#, false),
        (
            r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/bivouac/x/*"}}"#,
            true,
        ),
        (
            r#"{"StringEquals":{"aws:PrincipalTag/bivouac:deployment":"x"}}"#,
            true,
        ),
    ] {
        let policy = statement("Allow", r#""ec2:DescribeVpcs""#, "*", condition);
        put_policy(&cloud, "r", "a", &policy).await;
        let allowed = role.ec2.describe_vpcs().send().await.is_ok();
        assert_eq!(allowed, expected, "{condition}");
    }
    cloud.stop().await;
}

#[tokio::test]
async fn what_acts_on_nothing_that_can_be_named_is_allowed_on_everything_only() {
    let (mut cloud, role) = stage().await;
    for (resource, expected) in [("arn:aws:ec2:us-east-1:*:instance/*", false), ("*", true)] {
        let policy = statement("Allow", r#""ec2:DescribeInstances""#, resource, "{}");
        put_policy(&cloud, "r", "a", &policy).await;
        let allowed = role.ec2.describe_instances().send().await.is_ok();
        assert_eq!(allowed, expected, "{resource}");
    }
    // Without an identifier all databases are described.
    for (resource, one, all) in [("db:catalog", true, false), ("db:*", true, true)] {
        let resource = format!("arn:aws:rds:us-east-1:*:{resource}");
        let policy = statement("Allow", r#""rds:DescribeDBInstances""#, &resource, "{}");
        put_policy(&cloud, "r", "a", &policy).await;
        let describe = || role.rds.describe_db_instances();
        let named = describe().db_instance_identifier("Catalog").send().await;
        let expected = if one {
            "DBInstanceNotFound"
        } else {
            "AccessDenied"
        };
        assert_eq!(code(named), expected);
        assert_eq!(describe().send().await.is_ok(), all, "{resource}");
    }
    cloud.stop().await;
}

#[tokio::test]
async fn to_give_a_role_to_instances_is_to_pass_it() {
    let (mut cloud, role) = stage().await;
    role_with_profile(cloud.iam(), "other").await;
    let create = cloud.iam().create_instance_profile();
    create.instance_profile_name("empty").send().await.unwrap();
    let add = || {
        let add = role.iam.add_role_to_instance_profile();
        add.instance_profile_name("empty").role_name("other").send()
    };
    put_policy(
        &cloud,
        "r",
        "a",
        &allow(r#""iam:AddRoleToInstanceProfile""#),
    )
    .await;
    assert_eq!(code(add().await), "AccessDenied");
    let passed = |service: &str| {
        let condition = format!(r#"{{"StringEquals":{{"iam:PassedToService":"{service}"}}}}"#);
        statement(
            "Allow",
            r#""iam:PassRole""#,
            "arn:aws:iam::*:role/bivouac/x/*",
            &condition,
        )
    };
    put_policy(&cloud, "r", "b", &passed("lambda.amazonaws.com")).await;
    assert_eq!(code(add().await), "AccessDenied");
    put_policy(&cloud, "r", "b", &passed("ec2.amazonaws.com")).await;
    add().await.unwrap();
    cloud.stop().await;
}

#[tokio::test]
async fn what_is_tagged_in_the_creating_call_needs_the_right_to_tag() {
    let (mut cloud, role) = stage().await;
    let tag = aws_sdk_iam::types::Tag::builder()
        .key("k")
        .value("v")
        .build()
        .unwrap();
    let create = || {
        let create = role.iam.create_role().role_name("new").tags(tag.clone());
        create
            .assume_role_policy_document(crate::roles::TRUST)
            .send()
    };
    put_policy(&cloud, "r", "a", &allow(r#""iam:CreateRole""#)).await;
    assert_eq!(code(create().await), "AccessDenied");
    put_policy(
        &cloud,
        "r",
        "a",
        &allow(r#"["iam:CreateRole","iam:TagRole"]"#),
    )
    .await;
    create().await.unwrap();
    let group = || {
        let tags = super::stage::tags(aws_sdk_ec2::types::ResourceType::SecurityGroup, "x", "y");
        let create = role.ec2.create_security_group().group_name("g");
        create.description("d").tag_specifications(tags).send()
    };
    put_policy(&cloud, "r", "a", &allow(r#""ec2:CreateSecurityGroup""#)).await;
    assert_eq!(code(group().await), "UnauthorizedOperation");
    put_policy(&cloud, "r", "b", &allow(r#""ec2:CreateTags""#)).await;
    group().await.unwrap();
    cloud.stop().await;
}

/// The other way round it cannot be wrong: what has no row is refused before a service sees it.
#[tokio::test]
async fn each_row_of_the_table_is_an_action_that_there_is() {
    let mut cloud = Cloud::paper().await;
    let services = cloud.running().cloud();
    let account = services.context.account();
    for service in ["ec2", "iam", "rds", "sts"] {
        let caller = Caller::new(account, Principal::Root, REGION.into(), service.into());
        for (action, _) in table::rows(service).unwrap() {
            let params = Params::parse(format!("Action={action}").as_bytes()).unwrap();
            let answer = match service {
                "ec2" => services.ec2.call(&caller, &params).await,
                "iam" => services.iam.call(&caller, &params),
                "rds" => services.rds.call(&caller, &params).await,
                _ => localcloud::sts::call(&caller, &params),
            };
            let refused = answer
                .err()
                .is_some_and(|error| error.code == "InvalidAction");
            assert!(!refused, "{service} has no {action}");
        }
    }
    cloud.stop().await;
}

/// The trust policy says who takes a role: EC2 gives no keys of one that it may not take.
#[tokio::test]
async fn only_a_role_that_trusts_ec2_is_an_instances() {
    let (mut cloud, _) = stage().await;
    let iam = &cloud.running().cloud().iam;
    let profile = cloud
        .iam()
        .get_instance_profile()
        .instance_profile_name("r");
    let profile = profile.send().await.unwrap().instance_profile.unwrap();
    let trusts = || {
        iam.role_in_profile(&profile.instance_profile_id)
            .unwrap()
            .trusts_ec2
    };
    assert!(trusts());
    let other = crate::roles::TRUST.replace("ec2.", "lambda.");
    let update = cloud.iam().update_assume_role_policy().role_name("r");
    update.policy_document(other).send().await.unwrap();
    assert!(!trusts());
    cloud.stop().await;
}

#[tokio::test]
async fn what_roles_did_and_were_refused_is_on_record() {
    let (mut cloud, role) = stage().await;
    put_policy(&cloud, "r", "a", &allow(r#""ec2:Describe*""#)).await;
    for _ in 0..2 {
        role.ec2.describe_vpcs().send().await.unwrap();
        code(role.s3.list_buckets().send().await);
    }
    let report = cloud.running().cloud().access.report().remove("r").unwrap();
    let [allowed] = &report.record.allowed[..] else {
        panic!("{report:?}");
    };
    assert_eq!(
        (allowed.action.as_str(), allowed.count),
        ("ec2:DescribeVpcs", 2)
    );
    assert_eq!(allowed.by[0].action, "ec2:Describe*");
    let [refused] = &report.record.refused[..] else {
        panic!("{report:?}");
    };
    assert_eq!(
        (refused.action.as_str(), refused.count),
        ("s3:ListAllMyBuckets", 2)
    );
    assert!(report.unneeded.is_empty());
    // What two allow needs neither; what nobody did needs none.
    put_policy(
        &cloud,
        "r",
        "b",
        &allow(r#"["ec2:DescribeVpcs","s3:ListAllMyBuckets"]"#),
    )
    .await;
    role.ec2.describe_vpcs().send().await.unwrap();
    let report = cloud.running().cloud().access.report();
    let unneeded: Vec<_> = report["r"].unneeded.iter().collect();
    let unneeded: Vec<_> = unneeded.iter().map(|grant| grant.action.as_str()).collect();
    assert_eq!(unneeded, ["ec2:DescribeVpcs", "s3:ListAllMyBuckets"]);
    cloud.stop().await;
}
