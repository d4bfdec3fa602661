//! `deploy down`: what there is, the question, the teardown, its proof and its receipt.

mod stays;

use std::sync::Arc;
use std::time::Instant;

use deployer_aws::read::scan;
use deployer_aws::stored::{Tally, tally};
use deployer_aws::{Account, Meaning, TargetKind};
use deployer_core::cost::rates::Rates;
use deployer_core::inventory::{Inventory, Keep};
use deployer_core::money::Microdollars;
use deployer_core::names::Scope;
use jiff::Timestamp;
use serde_json::json;
use teardown::journaled::Journaled;
use teardown::receipt::{About, Receipt, cost};
use teardown::terminal::{Removing, lines, verdict};
use teardown::{Ended, Teardown, Verdict};
use tokio::sync::watch;

use crate::arguments;
use crate::arguments::Kept;
use crate::confirm::confirm;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::interrupt;
use crate::invocation::invocation;
use crate::journal::Record;
use crate::lock::{AtWork, Lock};
use crate::prices::rates;
use crate::report::{Event, counted, reader};
use crate::session::{Session, whereabouts};
use stays::{count_kept, password_text, stays_text, what_stays};

pub(super) async fn down(given: &arguments::Down) -> Result<Exit, Failure> {
    let home = Home::find()?;
    let stop = interrupt::listen()?;
    let report = reader(given.json);
    let at_work = AtWork::begin(&home).await?;
    // Before the look: what an `up` has begun to make may not be there yet.
    let _lock = Lock::take(&home, &given.name, "down")?;
    let journal = Journaled::read(&home, &given.name);
    let looked = look(&home, given, &journal).await?;
    for (region, why) in &looked.unreadable {
        let text = format!("{region} could not be read and is left out: {why}");
        report.event(&Event::Note { text: &text });
    }
    let Some((session, inventory)) = looked.found else {
        return nothing_there(looked.empty, &home, &at_work, given, &journal, stop).await;
    };
    let scope = session.account.scope(given.name.clone());
    let mut rates = rates(&home, &session.account);
    let cost = cost(&inventory, rates.as_ref());
    let (goes, kept) = inventory.part(keep(given));
    if let Some(rates) = &mut rates {
        count_kept(&session.account, &kept, rates).await?;
    }
    let photos = count_photos(&session.account, &goes).await?;
    if !given.json {
        eprint!("{}", what_goes(&scope, &goes, photos));
        let stays = what_stays(&goes, &kept, given.final_snapshot);
        eprint!("{}", stays_text(&stays, rates.as_ref()));
        eprint!("{}", password_text(&goes, &kept));
    }
    if !given.yes {
        confirm(&question(photos)).await?;
    }
    let last = last_snapshot(given);
    let bill = Bill {
        rates: rates.as_ref(),
        cost,
    };
    let begun = Begun::now();
    let teardown = teardown_of(&session.account, &scope, given, &journal, last.as_deref());
    let observer = Removing::to(Arc::clone(&report));
    let ended = teardown.run(stop, &observer).await;
    report.event(&Event::Finished);
    conclude(&ended, given, &home, &session, &journal, &begun, &bill)?
        .close(session, &home, &at_work)
        .await
}

/// Where it was looked for.
struct Looked {
    found: Option<(Session, Inventory)>,
    /// Where there is nothing of it.
    empty: Vec<Session>,
    /// Regions that do not answer, and why.
    unreadable: Vec<(String, String)>,
}

