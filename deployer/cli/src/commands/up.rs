//! `deploy up`: the plan, and the loop that carries it out.

use std::sync::Arc;
use std::time::Instant;

use deployer_aws::carry_out::Site;
use deployer_aws::graph::{AfterFailure, Outcome, Work, run};
use deployer_aws::progress::Progress;
use deployer_aws::{AwsError, TargetKind};
use deployer_core::blueprint::Blueprint;
use deployer_core::plan::{Plan, Step};
use deployer_core::reach::Unreachable;
use tokio::sync::watch;

use super::prepare::{self, Prepared, prepare, refuse_what_cannot_be};
use super::ready;
use super::rehearse;
use crate::arguments;
use crate::binding::Binding;
use crate::confirm::confirm;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::interrupt;
use crate::invocation::invocation;
use crate::journal::{Journal, Record};
use crate::lock::{AtWork, Lock};
use crate::programs::Source;
use crate::renewal;
use crate::report::{Event, Report, Stream, counted, lines, plan_text, reader};
use crate::session::Session;

pub(super) async fn up(given: &arguments::Up) -> Result<Exit, Failure> {
    let blueprint = prepare::blueprint(&given.blueprint)?;
    if given.rehearsal.rehearse {
        return rehearse::rehearse(given, blueprint).await;
    }
    let home = Home::find()?;
    let stop = interrupt::listen()?;
    let report = reader(given.json);
    let interrupted = interrupted(&blueprint);
    tokio::select! {
        exit = go_up(given, blueprint, &home, stop.clone(), report) => exit,
        () = long_after(stop) => Err(interrupted),
    }
}

/// The run loop notices an interrupt by itself and says what it left; this ends what goes before
/// and after it.
async fn long_after(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|asked| *asked).await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
}

async fn go_up(
    given: &arguments::Up,
    blueprint: Blueprint,
    home: &Home,
    stop: watch::Receiver<bool>,
    report: Arc<dyn Report>,
) -> Result<Exit, Failure> {
    let source = Source::of(given.place.target.into(), &blueprint)?;
    source.build(&*report).await?;
    report.event(&Event::Finished);
    let begun = Instant::now();
    let built = source.inspect().await?;
    let _at_work = AtWork::begin(home).await?;
    let _lock = Lock::take(home, &blueprint.name, "up")?;
    let bound = Binding::of(home, &blueprint.name);
    let kind = given.place.target.into();
    let session = Session::open(home, &bound, kind, &blueprint.region, &source.folder).await?;
    let mut prepared = prepare(home, &session, &blueprint, &built, &given.remove).await?;
    show(&blueprint, &session, &prepared, given.json);
    refuse_what_cannot_be(&prepared.plan)?;
    prepared.bill.refuse_expired()?;
    if !prepared.plan.is_empty() {
        prepared.bill.refuse_over_budget()?;
    }
    ask(given, &session, &bound, &prepared).await?;
    if interrupt::asked(&stop) {
        return Err(interrupted(&blueprint));
    }
    remember(home, &blueprint, given, &session)?;
    let journal = Journal::open(home, &blueprint.name)?;
    loop {
        let Prepared {
            scope,
            ground,
            plan,
            ..
        } = prepared;
        let site = Site::new(
            session.account.clone(),
            scope,
            blueprint.clone(),
            ground,
            source.folder.clone(),
            built.clone(),
            plan.known.clone(),
        );
        match make(&site, &plan, &journal, stop.clone(), &report).await {
            Err(failure) if failure.is_expired() && renewal::is_possible(&session.account) => {
                failure.print();
                renewal::renew(&session.account).await?;
                // What was cut off half way is planned anew, as another `up` would.
                prepared = prepare(home, &session, &blueprint, &built, &given.remove).await?;
                refuse_what_cannot_be(&prepared.plan)?;
            }
            made => {
                let unreachable = made?;
                let took = begun.elapsed();
                ready::print_outputs(&site, took, unreachable.as_ref(), given.json).await?;
                return Ok(Exit::Done);
            }
        }
    }
}

/// Carries the plan out, and waits until what it made answers; where it cannot from here, the answer
/// says why.
async fn make(
    site: &Site,
    plan: &Plan,
    journal: &Journal,
    stop: watch::Receiver<bool>,
    report: &Arc<dyn Report>,
) -> Result<Option<Unreachable>, Failure> {
    apply(site, plan, journal, stop.clone(), report).await?;
    ready::await_ready(site, stop, &**report).await
}

fn show(blueprint: &Blueprint, session: &Session, prepared: &Prepared, json: bool) {
    if json {
        return;
    }
    let plan = &prepared.plan;
    let place = match session.account.target.kind {
        TargetKind::Local => "on this laptop, costs nothing".to_owned(),
        TargetKind::Aws => format!("account {}, {}", session.account.id, session.account.region),
    };
    if plan.steps.is_empty() {
        eprintln!("{} ({place}): no changes", blueprint.name);
    } else {
        eprintln!(
            "{} ({place}): {}",
            blueprint.name,
            counted(plan.steps.len(), "step")
        );
    }
    eprint!("{}", plan_text(plan, Stream::Error));
    eprint!("{}", prepared.bill.as_text());
    if let Some(warning) = prepared.bill.warning() {
        eprintln!("{warning}");
    }
}

