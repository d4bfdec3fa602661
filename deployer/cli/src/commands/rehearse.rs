//! `deploy up --rehearse`: the plan carried out and taken away again on paper, by the same engine,
//! against a localcloud that is as slow as AWS on a faster clock. Nothing is left of it.

mod act;
mod text;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use deployer_aws::carry_out::Site;
use deployer_aws::graph::{AfterFailure, Work, run};
use deployer_aws::progress::Progress;
use deployer_aws::{AwsError, Pace, stored};
use deployer_core::blueprint::Blueprint;
use deployer_core::plan::{Action, Plan, Programs, Step};
use deployer_core::settings::home_bucket;
use teardown::{Verdict, tear_down};
use tokio::sync::watch;

use super::prepare::{Prepared, prepare, refuse_what_cannot_be};
use crate::arguments;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::interrupt;
use crate::local::Localcloud;
use crate::programs::Source;
use crate::report::{Event, Stream, plan_text, reader};
use crate::session::Session;
use act::{Act, Calls, Clock, Recorder, Report};

/// How often localcloud's clock is read.
const READINGS: u32 = 5;

/// A localcloud in a folder of its own, which goes with it.
struct Stage {
    localcloud: Localcloud,
    session: Session,
    programs: Programs,
    binaries: std::path::PathBuf,
    /// Kept for its end, which takes the folder away.
    _folder: tempfile::TempDir,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.localcloud.end_now();
    }
}

pub(super) async fn rehearse(given: &arguments::Up, blueprint: Blueprint) -> Result<Exit, Failure> {
    let stop = interrupt::listen()?;
    let stage = open(&given.rehearsal, &blueprint).await?;
    let mut asked = stop.clone();
    let played = tokio::select! {
        played = play(&stage, &given.rehearsal, blueprint, stop) => played,
        true = async { asked.wait_for(|asked| *asked).await.is_ok() } => {
            Err(Failure::Interrupted { hint: "nothing was made but on paper".to_owned() })
        }
    };
    drop(stage);
    print!("{}", played?);
    Ok(Exit::Done)
}

async fn open(given: &arguments::Rehearsal, blueprint: &Blueprint) -> Result<Stage, Failure> {
    let report = reader(false);
    let source = Source::here()?;
    source.build(&*report).await?;
    report.event(&Event::Finished);
    let built = source.inspect().await?;
    let folder = tempfile::Builder::new()
        .prefix("bivouac-rehearsal-")
        .tempdir()
        .map_err(Failure::here("making a folder for the rehearsal"))?;
    let home = Home::temporary(folder.path());
    let told = [
        "--paper".to_owned(),
        "--rehearse".to_owned(),
        format!("--account={}", given.account.name()),
        format!("--seed={}", given.seed),
        format!("--speed={}", given.speed),
    ];
    let localcloud = Localcloud::start_with(&home, &source.folder, &told).await?;
    let pace = Pace::ACCOUNT.at_speed(f64::from(given.speed));
    let session = Session::rehearse(localcloud.clone(), &blueprint.region, pace).await;
    let session = session.inspect_err(|_| localcloud.end_now())?;
    Ok(Stage {
        localcloud,
        session,
        programs: built,
        binaries: source.folder,
        _folder: folder,
    })
}

async fn play(
    stage: &Stage,
    given: &arguments::Rehearsal,
    blueprint: Blueprint,
    stop: watch::Receiver<bool>,
) -> Result<String, Failure> {
    let session = &stage.session;
    let prepared = prepare(&Home::find()?, session, &blueprint, &stage.programs, &[]).await?;
    eprint!("{}", plan_text(&prepared.plan, Stream::Error));
    refuse_what_cannot_be(&prepared.plan)?;
    let Prepared {
        scope,
        ground,
        plan,
        bill,
        exists: _,
    } = prepared;
    let bill = bill.on_an_account();
    bill.refuse_over_budget()?;
    let site = Site::new(
        session.account.clone(),
        scope,
        blueprint,
        ground,
        stage.binaries.clone(),
        stage.programs.clone(),
        plan.known.clone(),
    );
    let clock = stage.clock(f64::from(given.speed)).await?;
    let before = stage.calls().await?;
    let up = up(&site, &plan, &clock, stop.clone()).await?;
    let between = stage.calls().await?;
    let down = down(&site, &clock, stop).await?;
    let after = stage.calls().await?;
    let waits = stage.report().await?.waits;
    Ok(text::text(&text::Rehearsed {
        given,
        name: &site.blueprint.name,
        up: (&up, &between.since(&before)),
        down: (&down, &after.since(&between)),
        waits: &waits,
        cost: &bill.as_text(),
    }))
}