/// Looks for the deployment. A region that may not be read is named and left out, unless it is where
/// this machine remembers having made something, or the only one that was asked for.
async fn look(
    home: &Home,
    given: &arguments::Down,
    journal: &Journaled,
) -> Result<Looked, Failure> {
    let sessions = whereabouts(home, &given.name, &given.whereabouts).await?;
    let is_only = sessions.len() == 1;
    let mut looked = Looked {
        found: None,
        empty: Vec::new(),
        unreadable: Vec::new(),
    };
    for session in sessions {
        let account = &session.account;
        let scope = account.scope(given.name.clone());
        let mut scan = scan(account, &scope, &journal.remembered).await;
        if !scan.inventory.is_empty() {
            looked.found = Some((session, scan.inventory));
            return Ok(looked);
        }
        let Some(unread) = scan.unread.pop() else {
            looked.empty.push(session);
            continue;
        };
        let is_closed = matches!(
            unread.error.meaning(),
            Meaning::NotAllowed | Meaning::Credentials
        );
        if is_only && scan.listings.is_empty() {
            let looking = format!("looking for {} in {}", given.name, account.region);
            return Err(Failure::aws(looking)(unread.error));
        } else if is_only || !is_closed {
            looked.empty.push(session);
        } else {
            let region = account.region.clone();
            looked.unreadable.push((region, unread.error.to_string()));
        }
    }
    Ok(looked)
}

fn keep(given: &arguments::Down) -> Keep {
    Keep {
        databases: given.keep.contains(&Kept::Database),
        buckets: given.keep.contains(&Kept::Bucket),
    }
}

fn last_snapshot(given: &arguments::Down) -> Option<String> {
    let now = Timestamp::now().strftime("%Y%m%d-%H%M%S");
    given.final_snapshot.then(|| format!("last-{now}"))
}

fn teardown_of<'a>(
    account: &'a Account,
    scope: &'a Scope,
    given: &arguments::Down,
    journal: &'a Journaled,
    last_snapshot: Option<&'a str>,
) -> Teardown<'a> {
    Teardown {
        account,
        scope,
        remembered: &journal.remembered,
        keep: keep(given),
        last_snapshot,
        last_made: journal.last,
        quiet: account.target.pace.quiet,
    }
}

/// Nothing of it anywhere. Where something may still come to light, because this machine has made it
/// or it is an account, that is waited for and proven. What is remembered of it goes too.
async fn nothing_there(
    sessions: Vec<Session>,
    home: &Home,
    at_work: &AtWork,
    given: &arguments::Down,
    journal: &Journaled,
    stop: watch::Receiver<bool>,
) -> Result<Exit, Failure> {
    let report = reader(given.json);
    for session in sessions {
        let kind = session.account.target.kind;
        if Record::read(home, &given.name).is_some() || kind == TargetKind::Aws {
            let scope = session.account.scope(given.name.clone());
            let begun = Begun::now();
            let observer = Removing::to(Arc::clone(&report));
            let teardown = teardown_of(&session.account, &scope, given, journal, None);
            let ended = teardown.run(stop.clone(), &observer).await;
            if !matches!(ended.verdict, Verdict::Zero) {
                let rates = rates(home, &session.account);
                let bill = Bill {
                    rates: rates.as_ref(),
                    cost: None,
                };
                return conclude(&ended, given, home, &session, journal, &begun, &bill)?
                    .close(session, home, at_work)
                    .await;
            }
        }
        session.close(home, at_work).await?;
    }
    Record::forget(home, &given.name);
    home.remove_if_empty();
    report.event(&Event::Finished);
    let mut text = format!("There is nothing of {} here.", given.name);
    if let Some(near) = Record::nearest(home, &given.name) {
        text.push_str(&format!(" There is {near}: did you mean it?"));
    }
    if given.json {
        println!(
            "{}",
            json!({ "event": "verdict", "verdict": "nothing", "text": text })
        );
    } else {
        println!("{text}");
    }
    Ok(Exit::Done)
}

fn what_goes(scope: &Scope, goes: &Inventory, photos: Tally) -> String {
    let mut text = format!(
        "{} in account {}, {}:\n{}",
        scope.deployment,
        scope.account,
        scope.region,
        lines(&goes.listed(), '-', None)
    );
    if !goes.buckets.is_empty() {
        text.push_str(&format!("  and {} with it.\n", photos_text(photos)));
    }
    text
}

