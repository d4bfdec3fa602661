//! IAM.

use aws_sdk_iam::types::Tag;

use crate::support::{Cloud, code};

pub(crate) const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::x/*"}]}"#;

/// A role in an instance profile of the same name.
pub(crate) async fn role_with_profile(iam: &aws_sdk_iam::Client, name: &str) {
    let tag = Tag::builder()
        .key("bivouac:deployment")
        .value("x")
        .build()
        .unwrap();
    iam.create_role()
        .role_name(name)
        .path("/bivouac/x/us-east-1/")
        .assume_role_policy_document(TRUST)
        .tags(tag.clone())
        .send()
        .await
        .unwrap();
    iam.create_instance_profile()
        .instance_profile_name(name)
        .path("/bivouac/x/us-east-1/")
        .tags(tag)
        .send()
        .await
        .unwrap();
    iam.add_role_to_instance_profile()
        .instance_profile_name(name)
        .role_name(name)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_role_comes_back_as_it_was_made() {
    let mut cloud = Cloud::paper().await;
    let iam = cloud.iam();
    role_with_profile(iam, "node").await;
    iam.put_role_policy()
        .role_name("node")
        .policy_name("p")
        .policy_document(ALLOW)
        .send()
        .await
        .unwrap();

    let role = iam
        .get_role()
        .role_name("node")
        .send()
        .await
        .unwrap()
        .role
        .unwrap();
    let account = cloud.running().account();
    assert_eq!(
        role.arn(),
        format!("arn:aws:iam::{account}:role/bivouac/x/us-east-1/node")
    );
    assert_eq!(role.tags()[0].value(), "x");
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    assert_eq!(decoded(role.assume_role_policy_document().unwrap()), TRUST);
    let policy = iam
        .get_role_policy()
        .role_name("node")
        .policy_name("p")
        .send()
        .await
        .unwrap();
    assert_eq!(decoded(policy.policy_document()), ALLOW);
    let names = iam
        .list_role_policies()
        .role_name("node")
        .send()
        .await
        .unwrap();
    assert_eq!(names.policy_names(), ["p"]);
    let attached = iam
        .list_attached_role_policies()
        .role_name("node")
        .send()
        .await
        .unwrap();
    assert!(attached.attached_policies().is_empty());

    for (prefix, count) in [("/bivouac/x/", 1), ("/bivouac/y/", 0), ("/", 1)] {
        let roles = iam.list_roles().path_prefix(prefix).send().await.unwrap();
        assert_eq!(roles.roles().len(), count, "{prefix}");
        let profiles = iam
            .list_instance_profiles()
            .path_prefix(prefix)
            .send()
            .await
            .unwrap();
        assert_eq!(profiles.instance_profiles().len(), count, "{prefix}");
    }
    let profiles = iam
        .list_instance_profiles_for_role()
        .role_name("node")
        .send()
        .await
        .unwrap();
    assert_eq!(
        profiles.instance_profiles()[0].roles()[0].role_name(),
        "node"
    );
    let tags = iam
        .list_instance_profile_tags()
        .instance_profile_name("node")
        .send()
        .await;
    assert_eq!(tags.unwrap().tags()[0].key(), "bivouac:deployment");
    cloud.stop().await;
}

#[tokio::test]
async fn a_role_goes_in_aws_order_only() {
    let mut cloud = Cloud::paper().await;
    let iam = cloud.iam();
    role_with_profile(iam, "node").await;
    iam.put_role_policy()
        .role_name("node")
        .policy_name("p")
        .policy_document(ALLOW)
        .send()
        .await
        .unwrap();

    assert_eq!(
        code(iam.delete_role().role_name("node").send().await),
        "DeleteConflict"
    );
    let profile = iam
        .delete_instance_profile()
        .instance_profile_name("node")
        .send()
        .await;
    assert_eq!(code(profile), "DeleteConflict");
    iam.delete_role_policy()
        .role_name("node")
        .policy_name("p")
        .send()
        .await
        .unwrap();
    assert_eq!(
        code(iam.delete_role().role_name("node").send().await),
        "DeleteConflict"
    );
    iam.remove_role_from_instance_profile()
        .instance_profile_name("node")
        .role_name("node")
        .send()
        .await
        .unwrap();
    iam.delete_role().role_name("node").send().await.unwrap();
    iam.delete_instance_profile()
        .instance_profile_name("node")
        .send()
        .await
        .unwrap();

    assert_eq!(
        code(iam.get_role().role_name("node").send().await),
        "NoSuchEntity"
    );
    assert_eq!(
        code(iam.delete_role().role_name("node").send().await),
        "NoSuchEntity"
    );
    let policy = iam
        .delete_role_policy()
        .role_name("node")
        .policy_name("p")
        .send()
        .await;
    assert_eq!(code(policy), "NoSuchEntity");
    assert!(cloud.running().cloud().iam.remaining().is_empty());
    cloud.stop().await;
}

#[tokio::test]
async fn what_iam_refuses_is_refused() {
    let mut cloud = Cloud::paper().await;
    let iam = cloud.iam();
    role_with_profile(iam, "node").await;
    let create = |name: &str, trust: &str| {
        iam.create_role()
            .role_name(name)
            .assume_role_policy_document(trust)
            .send()
    };
    assert_eq!(code(create("NODE", TRUST).await), "EntityAlreadyExists");
    assert_eq!(
        code(create("other", ALLOW).await),
        "MalformedPolicyDocument"
    );
    assert_eq!(code(create("other", "{").await), "MalformedPolicyDocument");
    assert_eq!(code(create("../x", TRUST).await), "ValidationError");
    assert_eq!(
        code(create(&"x".repeat(65), TRUST).await),
        "ValidationError"
    );
    let path = iam
        .create_role()
        .role_name("x")
        .path("no/slash")
        .assume_role_policy_document(TRUST);
    assert_eq!(code(path.send().await), "ValidationError");
    let second = iam
        .add_role_to_instance_profile()
        .instance_profile_name("node")
        .role_name("node");
    assert_eq!(code(second.send().await), "LimitExceeded");
    let policy = |document: &str| {
        iam.put_role_policy()
            .role_name("node")
            .policy_name("p")
            .policy_document(document)
            .send()
    };
    assert_eq!(code(policy(TRUST).await), "MalformedPolicyDocument");
    let long = ALLOW.replace("x/*", &"x".repeat(11_000));
    assert_eq!(code(policy(&long).await), "LimitExceeded");
    assert!(
        iam.list_role_policies()
            .role_name("node")
            .send()
            .await
            .unwrap()
            .policy_names()
            .is_empty()
    );
    let unknown = iam.create_user().user_name("u").send().await;
    assert_eq!(code(unknown), "InvalidAction");
    cloud.stop().await;
}
