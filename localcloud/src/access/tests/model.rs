//! Decisions against a model that is slow and plain: regular sets of words instead of patterns, a
//! list of statements gone through twice.

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{collection, prop_assert_eq};
use serde_json::{Value, json};

use super::{check, policy};
use crate::access::{Decision, Keys, decide};

const ACTIONS: [&str; 4] = [
    "s3:GetObject",
    "s3:PutObject",
    "ec2:RunInstances",
    "ec2:StopInstances",
];
const RESOURCES: [&str; 4] = [
    "arn:aws:s3:::b/x",
    "arn:aws:s3:::b/xx",
    "arn:aws:ec2:r:1:instance/i-1",
    "*",
];

#[derive(Clone, Debug)]
struct Statement {
    allow: bool,
    actions: (bool, Vec<String>),
    resources: (bool, Vec<String>),
    condition: Option<(bool, bool, Vec<String>)>,
}

fn listed(from: &'static [&'static str]) -> impl Strategy<Value = (bool, Vec<String>)> {
    let texts = proptest::sample::select(from).prop_map(str::to_owned);
    (
        prop_oneof![4 => Just(true), 1 => Just(false)],
        collection::vec(texts, 1..3),
    )
}

fn statement() -> impl Strategy<Value = Statement> {
    let condition = (
        any::<bool>(),
        any::<bool>(),
        collection::vec(
            proptest::sample::select(&["", "a", "b", "a*", "?"][..]),
            1..3,
        ),
    );
    (
        prop_oneof![3 => Just(true), 1 => Just(false)],
        listed(&[
            "*",
            "s3:*",
            "S3:Get*",
            "s3:PutObject",
            "ec2:???Instances",
            "ec2:*n*",
        ]),
        listed(&[
            "*",
            "arn:aws:s3:::b/*",
            "arn:aws:s3:::b/x",
            "arn:aws:s3:::b/?",
            "arn:*:ec2:*:*:*",
        ]),
        proptest::option::of(condition),
    )
        .prop_map(|(allow, actions, resources, condition)| Statement {
            allow,
            actions,
            resources,
            condition: condition.map(|(negated, if_exists, values)| {
                let values = values.into_iter().map(str::to_owned).collect();
                (negated, if_exists, values)
            }),
        })
}

fn written(statement: &Statement) -> Value {
    let named = |listed: &(bool, Vec<String>), name: &str| {
        (
            if listed.0 {
                name.to_owned()
            } else {
                format!("Not{name}")
            },
            json!(listed.1),
        )
    };
    let (action, actions) = named(&statement.actions, "Action");
    let (resource, resources) = named(&statement.resources, "Resource");
    let mut text = json!({
        "Effect": if statement.allow { "Allow" } else { "Deny" },
        action: actions,
        resource: resources,
    });
    if let Some((negated, if_exists, values)) = &statement.condition {
        let not = if *negated { "Not" } else { "" };
        let tail = if *if_exists { "IfExists" } else { "" };
        text["Condition"] = json!({ format!("String{not}Like{tail}"): { "k": values } });
    }
    text
}

/// Whether a text fits a pattern, by trying everything a wildcard could stand for.
fn fits(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => (0..=text.len()).any(|at| fits(rest.as_str(), &text[at..])),
        Some('?') => !text.is_empty() && fits(rest.as_str(), &text[1..]),
        Some(plain) => text
            .strip_prefix(plain)
            .is_some_and(|text| fits(rest.as_str(), text)),
    }
}

fn fits_arn(pattern: &str, arn: &str) -> bool {
    let (pattern, arn): (Vec<_>, Vec<_>) = (
        pattern.splitn(6, ':').collect(),
        arn.splitn(6, ':').collect(),
    );
    pattern == ["*"]
        || pattern.len() == arn.len()
            && pattern
                .iter()
                .zip(arn)
                .all(|(pattern, part)| fits(pattern, part))
}

fn speaks_of(statement: &Statement, action: &str, resource: &str, key: Option<&str>) -> bool {
    let (meant, actions) = &statement.actions;
    let action = action.to_lowercase();
    let action = *meant == actions.iter().any(|one| fits(&one.to_lowercase(), &action));
    let (meant, resources) = &statement.resources;
    let resource = *meant == resources.iter().any(|one| fits_arn(one, resource));
    let condition = match (&statement.condition, key) {
        (None, _) | (Some((_, true, _)), None) => true,
        (Some((negated, false, _)), None) => *negated,
        (Some((negated, _, values)), Some(key)) => {
            values.iter().any(|value| fits(value, key)) != *negated
        }
    };
    action && resource && condition
}

proptest! {
    #[test]
    fn decisions_are_those_of_the_model(
        statements in collection::vec(statement(), 1..5),
        key in proptest::option::of(proptest::sample::select(&["", "a", "ab", "c"][..])),
    ) {
        let policy = policy(statements.iter().map(written).collect());
        for action in ACTIONS {
            for resource in RESOURCES {
                let speaking = |allow: bool| statements.iter().any(|one| {
                    one.allow == allow && speaks_of(one, action, resource, key)
                });
                let expected = if speaking(false) {
                    "denied"
                } else if speaking(true) {
                    "allowed"
                } else {
                    "not allowed"
                };
                let asked = check(action, resource, Keys::default().with_some("k", key));
                let decided = match decide([("p", &policy)], &asked) {
                    Decision::Denied { .. } => "denied",
                    Decision::Allowed(_) => "allowed",
                    Decision::NotAllowed => "not allowed",
                };
                prop_assert_eq!(decided, expected, "{} {} {:?}", action, resource, &policy);
            }
        }
    }
}
