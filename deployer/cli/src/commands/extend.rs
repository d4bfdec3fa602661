//! `deploy extend`: another end for a deployment.

use deployer_aws::{Account, TargetKind, timers};
use deployer_core::cost::estimate::estimate;
use deployer_core::cost::so_far::so_far;
use deployer_core::expiry::{Expiry, LONG_LIFETIME, LONGEST_LIFETIME, Timers};
use deployer_core::inventory::{InstanceState, Inventory};
use jiff::Timestamp;

use super::prepare;
use crate::arguments;
use crate::bill;
use crate::confirm::confirm;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::invocation::invocation;
use crate::journal::Record;
use crate::lock::{AtWork, Lock};
use crate::prices::prices;
use crate::session::{Found, find_one};

/// How often what was made meanwhile is looked for: the manager may launch nodes while we tag.
const PASSES: u32 = 5;

pub(super) async fn extend(given: &arguments::Extend) -> Result<Exit, Failure> {
    let home = Home::find()?;
    let _at_work = AtWork::begin(&home).await?;
    let _lock = Lock::take(&home, &given.name, "extend")?;
    let found = find_one(&home, &given.name, &given.whereabouts).await?;
    let account = &found.session.account;
    let doing = || Failure::aws(format!("giving {} another end", given.name));
    let timers = timers::read(account, &found.scope, &found.inventory).await;
    let timers = timers.map_err(doing())?;
    let now = Timestamp::now();
    let end = end(given, &timers, &found.inventory, now)?;
    let left = end.seconds_left(now);
    price(&home, &found, end, now)?;
    if left > LONG_LIFETIME.seconds() && !given.yes {
        let told = bill::until(end, now).told;
        confirm(&format!("{} {told}.", given.name)).await?;
    }
    let is_later = timers.expires_at().is_none_or(|was| end >= was);
    // What may be removed after the end is allowed last when that is later, and first when it is
    // sooner: whenever this is cut off, nobody may remove anything before it is told to.
    if !is_later {
        timers::rewrite_policies(account, &found.inventory, end)
            .await
            .map_err(doing())?;
    }
    mark_all(account, &found, timers, end)
        .await
        .map_err(doing())?;
    if is_later {
        timers::rewrite_policies(account, &found.inventory, end)
            .await
            .map_err(doing())?;
    }
    println!("{} {}", given.name, bill::until(end, now).told);
    Ok(Exit::Done)
}

/// Whether its end has passed, and no instance waits because it was off then.
fn is_being_taken_away(was: Expiry, inventory: &Inventory, now: Timestamp) -> bool {
    let running = inventory.instances.iter();
    let mut running = running.filter(|i| i.state == InstanceState::Running);
    let has_grace = |started: &str| started.parse().is_ok_and(|started| was.due(started) > now);
    was.has_passed(now) && !running.any(|i| i.launched.as_deref().is_some_and(has_grace))
}

/// The end that is asked for.
fn end(
    given: &arguments::Extend,
    timers: &Timers,
    inventory: &Inventory,
    now: Timestamp,
) -> Result<Expiry, Failure> {
    let name = &given.name;
    let was = timers.expires_at();
    if let Some(was) = was.filter(|was| is_being_taken_away(*was, inventory, now)) {
        return Err(Failure::Refused {
            what: format!(
                "{name} {}: it is being taken away",
                bill::until(was, now).told
            ),
            hint: format!(
                "{} down {name} ends that, and then up makes it anew",
                invocation()
            ),
        });
    }
    let end = match (given.by, given.to, given.until) {
        (Some(by), _, _) => {
            let was = was.ok_or_else(|| Failure::Refused {
                what: format!("{name} has no end that could be later"),
                hint: format!("{} extend {name} --to {by} gives it one", invocation()),
            })?;
            Expiry::after(was.instant().max(now), by)
        }
        (_, Some(to), _) => Expiry::after(now, to),
        (_, _, Some(until)) => until,
        (None, None, None) => {
            return Err(Failure::Refused {
                what: "no end is given".to_owned(),
                hint: format!("{} extend {name} 2h", invocation()),
            });
        }
    };
    if end.has_passed(now) {
        return Err(Failure::Refused {
            what: format!("{end} has passed; nothing was changed"),
            hint: format!("{} down {name} takes it away now", invocation()),
        });
    }
    if end.seconds_left(now) > LONGEST_LIFETIME.seconds() {
        return Err(Failure::Refused {
            what: format!("{end} is more than a year away; nothing was changed"),
            hint: "a deployment lives for a year at the most; extend it again then".to_owned(),
        });
    }
    Ok(end)
}

/// Says what it will come to, and refuses what is over the budget in the blueprint.
fn price(home: &Home, found: &Found, end: Expiry, now: Timestamp) -> Result<(), Failure> {
    if found.session.account.target.kind == TargetKind::Local {
        return Ok(());
    }
    let prices = prices(home, &found.scope.region)?;
    let spent = so_far(&found.inventory, &prices, now);
    let left = end.seconds_left(now);
    let record = Record::read(home, &found.scope.deployment);
    let blueprint = record.and_then(|record| prepare::blueprint(&record.blueprint).ok());
    let Some(blueprint) = blueprint.filter(|b| b.name == found.scope.deployment) else {
        let rest = spent.total() + spent.per_hour().for_seconds(left);
        println!(
            "{rest} until then as it is now; its blueprint is not where it was, nor its budget"
        );
        return Ok(());
    };
    let nodes = bill::nodes(&blueprint, &found.inventory);
    let expected = estimate(&blueprint, &prices, &nodes);
    let most = spent.total() + expected.most().for_seconds(left);
    let allowed = blueprint.budget.and_then(|budget| budget.total);
    let of_budget = allowed.map_or_else(String::new, |b| format!(", of a budget of {b}"));
    println!(
        "{} until then as it is now, {most} at most{of_budget}",
        spent.total() + expected.now().for_seconds(left)
    );
    match allowed {
        Some(allowed) if most > allowed => Err(Failure::Refused {
            what: format!("that is over the budget of {allowed} in total; nothing was changed"),
            hint: format!(
                "extend it by less, or raise the budget in the blueprint of {}",
                blueprint.name
            ),
        }),
        _ => Ok(()),
    }
}

/// Until everything there is carries the instant.
async fn mark_all(
    account: &Account,
    found: &Found,
    mut timers: Timers,
    end: Expiry,
) -> Result<(), deployer_aws::AwsError> {
    for _ in 0..PASSES {
        let others = timers.other_than(end);
        if others.is_empty() {
            return Ok(());
        }
        timers::mark(account, &others, end).await?;
        let inventory = deployer_aws::read::inventory(account, &found.scope).await?;
        timers = timers::read(account, &found.scope, &inventory).await?;
    }
    Ok(())
}
