//! How a service says that its caller may not do something.

use http::StatusCode;
use serde_json::json;

use super::decision::Check;
use crate::auth::Caller;
use crate::wire::ApiError;

/// A call that is not made, as its caller may not make it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "User: {caller} is not authorized to perform: {action} on resource: {resource} {}",
    reason.told(action)
)]
pub struct Refusal {
    caller: Box<str>,
    caller_id: Box<str>,
    action: Box<str>,
    resource: Box<str>,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    NotAllowed,
    Denied { policy: String, statement: String },
}

impl Reason {
    /// What callers are told: not which statement denies.
    fn told(&self, action: &str) -> String {
        match self {
            Self::NotAllowed => {
                format!("because no identity-based policy allows the {action} action")
            }
            Self::Denied { .. } => "with an explicit deny in an identity-based policy".to_owned(),
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotAllowed => formatter.write_str("no policy of its role allows it"),
            Self::Denied { policy, statement } => write!(
                formatter,
                "statement {statement} of its role's policy {policy} denies it"
            ),
        }
    }
}

impl Refusal {
    pub(super) fn new(caller: &Caller, check: &Check, reason: Reason) -> Self {
        Self {
            caller: caller.arn.as_str().into(),
            caller_id: caller.user_id.as_str().into(),
            action: check.action.as_str().into(),
            resource: check.resource.as_str().into(),
            reason,
        }
    }

    /// Why, for the log.
    pub(super) fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The error in the words of a service.
    pub fn error(&self, service: &str) -> ApiError {
        let (code, message) = match service {
            "ec2" => (
                "UnauthorizedOperation",
                format!(
                    "You are not authorized to perform this operation. {self}. Encoded authorization failure message: {}",
                    self.encoded()
                ),
            ),
            _ => ("AccessDenied", self.to_string()),
        };
        ApiError::with_status(StatusCode::FORBIDDEN, code, message)
    }

    /// What `DecodeAuthorizationMessage` gives back. AWS encrypts it; here there is nothing to hide.
    fn encoded(&self) -> String {
        let denied_by = match &self.reason {
            Reason::NotAllowed => Vec::new(),
            Reason::Denied { policy, statement } => {
                vec![json!({"sourcePolicyId": policy, "statementId": statement, "effect": "DENY"})]
            }
        };
        let message = json!({
            "allowed": false,
            "explicitDeny": !denied_by.is_empty(),
            "matchedStatements": {"items": denied_by},
            "context": {
                "principal": {"id": self.caller_id, "arn": self.caller},
                "action": self.action,
                "resource": self.resource,
            },
        });
        base64_simd::URL_SAFE_NO_PAD.encode_to_string(message.to_string())
    }
}

/// Reads an encoded authorization failure message.
///
/// # Errors
/// It is none.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html>
pub fn decode_message(encoded: &str) -> Result<String, ApiError> {
    base64_simd::URL_SAFE_NO_PAD
        .decode_to_vec(encoded)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| serde_json::from_str::<serde_json::Value>(text).is_ok())
        .ok_or_else(|| {
            ApiError::new(
                "InvalidAuthorizationMessageException",
                "The encoded authorization message could not be decoded.",
            )
        })
}
