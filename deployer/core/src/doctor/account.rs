//! An account.

mod limits;
mod place;
mod rights;

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Needs, Reading, counted};
use crate::cost::rates::Rates;
use crate::expiry::in_words;
use crate::inventory::Listed;

pub use rights::{Outcome, Probe};

/// How long `up` takes: a database five to ten minutes, an image as long, beside each other; then
/// nodes, and patience.
const UP_SECONDS: u64 = 30 * 60;

/// What was read of an account.
#[derive(Clone, Debug)]
pub struct AccountFacts {
    /// Its twelve digits.
    pub account: String,
    /// Who we are in it, an ARN.
    pub caller: String,
    /// For how long.
    pub credentials: Reading<Credentials>,
    /// Seconds by which this machine's clock is ahead of AWS's.
    pub clock_ahead: Option<i64>,
    /// The default VPC.
    pub vpc: Reading<Option<String>>,
    /// The zones that have a default subnet.
    pub subnet_zones: Reading<BTreeSet<String>>,
    /// The zones that offer each instance type.
    pub offered: Reading<BTreeMap<String, BTreeSet<String>>>,
    /// The vCPUs of each instance type.
    pub vcpus: Reading<BTreeMap<String, u32>>,
    /// The instance types that a new account gets for its credits.
    pub free_types: Reading<BTreeSet<String>>,
    /// The classes of databases that can be ordered.
    pub classes: Reading<BTreeSet<String>>,
    /// Databases there are.
    pub databases: Reading<Databases>,
    /// Instances there are, pending or running, whoever's they are.
    pub running: Reading<Running>,
    /// How many vCPUs there may be: the quota L-1216C47A.
    pub vcpu_quota: Reading<u32>,
    /// The instance profiles asked for that there are.
    pub profiles: Reading<BTreeSet<String>>,
    /// Calls that were tried.
    pub probes: Vec<Probe>,
    /// What there is of deployments in this region, by their names.
    pub deployments: Reading<BTreeMap<String, Leftovers>>,
}

/// For how long credentials are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Keys without an end.
    ForEver,
    /// A session that does not say when it ends.
    ASession,
    /// A session that ends in so many seconds.
    Seconds(u64),
}

/// How many databases there are and may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Databases {
    /// There are.
    pub used: u32,
    /// There may be.
    pub most: u32,
}

/// Instances that are pending or running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// How many.
    pub instances: u32,
    /// Their vCPUs.
    pub vcpus: u32,
}

/// What there is of a deployment.
pub type Leftovers = Vec<Listed>;

/// What kind of account it is, as far as its ARNs tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// An AWS Academy Learner Lab: its users come in by the role `voclabs`.
    LearnerLab,
    /// Any other.
    Ordinary,
}

impl AccountKind {
    /// Told by the ARN of whoever calls.
    #[must_use]
    pub fn of(caller: &str) -> AccountKind {
        if caller.contains(":assumed-role/voclabs/") {
            AccountKind::LearnerLab
        } else {
            AccountKind::Ordinary
        }
    }
}

/// Holds an account against what is needed. What is left there has a price where there are rates.
#[must_use]
pub fn account(facts: &AccountFacts, needs: &Needs, rates: Option<&Rates>) -> Vec<Finding> {
    let kind = AccountKind::of(&facts.caller);
    let mut findings = vec![
        identity(facts, kind),
        credentials(facts, needs, kind),
        clock(facts),
    ];
    findings.extend(place::check(facts, needs, kind));
    findings.extend(limits::check(facts, needs, kind));
    findings.extend(rights::check(facts, needs, kind));
    findings.push(leftovers(facts, rates));
    findings
}