impl Stage {
    /// localcloud's clock, from the reading that took least: it may be wrong by half of that, which is
    /// much on a clock so fast.
    async fn clock(&self, speed: f64) -> Result<Clock, Failure> {
        let (mut least, mut clock) = self.read_clock(speed).await?;
        for _ in 1..READINGS {
            let (took, read) = self.read_clock(speed).await?;
            if took < least {
                (least, clock) = (took, read);
            }
        }
        Ok(clock)
    }

    /// The clock, and how long it took to read it.
    async fn read_clock(&self, speed: f64) -> Result<(Duration, Clock), Failure> {
        let asked = Instant::now();
        let on_aws = self.report().await?.now;
        let took = asked.elapsed();
        Ok((took, Clock::set(asked + took / 2, on_aws, speed)))
    }

    async fn report(&self) -> Result<Report, Failure> {
        let body = self.localcloud.tell("rehearsal").await?;
        serde_json::from_slice(&body).map_err(Failure::here("reading localcloud's report"))
    }

    async fn calls(&self) -> Result<Calls, Failure> {
        let body = self.localcloud.tell("calls").await?;
        let counted = serde_json::from_slice(&body);
        let counted = counted.map_err(Failure::here("reading localcloud's count of calls"))?;
        Ok(Calls::of(counted))
    }
}

async fn up(
    site: &Site,
    plan: &Plan,
    clock: &Clock,
    stop: watch::Receiver<bool>,
) -> Result<Act, Failure> {
    let needs: Vec<Vec<usize>> = plan.steps.iter().map(|s| s.needs.clone()).collect();
    let labels = plan.steps.iter().map(|s| s.resource.clone()).collect();
    let act = Mutex::new(Act::begin(clock, labels, needs.clone()));
    let work = |index: usize| -> Work<'_> {
        let (act, step) = (&act, &plan.steps[index]);
        Box::pin(async move {
            act::lock(act).started(index, clock.now());
            let taken = take(site, step).await;
            act::lock(act).ended(index, clock.now());
            taken
        })
    };
    let outcome = run(&needs, AfterFailure::Stop, stop, work).await;
    if let Some((index, source)) = outcome.failed.into_iter().next() {
        let step = &plan.steps[index];
        return Err(Failure::Aws {
            doing: format!(
                "rehearsed: could not {} {}",
                step.verb.as_str(),
                step.resource
            ),
            source,
        });
    }
    Ok(act::take(act).finished(clock.now()))
}

/// A builder on paper runs no recipe: what the recipe would have written is written for it.
async fn take(site: &Site, step: &Step) -> Result<(), AwsError> {
    if let Action::BakeImage { inputs, .. } = &step.action {
        let known = site.known();
        let bucket = home_bucket(&site.blueprint, &known)?;
        let key = format!("bake/{inputs}.ok");
        let nothing = b"{}".to_vec().into();
        stored::put(&site.account, bucket, &key, nothing, "application/json").await?;
    }
    site.carry_out(&step.action, &Progress::silent())
        .await
        .map(drop)
}

async fn down(site: &Site, clock: &Clock, stop: watch::Receiver<bool>) -> Result<Act, Failure> {
    let recorder = Recorder::new(clock);
    let quiet = site.account.target.pace.quiet;
    let verdict = tear_down(&site.account, &site.scope, quiet, stop, &recorder).await;
    let act = recorder.finished();
    match verdict {
        Verdict::Zero | Verdict::Kept(_) => Ok(act),
        Verdict::CannotProve(unread) => {
            let unread = unread.iter().map(|u| format!("{}: {}", u.what, u.error));
            Ok(act.unproven(unread.collect::<Vec<_>>().join("; ")))
        }
        Verdict::Stopped => Err(Failure::Interrupted {
            hint: "nothing was made but on paper".to_owned(),
        }),
        Verdict::Remains { left, failures } => {
            let left = left.iter().map(|l| format!("{} {}", l.resource, l.id));
            let failed = failures.iter().map(|(r, e)| format!("{}: {e}", r.resource));
            let lines: Vec<String> = left.chain(failed).collect();
            Err(Failure::Unfinished {
                what: format!(
                    "rehearsed: down leaves something behind:\n  {}",
                    lines.join("\n  ")
                ),
                hint: String::new(),
            })
        }
    }
}
