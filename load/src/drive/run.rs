//! A whole run: photos first, then load for a time, then every key once more.

use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use serde::Serialize;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::pace::Pace;
use super::pool::Pool;
use super::recorder::{Phase, Violation};
use super::series::Second;
use super::tally::{Figures, Tally};
use super::view::View;
use super::{Drive, Lawless, Workload};
use crate::processor;

/// What is done, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The front-end.
    pub address: Address,
    /// What is asked for.
    pub workload: Workload,
    /// When.
    pub pace: Pace,
    /// For how long.
    pub duration: Duration,
    /// Whether a photo is uploaded under every key first.
    pub prepare: bool,
    /// Whether every key is read once more at the end.
    pub verify: bool,
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// The front-end.
    pub address: Address,
    /// The uploads before, if there were.
    pub prepared: Option<Phase>,
    /// The load itself.
    pub load: Phase,
    /// The reads after, if there were.
    pub verified: Option<Phase>,
    /// The load second by second.
    pub seconds: Vec<Second>,
    /// The first violations in full.
    pub violations: Vec<Violation>,
    /// Processor time that this program took for a request, in microseconds, where the system tells.
    pub own_cost: Option<f64>,
}

/// Puts load on a deployment until the time is over or `stop`.
///
/// # Errors
/// When the workload is none, see [`Drive::start`].
pub fn run<'a>(
    options: &'a Options,
    view: &'a mut View,
    stop: &'a CancellationToken,
) -> LocalBoxFuture<'a, Result<Report, Lawless>> {
    // Boxed, so that it is compiled here and not in every program and test that awaits it.
    async move {
        let drive = Drive::new(&options.address, options.workload.clone());
        let keys = options.workload.keys;
        let prepared = if options.prepare {
            view.say(&format!("uploading {keys} photos"));
            phase(drive.upload_all(), stop).await
        } else {
            None
        };
        let _ = (drive.cut_phase(), drive.cut_second());
        let before = time_used();
        let running = drive.start(options.pace)?;
        let seconds = seconds(&drive, options, view, stop).await;
        running.stop().await;
        let load = drive.cut_phase();
        let own_cost = cost(before, time_used(), load.tally.requests());
        let verified = if options.verify {
            view.say(&format!("reading {keys} photos once more"));
            // Ctrl-C has ended the load; this it does not end.
            phase(drive.read_all(), &CancellationToken::new()).await
        } else {
            None
        };
        view.end();
        Ok(Report {
            address: options.address.clone(),
            prepared,
            load,
            verified,
            seconds,
            violations: drive.violations(),
            own_cost,
        })
    }
    .boxed_local()
}

/// What some work came to; `None` if it was stopped. It is no part of the load's own phase.
async fn phase(work: impl Future<Output = Tally>, stop: &CancellationToken) -> Option<Phase> {
    let begun = Instant::now();
    let tally = tokio::select! { tally = work => Some(tally), () = stop.cancelled() => None };
    let time = begun.elapsed();
    tally.map(|tally| Phase { time, tally })
}

/// Counts and shows until the time is over.
async fn seconds(
    drive: &Drive,
    options: &Options,
    view: &mut View,
    stop: &CancellationToken,
) -> Vec<Second> {
    let pool = Pool::watch(&options.address);
    let mut seconds = Vec::new();
    let counting = async {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // The first is now.
        let begun = ticks.tick().await;
        loop {
            ticks.tick().await;
            let passed = begun.elapsed().as_secs();
            let second = Second::of(passed, &drive.cut_second(), drive.in_flight(), pool.seen());
            view.show(&second);
            seconds.push(second);
        }
    };
    tokio::select! {
        biased;
        () = counting => {}
        () = tokio::time::sleep(options.duration) => {}
        () = stop.cancelled() => {}
    }
    seconds
}

fn time_used() -> Option<Duration> {
    processor::time_used(std::process::id()).ok()
}

fn cost(before: Option<Duration>, after: Option<Duration>, requests: u64) -> Option<f64> {
    let used = after?.checked_sub(before?)?;
    (requests > 0).then(|| used.as_secs_f64() * 1e6 / requests as f64)
}

/// A report in JSON.
#[derive(Serialize)]
struct Written<'a> {
    address: String,
    prepared: Option<WrittenPhase>,
    load: WrittenPhase,
    verified: Option<WrittenPhase>,
    violations: &'a [Violation],
    own_microseconds_per_request: Option<f64>,
    seconds: &'a [Second],
}

#[derive(Serialize)]
struct WrittenPhase {
    seconds: f64,
    #[serde(flatten)]
    figures: Figures,
}

impl From<&Phase> for WrittenPhase {
    fn from(phase: &Phase) -> Self {
        Self {
            seconds: phase.time.as_secs_f64(),
            figures: phase.tally.figures(),
        }
    }
}

impl Report {
    /// All phases together.
    #[must_use]
    pub fn total(&self) -> Tally {
        let mut total = self.load.tally.clone();
        for phase in [&self.prepared, &self.verified].into_iter().flatten() {
            total.add(&phase.tally);
        }
        total
    }

    /// True if no read was stale, lost or wrong, and no more than `failures` requests failed.
    #[must_use]
    pub fn is_good(&self, failures: Option<u64>) -> bool {
        let total = self.total();
        total.violations() == 0 && failures.is_none_or(|most| total.failed() <= most)
    }

    /// Everything, as JSON.
    ///
    /// # Errors
    /// Those of the library; there is nothing in it that it cannot write.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&Written {
            address: self.address.to_string(),
            prepared: self.prepared.as_ref().map(WrittenPhase::from),
            load: (&self.load).into(),
            verified: self.verified.as_ref().map(WrittenPhase::from),
            violations: &self.violations,
            own_microseconds_per_request: self.own_cost,
            seconds: &self.seconds,
        })
    }
}
