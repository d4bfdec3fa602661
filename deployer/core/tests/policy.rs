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
        prefix: "bivouac-elastic-cache-1a2b3c4d".into(),
        expires_at: Some("2026-11-26T13:00:00Z".into()),
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

/// These take no resource: the reference lists none for them.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/>
const WITHOUT_RESOURCE: [&str; 22] = [
    // Who may not list all alarms is shown none of several metrics.
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListDashboards",
    "cloudwatch:PutMetricData",
    "ec2:DescribeAddresses",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstances",
    "ec2:DescribeKeyPairs",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRegions",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVolumes",
    "ec2:DescribeVpcs",
    "iam:ListRoles",
    "rds:DescribeOrderableDBInstanceOptions",
    "s3:ListAllMyBuckets",
];

/// The statements of a policy: no action by pattern, nothing denied by accident, and no resource `*`
/// but where AWS knows no narrower one.
fn narrow_statements(policy: &Value) -> Vec<Value> {
    assert_eq!(policy["Version"], "2012-10-17");
    let statements = policy["Statement"].as_array().unwrap();
    let mut named = BTreeSet::new();
    for statement in statements {
        let sid = statement["Sid"].as_str().unwrap();
        assert!(named.insert(sid), "{sid} twice");
        assert!(sid.bytes().all(|b| b.is_ascii_alphanumeric()), "{sid}");
        assert_eq!(statement["Effect"], "Allow");
        for action in texts(&statement["Action"]) {
            assert!(!action.contains('*'), "{action}");
            for resource in texts(&statement["Resource"]) {
                assert!(
                    resource != "*" || WITHOUT_RESOURCE.contains(&action),
                    "{action} on *"
                );
                assert!(
                    resource == "*" || resource.starts_with("arn:aws:"),
                    "{resource}"
                );
            }
        }
    }
    statements.clone()
}

#[test]
fn the_shipped_policies_allow_the_least() {
    for name in ["manager.json.hbs", "node.json.hbs"] {
        for statement in narrow_statements(&rendered(name)) {
            for action in texts(&statement["Action"]) {
                let is_right = !action.starts_with("iam:") || action == "iam:PassRole";
                assert!(is_right, "no instance changes roles: {action}");
            }
        }
    }
}

/// A stolen manager takes nothing away but the nodes and photos that it looks after.
#[test]
fn instances_may_remove_the_rest_only_after_the_expiry() {
    let removing = ["Abort", "Delete", "Deregister", "Revoke", "Terminate"];
    for name in ["manager.json.hbs", "node.json.hbs"] {
        for statement in narrow_statements(&rendered(name)) {
            let sid = statement["Sid"].as_str().unwrap();
            let actions = texts(&statement["Action"]);
            let mut actions = actions.iter().filter_map(|action| action.split_once(':'));
            let removes = actions.any(|(_, a)| removing.iter().any(|r| a.starts_with(r)));
            let after = &statement["Condition"]["DateGreaterThanEquals"]["aws:CurrentTime"];
            if sid.contains("Expir") {
                assert_eq!(after, "2026-11-26T13:00:00Z", "{sid}");
            } else {
                let is_daily_work = ["EndNodes", "KeepPhotos"].contains(&sid);
                assert!(!removes || is_daily_work, "{sid} removes at any time");
            }
        }
    }
}

#[test]
fn a_deployment_without_an_end_has_no_rights_for_it() {
    let endless = PolicyContext {
        expires_at: None,
        ..context()
    };
    for name in ["manager.json.hbs", "node.json.hbs"] {
        let text = policy::render(&shipped(name), &endless).unwrap();
        assert!(!text.contains("aws:CurrentTime"), "{text}");
        assert!(!text.contains("Expir"), "{text}");
    }
}

/// What whoever runs `deploy` may do: nothing to what is not a deployment's, by its tag or its name,
/// but these.
#[test]
fn the_documented_policies_touch_only_what_is_a_deployments() {
    let whole = [
        // Nothing of these has a name or a tag of ours: AWS's images, the account's subnets and VPC.
        "LaunchAnywhere",
        "GroupInAnyVpc",
        // RDS lists all or one: databases and what they leave are found among all.
        "FindDatabases",
        "FindDatabaseSnapshots",
        "FindDatabaseBackups",
        "FindDatabaseSubnetGroups",
        "FindDatabaseParameterGroups",
        // Log groups are listed by how their names begin, by who may list all.
        "LookForLogGroups",
        // A backup that outlived its database has an id of RDS's and no name.
        "RemoveDatabaseBackups",
        // A role that only RDS may take, which it makes by itself.
        "LetRdsMakeItsRole",
    ];
    for file in ["deploy-policy.json", "teardown-policy.json"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let policy: Value = serde_json::from_str(&text).unwrap();
        for statement in narrow_statements(&policy) {
            let sid = statement["Sid"].as_str().unwrap();
            let named = texts(&statement["Resource"]);
            let is_named = named.iter().all(|r| *r == "*" || r.contains("bivouac"));
            let condition = statement["Condition"].to_string();
            let is_tagged = condition.contains("Tag/bivouac:deployment\":\"false\"");
            assert!(
                is_named || is_tagged || whole.contains(&sid),
                "{statement:#}"
            );
        }
        // What a managed policy may have, white space aside.
        let length = policy.to_string().len();
        assert!(length <= 6_144, "{file}: {length}");
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

#[test]
fn another_end_stands_wherever_a_condition_names_one() {
    let policy = r#"{"Statement":[
        {"Sid":"Always","Action":"s3:GetObject","Resource":"2026-11-26T21:00:00Z"},
        {"Sid":"After","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2026-11-26T21:00:00Z"},
            "StringEquals":{"aws:ResourceTag/a":"2026-11-26T21:00:00Z"}}}]}"#;
    let later = policy::with_expiry(policy, "2026-11-26T23:00:00Z".parse().unwrap()).unwrap();
    let later: Value = serde_json::from_str(&later).unwrap();
    let old = "2026-11-26T21:00:00Z";
    assert_eq!(later["Statement"][0]["Resource"], old);
    let conditions = &later["Statement"][1]["Condition"];
    assert_eq!(conditions["StringEquals"]["aws:ResourceTag/a"], old);
    assert_eq!(
        conditions["DateGreaterThan"]["aws:CurrentTime"],
        "2026-11-26T23:00:00Z"
    );
    assert_eq!(policy::with_expiry(policy, old.parse().unwrap()), None);
    let untimed = r#"{"Statement":[{"Sid":"Always"}]}"#;
    assert_eq!(policy::with_expiry(untimed, old.parse().unwrap()), None);
}
