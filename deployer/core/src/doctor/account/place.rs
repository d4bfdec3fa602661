//! What the region offers.

use std::collections::BTreeSet;

use super::{AccountFacts, AccountKind};
use crate::doctor::{Finding, Needs};

/// Where a Learner Lab lets anything be made.
const LAB_REGIONS: [&str; 2] = ["us-east-1", "us-west-2"];

pub(super) fn check(facts: &AccountFacts, needs: &Needs, kind: AccountKind) -> Vec<Finding> {
    let mut findings = vec![region(needs, kind), vpc(facts, needs)];
    findings.extend(types(facts, needs));
    findings.extend(classes(facts, needs));
    findings
}

fn region(needs: &Needs, kind: AccountKind) -> Finding {
    let is_closed =
        kind == AccountKind::LearnerLab && !LAB_REGIONS.contains(&needs.region.as_str());
    if is_closed {
        return Finding::failed(
            "region",
            format!("a Learner Lab cannot use {}", needs.region),
            format!("write `region: {}`", LAB_REGIONS.join("` or `region: ")),
        );
    }
    Finding::ok("region", needs.region.as_str())
}

fn vpc(facts: &AccountFacts, needs: &Needs) -> Finding {
    let check = "default VPC";
    match &facts.vpc {
        Err(unread) => Finding::unread(check, unread, true),
        Ok(Some(vpc)) => Finding::ok(check, vpc.as_str()),
        Ok(None) => Finding::failed(
            check,
            format!("there is none in {}", needs.region),
            format!(
                "make it: aws ec2 create-default-vpc --region {}",
                needs.region
            ),
        ),
    }
}

/// All of a deployment's instances are in one zone: one has to offer every type.
fn types(facts: &AccountFacts, needs: &Needs) -> Vec<Finding> {
    let check = "instance types";
    let (offered, subnets) = match (&facts.offered, &facts.subnet_zones) {
        (Ok(offered), Ok(subnets)) => (offered, subnets),
        (Err(unread), _) | (_, Err(unread)) => return vec![Finding::unread(check, unread, true)],
    };
    let nowhere = BTreeSet::new();
    let mut zones = subnets.clone();
    for machine in needs.types() {
        let of_type = offered.get(machine).unwrap_or(&nowhere);
        zones.retain(|zone| of_type.contains(zone));
    }
    let types = listed(needs.types());
    if zones.is_empty() {
        return vec![Finding::failed(
            check,
            format!(
                "no zone of {} has a default subnet and offers {types}",
                needs.region
            ),
            "choose another type, or another region",
        )];
    }
    let fact = format!("{types} in {}", listed(zones.iter().map(String::as_str)));
    let mut findings = vec![Finding::ok(check, fact)];
    findings.extend(free_plan(facts, needs));
    findings
}

/// EC2 refuses other types on the free plan, which every account made since July 2025 begins with. It
/// marks them as free in all of those, on the paid plan too.
fn free_plan(facts: &AccountFacts, needs: &Needs) -> Option<Finding> {
    let free = facts.free_types.as_ref().ok()?;
    // Of accounts that are older only t2.micro or t3.micro were.
    let is_new = free.contains("t3.small");
    let others: Vec<&str> = needs
        .types()
        .into_iter()
        .filter(|t| !free.contains(*t))
        .collect();
    if !is_new || others.is_empty() {
        return None;
    }
    Some(Finding::warning(
        "free plan",
        format!(
            "this account may be on it, and there EC2 refuses {}",
            listed(others)
        ),
        format!(
            "on the free plan choose one of {}",
            listed(free.iter().map(String::as_str))
        ),
    ))
}

fn classes(facts: &AccountFacts, needs: &Needs) -> Option<Finding> {
    if needs.classes.is_empty() {
        return None;
    }
    let check = "database class";
    let orderable = match &facts.classes {
        Err(unread) => return Some(Finding::unread(check, unread, false)),
        Ok(orderable) => orderable,
    };
    let asked = listed(needs.classes.keys().map(String::as_str));
    let missing: Vec<&str> = needs
        .classes
        .keys()
        .map(String::as_str)
        .filter(|class| !orderable.contains(*class))
        .collect();
    if missing.is_empty() {
        return Some(Finding::ok(check, format!("{asked} can be ordered")));
    }
    Some(Finding::failed(
        check,
        format!(
            "RDS does not offer {} for PostgreSQL on gp2 storage in {}",
            listed(missing),
            needs.region
        ),
        "choose another class, such as db.t4g.micro or db.t3.micro",
    ))
}

fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}
