//! The walk: the pool is resized step by step under constant load, and each answer is checked.
//!
//! What happens while the pool is being resized and what happens while it is steady are counted apart.
//! The baseline is the same load for the same time with no resize in it.

mod deployment;
mod figures;
mod table;

use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::drive::{Address, Drive, Figures, Lawless, Pace, Tally, View, Violation, Workload};
use deployment::Counters;
pub use deployment::{Deployment, DeploymentError};

/// What is done, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The front-end.
    pub front_end: Address,
    /// What is asked for.
    pub workload: Workload,
    /// When.
    pub pace: Pace,
    /// The sizes of the pool, one after the other.
    pub steps: Vec<u32>,
    /// For how long each is held.
    pub hold: Duration,
    /// How long a resize may take.
    pub patience: Duration,
    /// Whether the same load is put on the pool once more with no resize in it.
    pub baseline: bool,
}

/// Why a walk came to no end.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The deployment did not do what the walk needs.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// There are no keys, or no such law.
    #[error(transparent)]
    Lawless(#[from] Lawless),
}

/// Requests that ended in one stretch of a walk.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// How long it took.
    pub time: Duration,
    /// What they came to.
    pub tally: Tally,
    /// The part of reads that a node answered, if the deployment tells.
    pub hit_ratio: Option<f64>,
}

/// One size of the pool.
#[derive(Debug, Clone)]
pub struct Step {
    /// The size.
    pub nodes: u32,
    /// From when it was asked for until as many nodes served; nothing of the first.
    pub resize: Option<Stretch>,
    /// The time for which it was held.
    pub steady: Stretch,
    /// The same load for as long, at the first size, with no resize in it.
    pub baseline: Option<Stretch>,
}

/// What a walk came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// The front-end.
    pub front_end: Address,
    /// Each size, in order; fewer than asked for if the walk was interrupted.
    pub steps: Vec<Step>,
    /// Every key once more at the end of the walk.
    pub verified: Tally,
    /// The first violations in full, those of the baseline at the end.
    pub violations: Vec<Violation>,
}

impl Report {
    /// The walk as a whole, without its baseline.
    #[must_use]
    pub fn total(&self) -> Tally {
        let mut total = self.verified.clone();
        for step in &self.steps {
            total.add(&step.steady.tally);
            if let Some(resize) = &step.resize {
                total.add(&resize.tally);
            }
        }
        total
    }

    /// True if no request failed and no read was stale, lost or wrong, in the walk and its baseline.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let baselines = self.steps.iter().filter_map(|step| step.baseline.as_ref());
        let failed: u64 = baselines.map(|stretch| stretch.tally.failed()).sum();
        failed + self.total().failed() == 0 && self.violations.is_empty()
    }
}

/// A stretch in numbers.
#[derive(Serialize)]
struct Written {
    seconds: f64,
    hit_ratio: Option<f64>,
    #[serde(flatten)]
    figures: Figures,
}

impl From<&Stretch> for Written {
    fn from(stretch: &Stretch) -> Self {
        Self {
            seconds: stretch.time.as_secs_f64(),
            hit_ratio: stretch.hit_ratio,
            figures: stretch.tally.figures(),
        }
    }
}

/// Walks the pool through its sizes, and stays at the last. When `stop` is cancelled it ends where it
/// is.
///
/// # Errors
/// When a size is refused or not reached in time, or when the front-end's figures cannot be read.
pub fn walk<'a>(
    options: &'a Options,
    view: &'a View,
    stop: &'a CancellationToken,
) -> LocalBoxFuture<'a, Result<Report, WalkError>> {
    // Boxed, so that it is compiled here and not in every program and test that awaits it.
    async move {
        let walker = Walker {
            options,
            view,
            stop,
        };
        let mut report = walker.walk().await?;
        if options.baseline && !stop.is_cancelled() {
            walker.stay(&mut report).await?;
        }
        view.end();
        Ok(report)
    }
    .boxed_local()
}

struct Walker<'a> {
    options: &'a Options,
    view: &'a View,
    stop: &'a CancellationToken,
}