/// Only what costs money is asked about: data is lost only where it was named, with `--remove`.
async fn ask(
    given: &arguments::Up,
    session: &Session,
    bound: &Binding,
    prepared: &Prepared,
) -> Result<(), Failure> {
    let plan = &prepared.plan;
    if given.yes || plan.steps.is_empty() {
        return Ok(());
    }
    if session.account.target.kind == TargetKind::Local {
        return match prepared.bill.is_long() {
            true => confirm("It lives for more than 30 days.").await,
            false => Ok(()),
        };
    }
    let lost: Vec<&str> = plan
        .steps
        .iter()
        .filter(|step| step.action.loses_data())
        .map(|step| step.resource.as_str())
        .collect();
    let loses = match lost.as_slice() {
        [] => String::new(),
        lost => format!(" It deletes {} for good.", lost.join(" and ")),
    };
    // Somebody else in the account may have named theirs so too.
    let foreign = if prepared.exists && !bound.is_known() {
        " A deployment of this name is there already, and this machine did not make it."
    } else {
        ""
    };
    confirm(&format!(
        "This makes things that bill in account {}.{foreign}{loses}",
        session.account.id
    ))
    .await
}

fn remember(
    home: &Home,
    blueprint: &Blueprint,
    given: &arguments::Up,
    session: &Session,
) -> Result<(), Failure> {
    let record = Record {
        name: blueprint.name.clone(),
        target: session.account.target.kind,
        region: session.account.region.clone(),
        account: Some(session.account.id.clone()),
        blueprint: std::path::absolute(&given.blueprint)
            .unwrap_or_else(|_| given.blueprint.clone()),
        begun: Record::read(home, &blueprint.name).map_or_else(jiff::Timestamp::now, |r| r.begun),
    };
    record.write(home)
}

async fn apply(
    site: &Site,
    plan: &Plan,
    journal: &Journal,
    stop: watch::Receiver<bool>,
    report: &Arc<dyn Report>,
) -> Result<(), Failure> {
    if plan.steps.is_empty() {
        return Ok(());
    }
    report.event(&Event::Steps {
        steps: lines(&plan.steps),
    });
    let needs: Vec<Vec<usize>> = plan.steps.iter().map(|s| s.needs.clone()).collect();
    let work = |index: usize| -> Work<'_> {
        Box::pin(take_step(site, index, &plan.steps[index], journal, report))
    };
    let outcome = run(&needs, AfterFailure::Stop, stop, work).await;
    report.event(&Event::Finished);
    conclude(site, plan, outcome)
}

async fn take_step(
    site: &Site,
    index: usize,
    step: &Step,
    journal: &Journal,
    report: &Arc<dyn Report>,
) -> Result<(), AwsError> {
    journal.write("begin", &step.resource, None);
    report.event(&Event::Started { step: index });
    let begun = Instant::now();
    let reader = report.clone();
    let progress = Progress::new(move |text| {
        reader.event(&Event::Waiting {
            step: index,
            text: &text,
        });
    });
    let result = site.carry_out(&step.action, &progress).await;
    let seconds = begun.elapsed().as_secs_f64();
    match &result {
        Ok(id) => {
            journal.write("done", &step.resource, id.as_deref());
            report.event(&Event::Done {
                step: index,
                id: id.as_deref(),
                seconds,
            });
        }
        Err(error) => {
            journal.write("failed", &step.resource, None);
            report.event(&Event::Failed {
                step: index,
                error: &error.to_string(),
                seconds,
            });
        }
    }
    result.map(drop)
}

/// A failure says what it leaves behind.
fn conclude(site: &Site, plan: &Plan, outcome: Outcome) -> Result<(), Failure> {
    if outcome.is_complete(plan.steps.len()) {
        return Ok(());
    }
    if outcome.stopped {
        return Err(interrupted(&site.blueprint));
    }
    let name = &site.blueprint.name;
    let left = counted(outcome.done.len(), "step");
    let Some((index, source)) = outcome.failed.into_iter().next() else {
        return Err(interrupted(&site.blueprint));
    };
    eprintln!(
        "{left} of {} done and kept; the same command goes on from there, {invocation} down {name} takes it away",
        plan.steps.len(),
        invocation = invocation(),
    );
    let step = &plan.steps[index];
    Err(Failure::Aws {
        doing: format!("could not {} {}", step.verb.as_str(), step.resource),
        source,
    })
}

fn interrupted(blueprint: &Blueprint) -> Failure {
    let name = &blueprint.name;
    let invocation = invocation();
    Failure::Interrupted {
        hint: format!(
            "what was made so far is kept; the same command goes on, and {invocation} down {name} takes it away"
        ),
    }
}
