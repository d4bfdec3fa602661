//! The form of policy documents.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::ApiError;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What a policy is for, which says what its statements must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Who may take a role.
    Trust,
    /// What a role may do.
    Permission,
}

/// Checks a document.
pub(super) fn check(document: &str, purpose: Purpose) -> Result<(), ApiError> {
    let malformed = |message: String| Err(ApiError::new("MalformedPolicyDocument", message));
    let policy: Value = match serde_json::from_str(document) {
        Ok(policy) => policy,
        Err(error) => return malformed(format!("Syntax errors in policy: {error}.")),
    };
    let Some(policy) = policy.as_object() else {
        return malformed("Syntax errors in policy: it is not a JSON object.".to_owned());
    };
    for key in policy.keys() {
        if !["Version", "Id", "Statement"].contains(&key.as_str()) {
            return malformed(format!("Syntax errors in policy: unknown element {key:?}."));
        }
    }
    match policy.get("Version").map(Value::as_str) {
        None | Some(Some("2012-10-17" | "2008-10-17")) => {}
        _ => return malformed("Policy has invalid Version; use \"2012-10-17\".".to_owned()),
    }
    let statements: Vec<&Value> = match policy.get("Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => return malformed("Syntax errors in policy: there is no Statement.".to_owned()),
    };
    if statements.is_empty() {
        return malformed("Policy statement must contain at least one statement.".to_owned());
    }
    for (place, statement) in statements.into_iter().enumerate() {
        if let Err(problem) = check_statement(statement, purpose) {
            return malformed(format!("Statement {}: {problem}", place + 1));
        }
    }
    Ok(())
}

fn check_statement(statement: &Value, purpose: Purpose) -> Result<(), String> {
    const KNOWN: [&str; 9] = [
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    let statement = statement.as_object().ok_or("it is not a JSON object.")?;
    if let Some(unknown) = statement.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(format!("unknown element {unknown:?}."));
    }
    if !matches!(
        statement.get("Effect").and_then(Value::as_str),
        Some("Allow" | "Deny")
    ) {
        return Err("Effect must be \"Allow\" or \"Deny\".".to_owned());
    }
    let has = |name: &str| statement.contains_key(name);
    exactly_one(statement, "Action", "NotAction")?;
    texts(statement, "Action")?;
    texts(statement, "NotAction")?;
    match purpose {
        Purpose::Trust if has("Resource") || has("NotResource") => {
            Err("Has prohibited field Resource".to_owned())
        }
        Purpose::Trust if !has("Principal") && !has("NotPrincipal") => {
            Err("Missing required field Principal".to_owned())
        }
        Purpose::Permission if has("Principal") || has("NotPrincipal") => {
            Err("Policy document should not specify a principal.".to_owned())
        }
        Purpose::Permission => {
            exactly_one(statement, "Resource", "NotResource")?;
            texts(statement, "Resource")?;
            texts(statement, "NotResource")
        }
        Purpose::Trust => Ok(()),
    }
}

type Statement = serde_json::Map<String, Value>;

fn exactly_one(statement: &Statement, one: &str, other: &str) -> Result<(), String> {
    match (statement.contains_key(one), statement.contains_key(other)) {
        (true, true) => Err(format!("it has both {one} and {other}.")),
        (false, false) => Err(format!("Missing required field {one}")),
        _ => Ok(()),
    }
}

/// A text or a list of texts, not an empty one.
fn texts(statement: &Statement, name: &str) -> Result<(), String> {
    match statement.get(name) {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(list)) if !list.is_empty() && list.iter().all(Value::is_string) => Ok(()),
        Some(_) => Err(format!("{name} must be a text or a list of texts.")),
    }
}

/// Bytes that count against a policy's limit: white space does not.
pub(super) fn weight(document: &str) -> usize {
    document
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .count()
}

/// A document as IAM answers it: URL-encoded.
pub(super) fn encoded(document: &str) -> String {
    utf8_percent_encode(document, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:GetObject"],"Resource":"*"}}"#;

    #[test]
    fn each_kind_of_policy_has_its_own_form() {
        check(TRUST, Purpose::Trust).unwrap();
        check(ALLOW, Purpose::Permission).unwrap();
        assert!(check(TRUST, Purpose::Permission).is_err());
        assert!(check(ALLOW, Purpose::Trust).is_err());
    }

    #[test]
    fn malformed_documents_are_refused() {
        for document in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"Statement":[]}"#,
            r#"{"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Action":[],"Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":5}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Actoin":"*","Resource":"*"}]}"#,
            r#"{"Version":"2020-01-01","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
        ] {
            let error = check(document, Purpose::Permission).unwrap_err();
            assert_eq!(error.code, "MalformedPolicyDocument", "{document}");
        }
    }

    #[test]
    fn documents_are_answered_encoded() {
        assert_eq!(encoded(r#"{"a": "b/c"}"#), "%7B%22a%22%3A%20%22b%2Fc%22%7D");
    }
}
