//! How much there may be at once, held against every pool at its largest.

use super::{AccountFacts, AccountKind};
use crate::doctor::{Finding, Needs, counted};

/// Instances that run at once in a Learner Lab, whoever made them: it ends the tenth, and gives the
/// account up at twenty.
const LAB_INSTANCES: u32 = 9;

pub(super) fn check(facts: &AccountFacts, needs: &Needs, kind: AccountKind) -> Vec<Finding> {
    let mut findings = Vec::new();
    if kind == AccountKind::LearnerLab {
        findings.push(lab_instances(facts, needs));
    }
    findings.push(vcpus(facts, needs));
    findings.extend(databases(facts, needs));
    findings
}

fn lab_instances(facts: &AccountFacts, needs: &Needs) -> Finding {
    let check = "instances at once";
    let running = match &facts.running {
        Err(unread) => return Finding::unread(check, unread, true),
        Ok(running) => running.instances,
    };
    let asked = needs.instances();
    let fact = format!(
        "{} at the largest, {running} running now; a Learner Lab ends the tenth, whoever's it is",
        counted(asked, "instance")
    );
    let room = LAB_INSTANCES.saturating_sub(running);
    if asked > room {
        let remedy = format!("lower `size.max` by {}", asked - room);
        return Finding::failed(check, fact, remedy);
    }
    if asked + u32::try_from(needs.builders.len()).unwrap_or(u32::MAX) > room {
        let remedy = "no change of the image while the pool is at its largest: the builder would be \
                      the tenth";
        return Finding::warning(check, fact, remedy);
    }
    Finding::ok(check, fact)
}

/// <https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html>
fn vcpus(facts: &AccountFacts, needs: &Needs) -> Finding {
    let check = "vCPUs";
    let vcpus = match &facts.vcpus {
        Err(unread) => return Finding::unread(check, unread, false),
        Ok(vcpus) => vcpus,
    };
    let (quota, running) = match (&facts.vcpu_quota, &facts.running) {
        (Ok(quota), Ok(running)) => (*quota, running.vcpus),
        (Err(unread), _) | (_, Err(unread)) => return Finding::unread(check, unread, false),
    };
    let asked = needs.vcpus(vcpus);
    let fact =
        format!("{asked} at the largest, {running} in use now, {quota} are allowed in this region");
    if asked + running <= quota {
        return Finding::ok(check, fact);
    }
    let remedy =
        "lower `size.max`, or ask AWS for more: Service Quotas, Amazon EC2, quota L-1216C47A";
    // The pool grows as far as it can; a first node has to fit.
    let least = asked.saturating_sub(needs.instances().saturating_sub(2) * 2);
    if least + running > quota {
        Finding::failed(check, fact, remedy)
    } else {
        Finding::warning(check, fact, remedy)
    }
}

fn databases(facts: &AccountFacts, needs: &Needs) -> Option<Finding> {
    let check = "databases at once";
    let asked: u32 = needs.classes.values().sum();
    if asked == 0 {
        return None;
    }
    let there = match &facts.databases {
        Err(unread) => return Some(Finding::unread(check, unread, false)),
        Ok(there) => there,
    };
    let fact = format!("{} of {} in use", there.used, there.most);
    if there.used + asked <= there.most {
        return Some(Finding::ok(check, fact));
    }
    let remedy = "delete one that is not needed, or ask AWS for more: Service Quotas, Amazon RDS";
    Some(Finding::failed(check, fact, remedy))
}
