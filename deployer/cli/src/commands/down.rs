//! `deploy down`: what there is, the question, the teardown and its proof.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deployer_aws::progress::Progress;
use deployer_aws::stored::{Tally, tally};
use deployer_aws::{Account, AwsError};
use deployer_core::destroy::Removal;
use deployer_core::inventory::Inventory;
use deployer_core::names::Scope;
use teardown::{Observer, Verdict, tear_down};

use crate::arguments;
use crate::confirm::confirm;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::interrupt;
use crate::invocation::invocation;
use crate::journal::Record;
use crate::lock::{AtWork, Lock};
use crate::report::{Event, Line, Report, counted, reader};
use crate::session::{Found, Session, find, whereabouts};

pub(super) async fn down(given: &arguments::Down) -> Result<Exit, Failure> {
    let home = Home::find()?;
    let stop = interrupt::listen()?;
    let report = reader(given.json);
    let at_work = AtWork::begin(&home).await?;
    // Before the look: what an `up` has begun to make may not be there yet.
    let _lock = Lock::take(&home, &given.name, "down")?;
    let Some(Found {
        session,
        scope,
        inventory,
    }) = find(&home, &given.name, &given.whereabouts).await?
    else {
        return nothing_there(&home, &at_work, given, &*report).await;
    };
    let photos = count_photos(&session.account, &inventory).await?;
    if !given.json {
        eprint!("{}", what_goes(&scope, &inventory, photos));
    }
    if !given.yes {
        confirm(&question(photos)).await?;
    }
    let begun = Instant::now();
    let observer = Removing {
        report: report.clone(),
        begun: Mutex::default(),
    };
    let quiet = session.account.target.pace.quiet;
    let verdict = tear_down(&session.account, &scope, quiet, stop, &observer).await;
    report.event(&Event::Finished);
    let took = begun.elapsed();
    conclude(verdict, given, &home, &at_work, session, took, &scope).await
}

/// Nothing of it anywhere. What is remembered of it goes too.
async fn nothing_there(
    home: &Home,
    at_work: &AtWork,
    given: &arguments::Down,
    report: &dyn Report,
) -> Result<Exit, Failure> {
    for session in whereabouts(home, &given.name, &given.whereabouts).await? {
        session.close(home, at_work).await?;
    }
    Record::forget(home, &given.name);
    home.remove_if_empty();
    report.event(&Event::Finished);
    tell(
        given.json,
        &format!("There is nothing of {} here.", given.name),
        "nothing",
    );
    Ok(Exit::Done)
}

fn what_goes(scope: &Scope, inventory: &Inventory, photos: Tally) -> String {
    let listed = inventory.listed();
    let width = listed.iter().map(|l| l.resource.len()).max().unwrap_or(0);
    let mut text = format!(
        "{} in account {}, {}:\n",
        scope.deployment, scope.account, scope.region
    );
    for line in &listed {
        let sign = console::style('-').red().for_stderr();
        text.push_str(&format!(
            "  {sign} {:width$}  {} {}\n",
            line.resource, line.id, line.state
        ));
    }
    text.push_str(&format!("  and {} with it.\n", photos_text(photos)));
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

async fn conclude(
    verdict: Verdict,
    given: &arguments::Down,
    home: &Home,
    at_work: &AtWork,
    session: Session,
    took: Duration,
    scope: &Scope,
) -> Result<Exit, Failure> {
    let again = format!("{} down {}", invocation(), given.name);
    match verdict {
        Verdict::Zero => {
            Record::forget(home, &given.name);
            session.close(home, at_work).await?;
            home.remove_if_empty();
            let text = format!(
                "ZERO: nothing of {} is left in {} ({:.1} s, two empty listings).",
                given.name,
                scope.region,
                took.as_secs_f64()
            );
            tell(given.json, &text, "zero");
            Ok(Exit::Done)
        }
        Verdict::Remains { left, failures } => {
            tell(given.json, "REMAINS:", "remains");
            for line in &left {
                tell(
                    given.json,
                    &format!("  {} {} {}", line.resource, line.id, line.state),
                    "remains",
                );
            }
            for (removal, error) in &failures {
                eprintln!("  {} {}: {error}", removal.resource, removal.id);
            }
            eprintln!("Try again: {again}");
            Ok(Exit::Remains)
        }
        Verdict::CannotProve(error) => {
            tell(
                given.json,
                &format!("CANNOT PROVE that nothing is left: {error}"),
                "cannot-prove",
            );
            eprintln!("Try again: {again}");
            Ok(Exit::CannotProve)
        }
        Verdict::Stopped => Err(Failure::Interrupted {
            hint: format!("some of it is left; go on with: {again}"),
        }),
    }
}

fn tell(json: bool, text: &str, verdict: &str) {
    if json {
        println!(
            "{}",
            serde_json::json!({ "event": "verdict", "verdict": verdict, "text": text })
        );
    } else {
        println!("{text}");
    }
}

/// Turns what the teardown says into events.
struct Removing {
    report: Arc<dyn Report>,
    begun: Mutex<BTreeMap<usize, Instant>>,
}

impl Observer for Removing {
    fn planned(&self, removals: &[Removal]) {
        let line = |(step, r): (usize, &Removal)| Line {
            step,
            sign: '-',
            verb: "remove",
            resource: r.resource.clone(),
            detail: r.id.clone(),
            changes: Vec::new(),
        };
        self.report.event(&Event::Steps {
            steps: removals.iter().enumerate().map(line).collect(),
        });
    }

    fn started(&self, step: usize) {
        self.begun
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(step, Instant::now());
        self.report.event(&Event::Started { step });
    }

    fn progress(&self, step: usize) -> Progress {
        let report = self.report.clone();
        Progress::new(move |text| report.event(&Event::Waiting { step, text: &text }))
    }

    fn ended(&self, step: usize, result: &Result<(), AwsError>) {
        let begun = self
            .begun
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&step)
            .copied();
        let seconds = begun.map_or(0.0, |b| b.elapsed().as_secs_f64());
        match result {
            Ok(()) => self.report.event(&Event::Done {
                step,
                id: None,
                seconds,
            }),
            Err(error) => self.report.event(&Event::Failed {
                step,
                error: &error.to_string(),
                seconds,
            }),
        }
    }

    fn scanning(&self, scan: u32, after: Duration) {
        if after > Duration::from_secs(1) {
            let text = format!(
                "looking a {} time in {} s",
                if scan == 1 { "first" } else { "second" },
                after.as_secs()
            );
            self.report.event(&Event::Note { text: &text });
        }
    }
}
