//! `deploy up`: the plan, and the loop that carries it out.

use std::sync::Arc;
use std::time::Instant;

use deployer_aws::carry_out::Site;
use deployer_aws::graph::{AfterFailure, Outcome, Work, run};
use deployer_aws::progress::Progress;
use deployer_aws::{AwsError, TargetKind};
use deployer_core::blueprint::Blueprint;
use deployer_core::plan::{Plan, Step};
use tokio::sync::watch;

use super::prepare::{self, Prepared, prepare};
use super::ready;
use crate::arguments;
use crate::confirm::confirm;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::interrupt;
use crate::invocation::invocation;
use crate::journal::{Journal, Record};
use crate::lock::{AtWork, Lock};
use crate::programs;
use crate::report::{Event, Report, Stream, counted, lines, plan_text, reader};
use crate::session::Session;

pub(super) async fn up(given: &arguments::Up) -> Result<Exit, Failure> {
    let blueprint = prepare::blueprint(&given.blueprint)?;
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
    let folder = programs::build(&*report).await?;
    report.event(&Event::Finished);
    let begun = Instant::now();
    let built = programs::inspect(&folder, given.place.target.into()).await?;
    let _at_work = AtWork::begin(home).await?;
    let _lock = Lock::take(home, &blueprint.name, "up")?;
    let session =
        Session::open(home, given.place.target.into(), &blueprint.region, &folder).await?;
    let prepared = prepare(&session, &blueprint, &built, &given.remove).await?;
    show(&blueprint, &session, &prepared.plan, given.json);
    refuse_what_cannot_be(&prepared.plan)?;
    ask(given, &session, &prepared.plan).await?;
    if interrupt::asked(&stop) {
        return Err(interrupted(&blueprint));
    }
    remember(home, &blueprint, given, &session)?;
    let journal = Journal::open(home, &blueprint.name)?;
    let Prepared {
        scope,
        ground,
        plan,
    } = prepared;
    let site = Site::new(
        session.account,
        scope,
        blueprint,
        ground,
        folder,
        built,
        plan.known.clone(),
    );
    apply(&site, &plan, &journal, stop.clone(), &report).await?;
    ready::await_ready(&site, stop, &*report).await?;
    ready::print_outputs(&site, begun.elapsed(), given.json).await?;
    Ok(Exit::Done)
}

fn show(blueprint: &Blueprint, session: &Session, plan: &Plan, json: bool) {
    if json {
        return;
    }
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
}

fn refuse_what_cannot_be(plan: &Plan) -> Result<(), Failure> {
    if plan.refusals.is_empty() {
        return Ok(());
    }
    let refused: Vec<String> = plan
        .refusals
        .iter()
        .map(|r| format!("{}: {}", r.resource, r.reason))
        .collect();
    Err(Failure::Refused {
        what: format!(
            "the blueprint asks for what cannot be done; nothing was changed:\n  {}",
            refused.join("\n  ")
        ),
        hint: String::new(),
    })
}

/// Only what costs money is asked about: data is lost only where it was named, with `--remove`.
async fn ask(given: &arguments::Up, session: &Session, plan: &Plan) -> Result<(), Failure> {
    if given.yes || plan.steps.is_empty() || session.account.target.kind == TargetKind::Local {
        return Ok(());
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
    confirm(&format!(
        "This makes things that bill in account {}.{loses}",
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
        "{left} of {} done and kept; {invocation} up goes on from there, {invocation} down {name} takes it away",
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
