//! What policies say about a call.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use serde::Serialize;

use super::keys::Keys;
use super::policy::{Effect, Policy, Statement};

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

impl Policy {
    /// Everything that it allows, in its smallest parts; `name` is the policy's own.
    pub fn grants(&self, name: &str) -> Vec<Grant> {
        let allowing = self.statements.iter();
        let allowing = allowing.filter(|statement| statement.effect == Effect::Allow);
        allowing
            .flat_map(|statement| {
                let resources = statement.resources.written();
                let actions = statement.actions.written();
                statement.grants(name, &actions, &resources)
            })
            .collect()
    }
}

impl Statement {
    fn grants(&self, policy: &str, actions: &[&str], resources: &[&str]) -> Vec<Grant> {
        let grant = |action: &&str, resource: &&str| Grant {
            policy: policy.to_owned(),
            statement: self.name.clone(),
            action: (*action).to_owned(),
            resource: (*resource).to_owned(),
        };
        let of_action = |action| {
            resources
                .iter()
                .map(move |resource| grant(action, resource))
        };
        actions.iter().flat_map(of_action).collect()
    }
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
            grants.extend(statement.grants(
                policy,
                &statement.actions_for(check),
                &statement.resources_for(check),
            ));
        }
    }
    if grants.is_empty() {
        Decision::NotAllowed
    } else {
        Decision::Allowed(grants)
    }
}
