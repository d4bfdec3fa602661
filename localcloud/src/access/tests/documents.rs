use proptest::prelude::{any, proptest};

use crate::access::{Policy, TrustPolicy, Written};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:GetObject"],"Resource":"*"}}"#;

fn permission(text: &str) -> Result<Written<Policy>, String> {
    Written::try_from(text.to_owned()).map_err(|error: crate::access::Malformed| error.to_string())
}

fn trust(text: &str) -> Result<Written<TrustPolicy>, String> {
    Written::try_from(text.to_owned()).map_err(|error: crate::access::Malformed| error.to_string())
}

#[test]
fn each_kind_of_policy_has_its_own_form() {
    assert_eq!(trust(TRUST).unwrap().text(), TRUST);
    assert_eq!(permission(ALLOW).unwrap().text(), ALLOW);
    assert!(permission(TRUST).is_err());
    assert!(trust(ALLOW).is_err());
}

#[test]
fn malformed_documents_are_refused_with_what_is_wrong() {
    let within = |statement: &str| format!(r#"{{"Statement":[{statement}]}}"#);
    let cases = [
        (String::new(), "EOF"),
        ("[]".to_owned(), "expected"),
        ("{}".to_owned(), "missing field `Statement`"),
        (r#"{"Statement":[]}"#.to_owned(), "at least one statement"),
        (r#"{"Version":"2020-01-01","Statement":[]}"#.to_owned(), "2012-10-17"),
        (within(r#"{"Effect":"allow","Action":"*","Resource":"*"}"#), "`Allow` or `Deny`"),
        (within(r#"{"Effect":"Allow","Resource":"*"}"#), "Missing required field Action"),
        (within(r#"{"Effect":"Allow","Action":"*"}"#), "Missing required field Resource"),
        (within(r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#), "a list of texts"),
        (within(r#"{"Effect":"Allow","Action":"*","Resource":5}"#), "a list of texts"),
        (within(r#"{"Effect":"Allow","Actoin":"*","Resource":"*"}"#), "`Actoin`"),
        (within(r#"{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}"#), "both"),
        (within(r#"{"Effect":"Allow","Action":"GetObject","Resource":"*"}"#), "vendor"),
        (within(r#"{"Effect":"Allow","Action":"*","Resource":"bucket/*"}"#), "ARN format"),
        (within(r#"{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}"#), "alpha-numeric"),
        (
            within(r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEqual":{"k":"v"}}}"#),
            "Invalid condition operator StringEqual",
        ),
        (
            within(r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericEquals":{"k":"five"}}}"#),
            "not a number",
        ),
        (
            within(r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateLessThan":{"k":"soon"}}}"#),
            "not a date",
        ),
        (
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/${x"}}"#.to_owned(),
            "no closing brace",
        ),
    ];
    for (document, expected) in cases {
        let error = permission(&document).unwrap_err();
        assert!(error.contains(expected), "{document}: {error}");
    }
    let twice = r#"{"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"}"#;
    let error = permission(&within(&format!("{twice},{twice}"))).unwrap_err();
    assert!(error.contains("unique"), "{error}");
}

#[test]
fn who_may_take_a_role_is_told() {
    let ec2 = "ec2.amazonaws.com";
    let cases = [
        (TRUST.to_owned(), true),
        (TRUST.replace("ec2.", "lambda."), false),
        (TRUST.replace("sts:AssumeRole", "sts:*"), true),
        (TRUST.replace("sts:AssumeRole", "sts:TagSession"), false),
        (TRUST.replace("\"Allow\"", "\"Deny\""), false),
        (
            TRUST.replace(r#"{"Service":"ec2.amazonaws.com"}"#, "\"*\""),
            true,
        ),
        (TRUST.replace("Service", "AWS"), false),
    ];
    for (document, expected) in cases {
        let trust = trust(&document).unwrap();
        assert_eq!(trust.meaning().trusts_service(ec2), expected, "{document}");
    }
}

#[test]
fn a_document_is_kept_as_its_text() {
    let written = permission(ALLOW).unwrap();
    let kept = serde_json::to_string(&written).unwrap();
    assert_eq!(kept, serde_json::to_string(ALLOW).unwrap());
    let read: Written<Policy> = serde_json::from_str(&kept).unwrap();
    assert_eq!(read.meaning(), written.meaning());
}

proptest! {
    #[test]
    fn no_text_brings_the_reader_down(text in any::<String>(), part in "[{}\\[\\]\",:a-zA-Z$*]{0,80}") {
        let _ = permission(&text);
        let _ = permission(&part);
        let statement = serde_json::json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": text, "Resource": part,
            "Condition": {"StringLike": {"k": [part, text]}},
        }});
        let _ = permission(&statement.to_string());
    }
}