fn photos_text(photos: Tally) -> String {
    #[allow(clippy::cast_precision_loss)] // shown to people, one decimal
    let megabytes = photos.bytes as f64 / 1_048_576.0;
    let count = usize::try_from(photos.objects).unwrap_or(usize::MAX);
    let photos = counted(count, "photo");
    if count == 0 {
        return photos;
    }
    format!("{photos} ({megabytes:.1} MB)")
}

fn question(photos: Tally) -> String {
    if photos.objects == 0 {
        "All of this goes for good.".to_owned()
    } else {
        format!("All of this goes for good, {} too.", photos_text(photos))
    }
}

async fn count_photos(account: &Account, inventory: &Inventory) -> Result<Tally, Failure> {
    let mut all = Tally::default();
    for bucket in &inventory.buckets {
        let found = tally(account, &bucket.name, "photos/").await;
        let found = found.map_err(Failure::aws("counting the photos"))?;
        all.objects += found.objects;
        all.bytes += found.bytes;
    }
    Ok(all)
}

/// When a teardown was begun, by both clocks.
struct Begun {
    at: Timestamp,
    since: Instant,
}

impl Begun {
    fn now() -> Begun {
        Begun {
            at: Timestamp::now(),
            since: Instant::now(),
        }
    }
}

/// What things cost, where they are billed.
struct Bill<'a> {
    rates: Option<&'a Rates>,
    /// What it has cost.
    cost: Option<Microdollars>,
}

/// How a teardown ends, before localcloud is left.
struct Conclusion {
    exit: Exit,
    is_over: bool,
}

impl Conclusion {
    async fn close(self, session: Session, home: &Home, at_work: &AtWork) -> Result<Exit, Failure> {
        if self.is_over {
            session.close(home, at_work).await?;
            home.remove_if_empty();
        }
        Ok(self.exit)
    }
}

/// Says what it has come to, and writes the receipt.
fn conclude(
    ended: &Ended,
    given: &arguments::Down,
    home: &Home,
    session: &Session,
    journal: &Journaled,
    begun: &Begun,
    bill: &Bill<'_>,
) -> Result<Conclusion, Failure> {
    let scope = &session.account.scope(given.name.clone());
    let again = format!("{} down {}", invocation(), given.name);
    if matches!(ended.verdict, Verdict::Stopped) {
        return Err(Failure::Interrupted {
            hint: format!("some of it is left; go on with: {again}"),
        });
    }
    let (text, word, exit) = verdict(ended, scope, begun.since.elapsed(), bill.rates);
    let receipt = Receipt::of(
        ended,
        &About {
            scope,
            target: session.account.target.kind.as_str(),
            began: begun.at,
            made: &journal.made,
            rates: bill.rates,
            cost: bill.cost,
        },
    );
    if given.json {
        println!(
            "{}",
            json!({ "event": "verdict", "verdict": word, "text": text })
        );
    } else {
        println!("{text}");
    }
    if let Some(receipt) = &receipt {
        write_receipt(receipt, home, given.json);
    }
    if matches!(ended.verdict, Verdict::Zero) {
        Record::forget(home, &given.name);
    }
    if exit != Exit::Done {
        eprintln!("Try again: {again}");
    }
    Ok(Conclusion {
        exit,
        is_over: exit == Exit::Done,
    })
}

/// A receipt that cannot be written does not change what has happened.
fn write_receipt(receipt: &Receipt, home: &Home, json: bool) {
    match receipt.write(&home.receipts()) {
        Ok(place) if json => {
            println!(
                "{}",
                json!({ "event": "receipt", "path": place, "receipt": receipt })
            );
        }
        Ok(place) => println!("Receipt: {}", place.with_extension("html").display()),
        Err(error) => eprintln!("The receipt could not be written: {error}"),
    }
}
