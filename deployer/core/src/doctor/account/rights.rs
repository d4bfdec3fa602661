//! What the credentials may do, tried with calls that make nothing.

use super::{AccountFacts, AccountKind};
use crate::doctor::{Basis, Finding, Needs};

/// A call that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The call, for example `RunInstances`.
    pub call: &'static str,
    /// How much it says.
    pub basis: Basis,
    /// What came.
    pub outcome: Outcome,
}

/// What came of a call that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It would be done.
    Allowed,
    /// The credentials may not do it; AWS's code.
    Denied(String),
    /// It was refused for another reason.
    Unclear(String),
}

pub(super) fn check(facts: &AccountFacts, needs: &Needs, kind: AccountKind) -> Vec<Finding> {
    let mut findings = vec![roles(facts, needs, kind)];
    findings.extend(facts.probes.iter().map(|probe| tried(probe, kind)));
    findings
}

/// A Learner Lab lets nobody make roles, and has one for everything.
fn roles(facts: &AccountFacts, needs: &Needs, kind: AccountKind) -> Finding {
    let check = "roles";
    if needs.roles > 0 && kind == AccountKind::LearnerLab {
        return Finding::failed(
            check,
            "a Learner Lab lets nobody make roles",
            "write { existing: LabInstanceProfile } for each",
        );
    }
    let there = match &facts.profiles {
        Err(unread) => return Finding::unread(check, unread, false),
        Ok(there) => there,
    };
    let missing = needs.profiles.iter().find(|name| !there.contains(*name));
    match missing {
        Some(name) => Finding::failed(
            check,
            format!("there is no instance profile {name}"),
            "name one that exists: aws iam list-instance-profiles",
        ),
        None if needs.profiles.is_empty() => {
            Finding::ok(check, format!("{} are made", needs.roles))
        }
        None => {
            let names: Vec<&str> = needs.profiles.iter().map(String::as_str).collect();
            Finding::ok(check, format!("{} is there", names.join(", ")))
        }
    }
}

fn tried(probe: &Probe, kind: AccountKind) -> Finding {
    let check = format!("may {}", probe.call);
    let finding = match &probe.outcome {
        Outcome::Allowed => Finding::ok(check, "yes"),
        Outcome::Denied(code) => {
            let remedy = match kind {
                AccountKind::LearnerLab => "the lab does not allow it: leave out what needs it",
                AccountKind::Ordinary => {
                    "whoever runs this account has to allow it, see docs/security.md"
                }
            };
            Finding::failed(check, format!("no: {code}"), remedy)
        }
        Outcome::Unclear(why) => Finding::warning(
            check,
            format!("not known: {why}"),
            "`up` tells; what it has made until then is kept, and `down` takes it away",
        ),
    };
    Finding {
        basis: Some(probe.basis),
        ..finding
    }
}
