//! Calls held against the policies of the role that makes them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::decision::{Check, Decision, decide};
use super::keys::Keys;
use super::policy::Policy;
use super::record::{Record, RoleReport};
use super::refusal::{Reason, Refusal};
use crate::auth::{Caller, Principal};
use crate::iam::Iam;

/// A role as its sessions have it at this moment.
#[derive(Clone, Debug)]
pub struct RoleRights {
    /// ARN of the role, with its path.
    pub arn: String,
    /// Tags of the role.
    pub tags: BTreeMap<String, String>,
    /// Its policies by name.
    pub policies: Vec<(String, Arc<Policy>)>,
}

/// Allows and refuses calls. What a policy says counts from the moment it was put.
#[derive(Debug)]
pub struct Access {
    iam: Arc<Iam>,
    record: Mutex<Record>,
}

impl Access {
    /// The access to an account.
    pub fn new(iam: Arc<Iam>) -> Self {
        Self {
            iam,
            record: Mutex::default(),
        }
    }

    /// Lets a call pass for which every check is allowed.
    ///
    /// # Errors
    /// The first check that is not.
    pub fn permit(&self, caller: &Caller, checks: &[Check]) -> Result<(), Refusal> {
        let Principal::Role { name, id, .. } = &caller.principal else {
            return Ok(());
        };
        if checks.is_empty() {
            return Ok(());
        }
        // Without its role a session has no policies, and so no rights.
        let rights = self.iam.rights(id);
        let about_caller = keys_of(caller, rights.as_ref());
        for check in checks {
            let asked = Check {
                keys: about_caller.clone().and(check.keys.clone()),
                ..check.clone()
            };
            let policies = rights.iter().flat_map(|rights| &rights.policies);
            let decision = decide(
                policies.map(|(name, policy)| (name.as_str(), policy.as_ref())),
                &asked,
            );
            self.note(name, check, &decision);
            let reason = match decision {
                Decision::Allowed(_) => continue,
                Decision::Denied { policy, statement } => Reason::Denied { policy, statement },
                Decision::NotAllowed => Reason::NotAllowed,
            };
            let refusal = Refusal::new(caller, check, reason);
            tracing::warn!(
                caller = %caller.arn,
                action = %check.action,
                resource = %check.resource,
                because = %refusal.reason(),
                "refused"
            );
            return Err(refusal);
        }
        Ok(())
    }

    /// What each role has, and what its sessions did with it and were refused since localcloud
    /// started, by the role's name.
    pub fn report(&self) -> BTreeMap<String, RoleReport> {
        let record = self.lock().roles().clone();
        let report = |(name, rights): (String, RoleRights)| {
            let record = record.get(&name).cloned().unwrap_or_default();
            let policies = rights.policies.iter();
            let grants = policies.flat_map(|(name, policy)| policy.grants(name));
            let unneeded = record.unneeded(grants.collect());
            (name, RoleReport { record, unneeded })
        };
        self.iam.all_rights().into_iter().map(report).collect()
    }

    fn note(&self, role: &str, check: &Check, decision: &Decision) {
        let mut record = self.lock();
        if !record.knows(role) {
            record.keep(|role| self.iam.has_role(role));
        }
        record.note(role, check, decision);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What conditions can ask about every call.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
fn keys_of(caller: &Caller, rights: Option<&RoleRights>) -> Keys {
    let now = Timestamp::now();
    let keys = Keys::default()
        .with(
            "aws:CurrentTime",
            now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        )
        .with("aws:EpochTime", now.as_second().to_string())
        .with("aws:PrincipalAccount", &caller.account)
        .with("aws:PrincipalType", "AssumedRole")
        .with("aws:userid", &caller.user_id)
        .with("aws:RequestedRegion", &caller.region);
    let keys = match &caller.principal {
        Principal::Role { session, .. } if session.starts_with("i-") => keys.with(
            "ec2:SourceInstanceARN",
            format!(
                "arn:aws:ec2:{}:{}:instance/{session}",
                caller.region, caller.account
            ),
        ),
        _ => keys,
    };
    match rights {
        Some(rights) => keys
            .with("aws:PrincipalArn", &rights.arn)
            .with_tags("aws:PrincipalTag", &rights.tags),
        None => keys,
    }
}
