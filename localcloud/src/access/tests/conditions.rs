use serde_json::{Value, json};

use super::{allows, check, policy};
use crate::access::Keys;

fn met(condition: Value, keys: Keys) -> bool {
    let policy = policy(json!({
        "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition,
    }));
    allows(&policy, &check("s3:GetObject", "arn:aws:s3:::b/k", keys))
}

/// Operator, value of the policy, value of the request, whether it is met.
const CASES: &[(&str, &str, &str, bool)] = &[
    ("StringEquals", "a", "a", true),
    ("StringEquals", "a", "A", false),
    ("StringEquals", "a*", "ab", false),
    ("StringNotEquals", "a", "b", true),
    ("StringNotEquals", "a", "a", false),
    ("StringEqualsIgnoreCase", "aé", "AÉ", true),
    ("StringNotEqualsIgnoreCase", "a", "A", false),
    ("StringLike", "a*?", "abc", true),
    ("StringLike", "a*?", "a", false),
    ("StringNotLike", "a*", "ab", false),
    ("NumericEquals", "5", "5.0", true),
    ("NumericNotEquals", "5", "6", true),
    ("NumericLessThan", "10", "9", true),
    ("NumericLessThan", "10", "x", false),
    ("NumericLessThanEquals", "10", "10", true),
    ("NumericGreaterThan", "10", "9", false),
    ("NumericGreaterThanEquals", "-1", "-1", true),
    ("DateEquals", "2026-01-01T00:00:00Z", "1767225600", true),
    (
        "DateNotEquals",
        "2026-01-01T00:00:00Z",
        "2026-01-02T00:00:00Z",
        true,
    ),
    ("DateLessThan", "2026-01-02", "2026-01-01T23:59:59Z", true),
    (
        "DateLessThanEquals",
        "2026-01-01T01:00:00+01:00",
        "2026-01-01T00:00:00Z",
        true,
    ),
    (
        "DateGreaterThan",
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:01Z",
        true,
    ),
    (
        "DateGreaterThanEquals",
        "2026-01-01T00:00:00Z",
        "2025-12-31T23:59:59Z",
        false,
    ),
    ("Bool", "true", "true", true),
    ("Bool", "True", "false", false),
    ("BinaryEquals", "QUJD", "QUJD", true),
    ("BinaryEquals", "QUJD", "qujd", false),
    ("IpAddress", "203.0.113.0/24", "203.0.113.7", true),
    ("IpAddress", "203.0.113.0/24", "203.0.114.7", false),
    ("IpAddress", "203.0.113.7", "203.0.113.7", true),
    ("IpAddress", "0.0.0.0/0", "8.8.8.8", true),
    ("IpAddress", "2001:db8::/32", "2001:db8:1::1", true),
    ("IpAddress", "::/0", "8.8.8.8", false),
    ("NotIpAddress", "203.0.113.0/24", "203.0.113.7", false),
    (
        "ArnEquals",
        "arn:aws:iam::*:role/*",
        "arn:aws:iam::1:role/x",
        true,
    ),
    ("ArnLike", "arn:aws:sns:*:b:c", "arn:aws:sns:x:y:b:c", false),
    (
        "ArnNotEquals",
        "arn:aws:iam::*:role/*",
        "arn:aws:iam::1:role/x",
        false,
    ),
    (
        "ArnNotLike",
        "arn:aws:iam::1:role/x",
        "arn:aws:iam::1:role/y",
        true,
    ),
];

#[test]
fn each_operator_compares_as_it_says() {
    for (operator, wanted, given, expected) in CASES {
        let keys = Keys::default().with("Some:Key", *given);
        let condition = json!({ *operator: { "some:key": wanted } });
        assert_eq!(
            met(condition, keys),
            *expected,
            "{operator} {wanted} {given}"
        );
    }
}

#[test]
fn a_key_that_is_missing_meets_only_what_is_negated_or_asks_for_no_more() {
    for (operator, wanted, _, _) in CASES {
        let missing = |name: &str| met(json!({ name: { "k": wanted } }), Keys::default());
        let negated = operator.contains("Not");
        assert_eq!(missing(operator), negated, "{operator}");
        assert!(
            missing(&format!("{operator}IfExists")),
            "{operator}IfExists"
        );
        assert!(missing(&format!("ForAllValues:{operator}")), "{operator}");
        assert!(!missing(&format!("ForAnyValue:{operator}")), "{operator}");
        assert!(
            missing(&format!("ForAnyValue:{operator}IfExists")),
            "{operator}"
        );
    }
}

#[test]
fn null_asks_whether_a_key_is_missing() {
    let there = || Keys::default().with("k", "v");
    for (value, with_key, without) in [
        (json!("true"), false, true),
        (json!(false), true, false),
        (json!(["true", "false"]), true, true),
    ] {
        assert_eq!(met(json!({"Null": {"K": value}}), there()), with_key);
        assert_eq!(met(json!({"Null": {"K": value}}), Keys::default()), without);
    }
}

#[test]
fn sets_of_values_are_asked_as_a_whole() {
    let tags = |tags: &[&str]| {
        Keys::default().with_all("aws:TagKeys", tags.iter().map(|&tag| tag.to_owned()))
    };
    for (operator, given, expected) in [
        ("ForAllValues:StringEquals", &["a"][..], true),
        ("ForAllValues:StringEquals", &["a", "b"], true),
        ("ForAllValues:StringEquals", &["a", "c"], false),
        ("ForAllValues:StringEquals", &[], true),
        ("ForAnyValue:StringEquals", &["c", "b"], true),
        ("ForAnyValue:StringEquals", &["c"], false),
        ("ForAnyValue:StringEquals", &[], false),
        ("ForAllValues:StringNotEquals", &["c", "d"], true),
        ("ForAllValues:StringNotEquals", &["c", "a"], false),
        ("ForAnyValue:StringNotEquals", &["a", "c"], true),
        ("ForAnyValue:StringNotEquals", &["a", "b"], false),
    ] {
        let condition = json!({ operator: { "aws:TagKeys": ["a", "b"] } });
        assert_eq!(
            met(condition, tags(given)),
            expected,
            "{operator} {given:?}"
        );
    }
}

#[test]
fn all_conditions_count_and_of_each_ones_values_any() {
    let condition = json!({
        "StringEquals": { "a": ["1", "2"], "b": "3" },
        "NumericLessThan": { "c": [5, 7] },
        "Bool": { "d": true },
    });
    let keys = |a, b, c| {
        let keys = Keys::default().with("a", a).with("b", b).with("c", c);
        keys.with("d", "true")
    };
    assert!(met(condition.clone(), keys("2", "3", "6")));
    assert!(!met(condition.clone(), keys("3", "3", "6")));
    assert!(!met(condition.clone(), keys("1", "2", "6")));
    assert!(!met(condition, keys("1", "3", "7")));
    // Of a negated one none may hold.
    let negated = json!({"StringNotEquals": {"a": ["1", "2"]}});
    assert!(!met(negated.clone(), Keys::default().with("a", "2")));
    assert!(met(negated, Keys::default().with("a", "3")));
}

#[test]
fn a_condition_may_compare_two_keys() {
    let condition = json!({"StringEquals": {"aws:RequestTag/owner": "${aws:PrincipalTag/team}"}});
    let keys = |team: Option<&str>| {
        Keys::default()
            .with("aws:RequestTag/Owner", "red")
            .with_some("aws:PrincipalTag/Team", team)
    };
    assert!(met(condition.clone(), keys(Some("red"))));
    assert!(!met(condition.clone(), keys(Some("blue"))));
    assert!(!met(condition, keys(None)));
}
