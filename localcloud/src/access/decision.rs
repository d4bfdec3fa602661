//! What policies say about a call.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use serde::Serialize;

use super::keys::Keys;
use super::policy::{Effect, Policy};

/// One thing that has to be allowed for a call to go on; most calls have one, some have many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// `service:Action`.
    pub action: String,
    /// ARN of what is acted on; `*` where nothing can be named.
    pub resource: String,
    /// What conditions can ask about.
    pub keys: Keys,
}

/// The smallest part of a policy that can be taken out: one action on one resource in a statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Grant {
    /// Name of the role's policy.
    pub policy: String,
    /// `Sid` of the statement, else its number, counted from 1.
    pub statement: String,
    /// The action as the statement writes it.
    pub action: String,
    /// The resource as the statement writes it.
    pub resource: String,
}

/// What policies say about a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is allowed, by each of these.
    Allowed(Vec<Grant>),
    /// A statement denies it, whatever others say: name of the policy and of the statement.
    Denied {
        /// Name of the policy.
        policy: String,
        /// `Sid` of the statement, else its number.
        statement: String,
    },
    /// Nothing allows it.
    NotAllowed,
}

/// Holds a check against the policies of a role: one denial is enough to refuse, and without a
/// statement that allows it nothing is allowed.
pub fn decide<'a>(
    policies: impl IntoIterator<Item = (&'a str, &'a Policy)>,
    check: &Check,
) -> Decision {
    let mut grants = Vec::new();
    for (policy, document) in policies {
        for statement in &document.statements {
            if !statement.applies(check) {
                continue;
            }
            if statement.effect == Effect::Deny {
                return Decision::Denied {
                    policy: policy.to_owned(),
                    statement: statement.name.clone(),
                };
            }
            for action in statement.actions_for(check) {
                for resource in statement.resources_for(check) {
                    grants.push(Grant {
                        policy: policy.to_owned(),
                        statement: statement.name.clone(),
                        action: action.to_owned(),
                        resource: resource.to_owned(),
                    });
                }
            }
        }
    }
    if grants.is_empty() {
        Decision::NotAllowed
    } else {
        Decision::Allowed(grants)
    }
}
