//! What roles did: which grants of their policies were used, and what was refused. A permission that
//! is never here is one that a role does not need.

use std::collections::BTreeMap;

use serde::Serialize;

use super::decision::{Check, Decision, Grant};

/// Most different refusals of a role that are kept.
const MOST_REFUSED: usize = 200;

/// What the sessions of all roles did, by the role's name.
#[derive(Debug, Default)]
pub(super) struct Record(BTreeMap<String, RoleRecord>);

/// What the sessions of a role did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoleRecord {
    /// What was allowed: once for each action and set of grants that allowed it.
    pub allowed: Vec<Allowed>,
    /// What was refused: once for each action and resource.
    pub refused: Vec<Refused>,
}

impl RoleRecord {
    /// Those of a role's grants without which everything would have been allowed all the same.
    pub fn unneeded(&self, grants: Vec<Grant>) -> Vec<Grant> {
        let alone = |grant: &Grant| {
            let mut allowed = self.allowed.iter();
            allowed.any(|one| one.by == std::slice::from_ref(grant))
        };
        let unneeded = grants.into_iter().filter(|grant| !alone(grant));
        unneeded.collect()
    }
}

/// What a role has, and what it did with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoleReport {
    /// What its sessions did.
    #[serde(flatten)]
    pub record: RoleRecord,
    /// Grants of its policies as they are now that it could have done without.
    pub unneeded: Vec<Grant>,
}

/// A check that was allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Allowed {
    /// `service:Action`.
    pub action: String,
    /// Each of these allows it by itself.
    pub by: Vec<Grant>,
    /// ARN of the first that it was done to.
    pub example: String,
    /// How often it was done.
    pub count: u64,
}

/// A check that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// `service:Action`.
    pub action: String,
    /// ARN of what it was not done to.
    pub resource: String,
    /// How often.
    pub count: u64,
}

impl Record {
    pub(super) fn knows(&self, role: &str) -> bool {
        self.0.contains_key(role)
    }

    pub(super) fn keep(&mut self, exists: impl Fn(&str) -> bool) {
        self.0.retain(|role, _| exists(role));
    }

    pub(super) fn roles(&self) -> &BTreeMap<String, RoleRecord> {
        &self.0
    }

    pub(super) fn note(&mut self, role: &str, check: &Check, decision: &Decision) {
        let role = self.0.entry(role.to_owned()).or_default();
        match decision {
            Decision::Allowed(by) => role.note_allowed(check, by),
            Decision::Denied { .. } | Decision::NotAllowed => role.note_refused(check),
        }
    }
}

impl RoleRecord {
    fn note_allowed(&mut self, check: &Check, by: &[Grant]) {
        let same = |one: &&mut Allowed| one.action == check.action && one.by == by;
        match self.allowed.iter_mut().find(same) {
            Some(one) => one.count += 1,
            None => self.allowed.push(Allowed {
                action: check.action.clone(),
                by: by.to_vec(),
                example: check.resource.clone(),
                count: 1,
            }),
        }
    }

    fn note_refused(&mut self, check: &Check) {
        let same =
            |one: &&mut Refused| one.action == check.action && one.resource == check.resource;
        if let Some(one) = self.refused.iter_mut().find(same) {
            one.count += 1;
        } else if self.refused.len() < MOST_REFUSED {
            self.refused.push(Refused {
                action: check.action.clone(),
                resource: check.resource.clone(),
                count: 1,
            });
        }
    }
}
