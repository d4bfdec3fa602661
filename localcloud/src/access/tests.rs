#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value)]

mod conditions;
mod documents;
mod model;
mod rows;

use serde_json::{Value, json};

use super::{Check, Decision, Keys, Policy, Written, decide};

/// A policy of these statements.
fn policy(statements: Value) -> Policy {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let written: Written<Policy> = Written::try_from(text).unwrap();
    Policy::clone(written.meaning())
}

fn check(action: &str, resource: &str, keys: Keys) -> Check {
    Check {
        action: action.to_owned(),
        resource: resource.to_owned(),
        keys,
    }
}

fn allows(policy: &Policy, check: &Check) -> bool {
    matches!(decide([("p", policy)], check), Decision::Allowed(_))
}

#[test]
fn one_denial_outweighs_whatever_allows() {
    let policy = policy(json!([
        {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "NotThat", "Effect": "Deny", "Action": "s3:Delete*", "Resource": "arn:aws:s3:::b/*"},
    ]));
    assert!(allows(
        &policy,
        &check("s3:GetObject", "arn:aws:s3:::b/k", Keys::default())
    ));
    assert!(allows(
        &policy,
        &check("s3:DeleteObject", "arn:aws:s3:::c/k", Keys::default())
    ));
    let denied = decide(
        [("p", &policy)],
        &check("s3:DeleteObject", "arn:aws:s3:::b/k", Keys::default()),
    );
    let (policy, statement) = ("p".to_owned(), "NotThat".to_owned());
    assert_eq!(denied, Decision::Denied { policy, statement });
}

#[test]
fn each_way_in_which_a_check_is_allowed_is_named() {
    let policy = policy(json!([
        {"Effect": "Allow", "Action": ["s3:Get*", "s3:GetObject"], "Resource": "arn:aws:s3:::b/*"},
    ]));
    let check = check("s3:GetObject", "arn:aws:s3:::b/k", Keys::default());
    let Decision::Allowed(grants) = decide([("p", &policy)], &check) else {
        panic!("it is allowed");
    };
    let actions: Vec<&str> = grants.iter().map(|grant| grant.action.as_str()).collect();
    assert_eq!(actions, ["s3:Get*", "s3:GetObject"]);
    assert_eq!(grants[0].statement, "1");
}

#[test]
fn without_a_statement_that_allows_nothing_is_allowed() {
    let check = check("s3:GetObject", "arn:aws:s3:::b/k", Keys::default());
    assert_eq!(decide([], &check), Decision::NotAllowed);
    let other = policy(json!({"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}));
    assert_eq!(decide([("p", &other)], &check), Decision::NotAllowed);
}

#[test]
fn the_case_of_an_action_does_not_matter_that_of_a_resource_does() {
    let policy = policy(json!({
        "Effect": "Allow", "Action": "S3:getobject", "Resource": "arn:aws:s3:::b/Key",
    }));
    let on = |resource| check("s3:GetObject", resource, Keys::default());
    assert!(allows(&policy, &on("arn:aws:s3:::b/Key")));
    assert!(!allows(&policy, &on("arn:aws:s3:::b/key")));
}

#[test]
fn not_action_and_not_resource_mean_all_others() {
    let policy = policy(json!([
        {"Effect": "Allow", "NotAction": ["iam:*", "s3:PutObject"], "NotResource": "arn:aws:s3:::secret/*"},
    ]));
    for (action, resource, expected) in [
        ("s3:GetObject", "arn:aws:s3:::b/k", true),
        ("s3:PutObject", "arn:aws:s3:::b/k", false),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/r", false),
        ("s3:GetObject", "arn:aws:s3:::secret/k", false),
        ("ec2:DescribeInstances", "*", true),
    ] {
        let asked = check(action, resource, Keys::default());
        assert_eq!(allows(&policy, &asked), expected, "{action} {resource}");
    }
}

#[test]
fn wildcards_do_not_reach_over_the_parts_of_an_arn() {
    let cases = [
        ("*", "arn:aws:ec2:us-east-1:1:instance/i-1", true),
        ("*", "*", true),
        (
            "arn:aws:ec2:*:*:instance/*",
            "arn:aws:ec2:us-east-1:1:instance/i-1",
            true,
        ),
        (
            "arn:aws:ec2:*:instance/*:x",
            "arn:aws:ec2:us-east-1:1:instance/i-1",
            false,
        ),
        ("arn:aws:ec2:*:*:*", "*", false),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/a/b/c:d", true),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b", false),
        ("arn:aws:s3:::b/?", "arn:aws:s3:::b/é", true),
        ("arn:aws:s3:::b/?", "arn:aws:s3:::b/", false),
        ("arn:aws:s3:::b/a*b*c", "arn:aws:s3:::b/abxbc", true),
        ("arn:aws:s3:::b/a*b*c", "arn:aws:s3:::b/acb", false),
        // An ARN may have an asterisk in it; it is no wildcard there.
        (
            "arn:aws:ec2:r:1:instance/i-1",
            "arn:aws:ec2:r:1:instance/*",
            false,
        ),
    ];
    for (pattern, resource, expected) in cases {
        let policy = policy(json!({"Effect": "Allow", "Action": "*", "Resource": pattern}));
        let asked = check("ec2:StopInstances", resource, Keys::default());
        assert_eq!(allows(&policy, &asked), expected, "{pattern} {resource}");
    }
}

#[test]
fn variables_are_values_of_keys_and_never_wildcards() {
    let cases = [
        ("${aws:username}", Some("ann"), "ann", true),
        ("${AWS:UserName}/*", Some("ann"), "ann/x", true),
        ("${aws:username}", Some("*"), "bob", false),
        ("${aws:username}", Some("*"), "*", true),
        ("${aws:username}/*", None, "/x", false),
        ("${aws:username, 'nobody'}", None, "nobody", true),
        ("${*}${?}${$}", None, "*?$", true),
        ("${*}", None, "x", false),
        (
            "${aws:username}",
            Some("${aws:username}"),
            "${aws:username}",
            true,
        ),
    ];
    for (pattern, name, key, expected) in cases {
        let pattern = format!("arn:aws:s3:::b/{pattern}");
        let policy = policy(json!({"Effect": "Allow", "Action": "*", "Resource": pattern}));
        let keys = Keys::default().with_some("aws:username", name);
        let asked = check("s3:GetObject", &format!("arn:aws:s3:::b/{key}"), keys);
        assert_eq!(
            allows(&policy, &asked),
            expected,
            "{pattern} {name:?} {key}"
        );
    }
}