impl Walker<'_> {
    async fn walk(&self) -> Result<Report, WalkError> {
        let deployment = self.deployment();
        self.begin_at_the_first_size(&deployment).await?;
        let drive = self.warm().await;
        let running = drive.start(self.options.pace)?;
        let mut steps = Vec::new();
        let mut watch = Watch::begin(&drive, &deployment).await;
        for (place, nodes) in self.options.steps.iter().copied().enumerate() {
            let resize = if place == 0 {
                None
            } else {
                self.view.say(&format!("resizing to {nodes}"));
                self.resize(&deployment, nodes).await?;
                Some(watch.lap().await)
            };
            self.view.say(&format!("holding {nodes}"));
            self.pause(self.options.hold).await;
            let steady = watch.lap().await;
            let baseline = None;
            steps.push(Step {
                nodes,
                resize,
                steady,
                baseline,
            });
            if self.stop.is_cancelled() {
                break;
            }
        }
        running.stop().await;
        let rest = drive.cut_phase();
        self.view.say("reading every key once more");
        let mut verified = drive.read_all().await;
        verified.add(&rest.tally);
        Ok(Report {
            front_end: self.options.front_end.clone(),
            steps,
            verified,
            violations: drive.violations(),
        })
    }

    /// The same load for the same times, with no resize in it.
    async fn stay(&self, report: &mut Report) -> Result<(), WalkError> {
        let deployment = self.deployment();
        self.begin_at_the_first_size(&deployment).await?;
        let drive = self.warm().await;
        let running = drive.start(self.options.pace)?;
        let mut watch = Watch::begin(&drive, &deployment).await;
        for step in &mut report.steps {
            self.view
                .say(&format!("staying, as while it was {}", step.nodes));
            let resize = step.resize.as_ref().map(|resize| resize.time);
            self.pause(step.steady.time + resize.unwrap_or_default())
                .await;
            step.baseline = Some(watch.lap().await);
            if self.stop.is_cancelled() {
                break;
            }
        }
        running.stop().await;
        report.violations.extend(drive.violations());
        Ok(())
    }

    fn deployment(&self) -> Deployment {
        Deployment::new(&self.options.front_end)
    }

    async fn begin_at_the_first_size(&self, deployment: &Deployment) -> Result<(), WalkError> {
        let Some(first) = self.options.steps.first() else {
            return Ok(());
        };
        self.view
            .say(&format!("resizing to {first}, to begin with"));
        self.resize(deployment, *first).await
    }

    async fn resize(&self, deployment: &Deployment, nodes: u32) -> Result<(), WalkError> {
        deployment.ask_for(nodes).await?;
        let patience = self.options.patience;
        tokio::select! {
            settled = deployment.until_it_has(nodes, patience) => settled?,
            () = self.stop.cancelled() => {}
        }
        Ok(())
    }

    /// New load, with every photo stored and read once.
    async fn warm(&self) -> Drive {
        let drive = Drive::new(&self.options.front_end, self.options.workload.clone());
        self.view
            .say("uploading a photo under every key, and reading it");
        drive.upload_all().await;
        drive.read_all().await;
        drive
    }

    async fn pause(&self, time: Duration) {
        tokio::select! { () = tokio::time::sleep(time) => {}, () = self.stop.cancelled() => {} }
    }
}

/// Cuts a run into stretches.
struct Watch<'a> {
    drive: &'a Drive,
    deployment: &'a Deployment,
    since: Instant,
    counters: Counters,
}

impl<'a> Watch<'a> {
    async fn begin(drive: &'a Drive, deployment: &'a Deployment) -> Self {
        let _ = drive.cut_phase();
        Self {
            drive,
            deployment,
            since: Instant::now(),
            counters: deployment.counters().await,
        }
    }

    async fn lap(&mut self) -> Stretch {
        let tally = self.drive.cut_phase().tally;
        let now = Instant::now();
        let counters = self.deployment.counters().await;
        let before = std::mem::replace(&mut self.counters, counters);
        Stretch {
            time: now - std::mem::replace(&mut self.since, now),
            tally,
            hit_ratio: self.counters.hit_ratio_since(&before),
        }
    }
}
