//! The shipped policies, and templates that are none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use deployer_core::policy::{self, PolicyContext, PolicyError};
use serde_json::Value;

fn shipped(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ami/policies");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn context() -> PolicyContext {
    let node = "arn:aws:iam::123456789012:role/bivouac/elastic-cache/us-east-1/bivouac-x-node-a1b2";
    PolicyContext {
        account: "123456789012".into(),
        region: "us-east-1".into(),
        deployment: "elastic-cache".into(),
        namespace: "Bivouac/elastic-cache-1a2b3c4d".into(),
        bucket: "bivouac-elastic-cache-1a2b3c4d-photos-x1y2".into(),
        buckets: BTreeMap::from([("photos".into(), "bivouac-x-photos-x1y2".into())]),
        roles: BTreeMap::from([("node".into(), node.into())]),
    }
}

fn rendered(name: &str) -> Value {
    serde_json::from_str(&policy::render(&shipped(name), &context()).unwrap()).unwrap()
}

/// The text or the texts of a statement's field.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_shipped_policies_are_these() {
    for name in ["manager.json.hbs", "node.json.hbs"] {
        let text = policy::render(&shipped(name), &context()).unwrap();
        assert!(!text.contains('\n') && !text.contains("{{"), "{text}");
        insta::assert_snapshot!(name, format!("{:#}", rendered(name)));
    }
}

/// No action by pattern, nothing denied by accident, and every resource inside the deployment but
/// where AWS knows no narrower one.
#[test]
fn the_shipped_policies_allow_the_least() {
    // These take no resource: the reference lists none for them.
    // <https://docs.aws.amazon.com/service-authorization/latest/reference/>
    let whole = [
        "ec2:DescribeInstances",
        "cloudwatch:PutMetricData",
        "cloudwatch:GetMetricData",
    ];
    for name in ["manager.json.hbs", "node.json.hbs"] {
        let policy = rendered(name);
        assert_eq!(policy["Version"], "2012-10-17");
        let mut named = BTreeSet::new();
        for statement in policy["Statement"].as_array().unwrap() {
            let sid = statement["Sid"].as_str().unwrap();
            assert!(named.insert(sid), "{sid} twice");
            assert!(sid.bytes().all(|b| b.is_ascii_alphanumeric()), "{sid}");
            assert_eq!(statement["Effect"], "Allow");
            for action in texts(&statement["Action"]) {
                assert!(!action.contains('*'), "{action}");
                for resource in texts(&statement["Resource"]) {
                    assert!(resource != "*" || whole.contains(&action), "{action} on *");
                    assert!(
                        resource == "*" || resource.starts_with("arn:aws:"),
                        "{resource}"
                    );
                }
            }
        }
    }
}

/// RunInstances is authorised on each of six kinds of resources.
#[test]
fn the_manager_may_launch_what_a_launch_touches() {
    let policy = rendered("manager.json.hbs");
    let mut kinds = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        if texts(&statement["Action"]).contains(&"ec2:RunInstances") {
            for resource in texts(&statement["Resource"]) {
                kinds.insert(resource.rsplit(':').next().unwrap().to_owned());
            }
        }
    }
    let expected = [
        "image",
        "instance",
        "network-interface",
        "security-group",
        "subnet",
        "volume",
    ];
    assert_eq!(kinds, expected.map(|kind| format!("{kind}/*")).into());
}

#[test]
fn a_value_stays_inside_its_string() {
    let hostile = PolicyContext {
        deployment: "a\", \"Effect\": \"Deny\\".into(),
        ..context()
    };
    let template = r#"{ "Statement": [ { "Sid": "{{deployment}}" } ] }"#;
    let text = policy::render(template, &hostile).unwrap();
    let policy: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(policy["Statement"][0]["Sid"], hostile.deployment);
    assert!(policy["Statement"][0].get("Effect").is_none());
}

#[test]
fn partitions_follow_the_region() {
    let template = r#"{ "Statement": ["arn:{{partition}}:s3:::x"] }"#;
    for (region, partition) in [
        ("us-east-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
    ] {
        let context = PolicyContext {
            region: region.into(),
            ..context()
        };
        let text = policy::render(template, &context).unwrap();
        assert_eq!(
            text,
            format!("{{\"Statement\":[\"arn:{partition}:s3:::x\"]}}")
        );
    }
}

#[test]
fn templates_that_are_no_policies_are_told() {
    let told = |template: &str| {
        policy::render(template, &context())
            .unwrap_err()
            .to_string()
    };
    insta::assert_snapshot!(
        [
            told("{ \"Statement\": [ \"{{roles.nod}}\" ] }"),
            told("{\n  \"Statement\": [ \"{{buckets.photo}}\" ] }"),
            told("{ \"Statement\": [ \"{{acount}}\" ] }"),
            told("{ \"Statement\": [ \"{{account\" ] }"),
            told("{ \"Statement\": [ }"),
            told("{ \"Statements\": [] }"),
            told("[]"),
            told(""),
        ]
        .join("\n")
    );
    let long = format!("{{ \"Statement\": [\"{}\"] }}", "x".repeat(policy::LARGEST));
    assert!(matches!(
        policy::render(&long, &context()),
        Err(PolicyError::TooLong(_))
    ));
}
