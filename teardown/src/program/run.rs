//! `teardown run`.

use std::sync::Arc;
use std::time::Instant;

use deployer_core::inventory::Keep;
use deployer_session::confirm::confirm_account;
use deployer_session::failure::{Exit, Failure};
use deployer_session::home::Home;
use deployer_session::interrupt;
use deployer_session::journal::Record;
use deployer_session::lock::{AtWork, Lock};
use deployer_session::prices::rates;
use deployer_session::report::{Event, Report, counted, reader};
use deployer_session::session::everywhere;
use jiff::Timestamp;
use serde_json::json;
use teardown::everywhere::{Found, look};
use teardown::journaled::Journaled;
use teardown::receipt::{About, Receipt, cost};
use teardown::terminal::{Removing, verdict};
use teardown::{Teardown, Verdict};
use tokio::sync::watch;

use super::list::leave;
use super::{arguments, shown};

pub(crate) async fn run(given: &arguments::Run) -> Result<Exit, Failure> {
    let home = Home::find()?;
    let stop = interrupt::listen()?;
    let at_work = AtWork::begin(&home).await?;
    let place = &given.place;
    let sessions = everywhere(&home, place.target.into(), place.region.clone()).await?;
    let accounts = sessions.iter().map(|s| s.account.clone()).collect();
    let (mut found, unreadable) = look(accounts).await;
    let now = Timestamp::now();
    found.retain(|f| is_meant(f, &given.which, now));
    show(&found, given, &home, now);
    shown::name(&unreadable);
    let exit = match found.first() {
        Some(first) if given.yes => {
            confirm_account(&first.account.id, given.account.as_deref()).await?;
            take_away(&found, given, &home, &stop).await?
        }
        _ => Exit::Done,
    };
    drop(found);
    leave(sessions, &home, &at_work).await?;
    Ok(exit)
}

fn is_meant(found: &Found, which: &arguments::Which, now: Timestamp) -> bool {
    match &which.deployment {
        Some(name) => found.scope.deployment == *name,
        None => which.all || found.is_expired(now),
    }
}

/// Says what would go. Without `--yes` that is all.
fn show(found: &[Found], given: &arguments::Run, home: &Home, now: Timestamp) {
    if given.json {
        let deployments: Vec<_> = found.iter().map(|f| shown::as_json(f, home, now)).collect();
        println!(
            "{}",
            json!({ "event": "found", "deployments": deployments })
        );
        return;
    }
    for found in found {
        eprint!("{}", shown::deployment(found, '-', home, now));
    }
    match found.first() {
        None => println!("There is nothing to take away."),
        Some(first) if !given.yes => {
            let count = counted(found.len(), "deployment");
            let account = &first.account.id;
            println!(
                "Nothing was changed. With --yes this takes away {count} in account {account}."
            );
        }
        Some(_) => {}
    }
}

/// Takes one after the other away; what one came to does not keep the others from going.
async fn take_away(
    found: &[Found],
    given: &arguments::Run,
    home: &Home,
    stop: &watch::Receiver<bool>,
) -> Result<Exit, Failure> {
    let report = reader(given.json);
    let mut worst = Exit::Done;
    for found in found {
        let _lock = Lock::take(home, &found.scope.deployment, "teardown")?;
        let exit = take_one(found, given, home, &report, stop.clone()).await?;
        worst = match (worst, exit) {
            (Exit::Remains, _) | (_, Exit::Remains) => Exit::Remains,
            (Exit::CannotProve, _) => Exit::CannotProve,
            (_, exit) => exit,
        };
    }
    Ok(worst)
}

async fn take_one(
    found: &Found,
    given: &arguments::Run,
    home: &Home,
    report: &Arc<dyn Report>,
    stop: watch::Receiver<bool>,
) -> Result<Exit, Failure> {
    let (account, scope) = (&found.account, &found.scope);
    let (began, since) = (Timestamp::now(), Instant::now());
    // Where this machine has made it, its journal says what, and when the last of it.
    let journal = match is_remembered(found, home) {
        true => Journaled::read(home, &scope.deployment),
        false => Journaled::default(),
    };
    let rates = rates(home, account);
    let cost = cost(&found.inventory, rates.as_ref());
    let teardown = Teardown {
        account,
        scope,
        remembered: &journal.remembered,
        keep: Keep::default(),
        last_snapshot: None,
        last_made: journal.last,
        quiet: account.target.pace.quiet,
    };
    let observer = Removing::to(Arc::clone(report));
    let ended = teardown.run(stop, &observer).await;
    report.event(&Event::Finished);
    if matches!(ended.verdict, Verdict::Stopped) {
        return Err(Failure::Interrupted {
            hint: "some of it is left; the same command goes on".to_owned(),
        });
    }
    let (text, word, exit) = verdict(&ended, scope, since.elapsed(), rates.as_ref());
    let about = About {
        scope,
        target: account.target.kind.as_str(),
        began,
        made: &journal.made,
        rates: rates.as_ref(),
        cost,
    };
    if given.json {
        let name = &scope.deployment;
        println!(
            "{}",
            json!({ "event": "verdict", "deployment": name, "verdict": word, "text": text })
        );
    } else {
        println!("{text}");
    }
    if let Some(receipt) = Receipt::of(&ended, &about) {
        match receipt.write(&home.receipts()) {
            Ok(place) if !given.json => {
                println!("Receipt: {}", place.with_extension("html").display());
            }
            Ok(place) => println!("{}", json!({ "event": "receipt", "path": place })),
            Err(error) => eprintln!("The receipt could not be written: {error}"),
        }
    }
    forget(found, home, &ended.verdict);
    Ok(exit)
}

/// What this machine remembers of a deployment that is gone goes too.
fn forget(found: &Found, home: &Home, verdict: &Verdict) {
    if matches!(verdict, Verdict::Zero) && is_remembered(found, home) {
        Record::forget(home, &found.scope.deployment);
    }
}

/// Whether what this machine remembers of that name is this deployment, as far as it remembers where.
fn is_remembered(found: &Found, home: &Home) -> bool {
    let scope = &found.scope;
    Record::read(home, &scope.deployment).is_none_or(|record| {
        record.region == scope.region
            && record.target == found.account.target.kind
            && record
                .account
                .is_none_or(|account| account == scope.account)
    })
}
