//! A rehearsal, told.

use std::collections::BTreeMap;

use deployer_core::names::DeploymentName;

use super::act::{Act, Calls, Wait};
use crate::arguments;
use crate::report::counted;

/// What there is to tell.
pub(super) struct Rehearsed<'a> {
    pub(super) given: &'a arguments::Rehearsal,
    pub(super) name: &'a DeploymentName,
    pub(super) up: (&'a Act, &'a Calls),
    pub(super) down: (&'a Act, &'a Calls),
    pub(super) waits: &'a [Wait],
    /// What it would cost, a line each.
    pub(super) cost: &'a str,
}

/// Steps that AWS itself takes less for than this are not worth a line.
const SHORT: f64 = 1.0;

pub(super) fn text(rehearsed: &Rehearsed<'_>) -> String {
    let Rehearsed {
        given,
        name,
        up,
        down,
        waits,
        cost,
    } = rehearsed;
    let mut text = format!(
        "{name}, rehearsed on paper as an account of kind {} (seed {}; one second here, {} on AWS)\n",
        given.account.name(),
        given.seed,
        given.speed
    );
    text.push_str(&one("up", *up, waits));
    text.push_str(
        "  after that the manager launches the pool's first nodes: a minute or two more, not rehearsed\n",
    );
    text.push_str(&one("down", *down, waits));
    text.push_str("\nmoney\n");
    text.push_str(cost);
    text
}

fn one(name: &str, (act, calls): (&Act, &Calls), waits: &[Wait]) -> String {
    let path = act.path(waits);
    let least = path.iter().map(|on| on.seconds).sum::<f64>() + act.proof;
    let mut text = format!(
        "\n{name}: {} on AWS, {}, {}\n",
        duration(act.seconds()),
        counted(act.steps(), "step"),
        counted(usize::try_from(calls.sum()).unwrap_or(usize::MAX), "call"),
    );
    text.push_str(&format!(
        "  critical path: {} of AWS's own time; in all {:.2} times as long\n",
        duration(least),
        if least > 0.0 {
            act.seconds() / least
        } else {
            1.0
        }
    ));
    for on in path.iter().filter(|on| on.seconds >= SHORT) {
        text.push_str(&format!("    {:>12}  {}\n", duration(on.seconds), on.step));
    }
    if act.proof >= SHORT {
        text.push_str(&format!(
            "    {:>12}  looking twice whether nothing is left\n",
            duration(act.proof)
        ));
    }
    if let Some(why) = &act.unproven {
        text.push_str(&format!("  it cannot prove that nothing is left: {why}\n"));
    }
    text.push_str("  calls\n");
    text.push_str(&by_service(calls));
    text
}

/// A line a service, its actions by how often they were called.
fn by_service(calls: &Calls) -> String {
    let mut services: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
    for ((service, action), count) in &calls.0 {
        services.entry(service).or_default().push((*count, action));
    }
    let mut text = String::new();
    for (service, mut actions) in services {
        actions.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(other.1)));
        let sum: u64 = actions.iter().map(|(count, _)| count).sum();
        let named: Vec<String> = actions
            .iter()
            .map(|(count, action)| format!("{action} {count}"))
            .collect();
        text.push_str(&format!(
            "    {service:<4} {sum:>5}  {}\n",
            named.join(", ")
        ));
    }
    text
}

/// `9 min 5 s`.
fn duration(seconds: f64) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // shown to people
    let whole = seconds.round().max(0.0) as u64;
    match (whole / 60, whole % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}