fn identity(facts: &AccountFacts, kind: AccountKind) -> Finding {
    let AccountFacts {
        account, caller, ..
    } = facts;
    let fact = format!("{account}, as {caller}");
    if kind == AccountKind::LearnerLab {
        return Finding::warning(
            "account",
            format!("{fact}: a Learner Lab"),
            "when its session ends, instances are stopped and the database bills on: take everything \
             down before",
        );
    }
    if caller.ends_with(":root") {
        return Finding::warning(
            "account",
            format!("{fact}: the root user"),
            "make an IAM user for this: a key of the root user may do everything and cannot be limited",
        );
    }
    Finding::ok("account", fact)
}

fn credentials(facts: &AccountFacts, needs: &Needs, kind: AccountKind) -> Finding {
    let check = "credentials";
    let again = match kind {
        AccountKind::LearnerLab => "start the lab's session anew and paste its keys",
        AccountKind::Ordinary => "log in again",
    };
    match &facts.credentials {
        Err(unread) => Finding::unread(check, unread, true),
        Ok(Credentials::ForEver) => Finding::ok(check, "a key without an end"),
        Ok(Credentials::ASession) => Finding::warning(
            check,
            "of a session that does not say when it ends (in a Learner Lab, four hours after it began)",
            format!("`up` takes up to half an hour; if the session is old, {again} first"),
        ),
        Ok(Credentials::Seconds(left)) if *left < UP_SECONDS => Finding::failed(
            check,
            format!(
                "they end in {} min, and `up` takes up to half an hour",
                left / 60
            ),
            again,
        ),
        // It ends by itself all the same; what is commanded meanwhile needs credentials.
        Ok(Credentials::Seconds(left)) if *left < needs.seconds => Finding::warning(
            check,
            format!(
                "they end in {}, before a deployment of {} does, which ends itself then",
                in_words(*left),
                in_words(needs.seconds)
            ),
            format!("for a command after that, {again}; or a `ttl` within the session"),
        ),
        Ok(Credentials::Seconds(left)) => Finding::ok(
            check,
            format!("they end in {} h {} min", left / 3600, left % 3600 / 60),
        ),
    }
}

fn clock(facts: &AccountFacts) -> Finding {
    let check = "clock";
    let set = "set it: sudo timedatectl set-ntp true";
    let Some(ahead) = facts.clock_ahead else {
        return Finding::warning(check, "AWS's answers had no date", "run this again");
    };
    let direction = if ahead < 0 { "behind" } else { "ahead of" };
    let fact = format!("{} s {direction} AWS's", ahead.unsigned_abs());
    match ahead.unsigned_abs() {
        0..=10 => Finding::ok(check, "as AWS's"),
        // AWS refuses what was signed more than five minutes off.
        11..=120 => Finding::ok(check, fact),
        121..=270 => Finding::warning(check, fact, set),
        _ => Finding::failed(check, fact, set),
    }
}

fn leftovers(facts: &AccountFacts, rates: Option<&Rates>) -> Finding {
    let check = "deployments";
    let deployments = match &facts.deployments {
        Err(unread) => return Finding::unread(check, unread, false),
        Ok(deployments) => deployments,
    };
    if deployments.is_empty() {
        return Finding::ok(check, "nothing of any is in this region");
    }
    let line = |(name, left): (&String, &Leftovers)| leftover(name, left, rates);
    let lines: Vec<String> = deployments.iter().map(line).collect();
    Finding::warning(
        check,
        format!("there are {}", lines.join("; ")),
        "they bill: take away what is not wanted with `deploy down NAME --target aws`",
    )
}

/// How many of each kind there are, and what all of them cost.
fn leftover(name: &str, left: &Leftovers, rates: Option<&Rates>) -> String {
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    for listed in left {
        let kind = listed.resource.split('/').next().unwrap_or_default();
        *kinds.entry(kind).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(k, count)| counted(*count, k)).collect();
    let kinds = kinds.join(", ");
    let Some(sum) = rates.map(|rates| rates.sum(left)) else {
        return format!("{name} ({kinds})");
    };
    let unknown = match sum.without_price {
        0 => String::new(),
        count => format!(" and {count} without a price"),
    };
    format!(
        "{name} ({kinds}: {} a day{unknown})",
        sum.per_hour.per_day()
    )
}
