//! Load on a running photo cache, and a check of every answer.
//!
//! `workload` says what is asked for and `pace` when; `client` asks; `content` makes photos that
//! say what they are; `checker` knows which version of each key a reader may be given; `recorder`
//! counts. [`run()`] puts a whole run together for the program `load`; tests and the walk use [`Drive`].

mod address;
mod answer;
pub mod arguments;
mod checker;
mod client;
mod content;
mod form;
mod latencies;
mod pace;
mod pool;
mod recorder;
mod run;
mod series;
mod summary;
mod tally;
mod units;
mod view;
mod workload;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use crate::zipf::Lawless;
pub use address::{Address, NoAddress};
pub use content::{Pictures, PicturesError};
pub use latencies::Percentiles;
pub use pace::Pace;
pub use pool::{Pool, PoolSeen};
pub use recorder::{Phase, Violation};
pub use run::{Options, Report, run};
pub use series::{Second, write_csv};
pub use tally::{Figures, RequestFigures, Requests, Tally};
pub use units::{Rate, Sizes, time};
pub use view::View;
pub use workload::{Distribution, Kind, NoDistribution, NoShare, Share};

use checker::{Begun, Checker};
pub(crate) use client::{Answer, Client, NoAnswer};
use content::Identity;
use pace::metronome;
use recorder::Recorder;
use tally::End;
use workload::{Order, Orders};

/// How many requests are sent at once where every key is gone through.
const AT_ONCE: usize = 16;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Workload {
    /// How many keys there are.
    pub keys: u32,
    /// What a key's name begins with; its number follows.
    pub prefix: String,
    /// How often each is asked for.
    pub distribution: Distribution,
    /// The part of requests that are reads; the others are uploads.
    pub reads: Share,
    /// What is uploaded.
    pub pictures: Pictures,
    /// The same seed gives the same requests.
    pub seed: u64,
    /// How long a request may take.
    pub time: Duration,
}

/// Load on one deployment. Clones are the same load.
#[derive(Debug, Clone)]
pub struct Drive(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    workload: Workload,
    /// Tells the photos of this run from those of others.
    run: u64,
    checker: Checker,
    recorder: Recorder,
    begun: Instant,
    waiting: AtomicUsize,
}

/// Load that goes on until it is stopped.
#[derive(Debug)]
pub struct Running {
    stop: CancellationToken,
    work: JoinHandle<()>,
}

impl Running {
    /// Sends nothing more, and waits for what is in flight.
    pub async fn stop(self) {
        self.stop.cancel();
        // It ends by itself; a panic in it is told on stderr and by the counts.
        let _ = self.work.await;
    }
}

impl Drive {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(address: &Address, workload: Workload) -> Self {
        Self(Arc::new(Inner {
            client: Client::new(address, workload.time),
            run: rand::random(),
            checker: Checker::new(workload.keys),
            recorder: Recorder::default(),
            begun: Instant::now(),
            waiting: AtomicUsize::new(0),
            workload,
        }))
    }

    /// Uploads a photo under every key; what that alone came to.
    pub async fn upload_all(&self) -> Tally {
        self.all(Kind::Upload).await
    }

    /// Reads every key once; what that alone came to.
    pub async fn read_all(&self) -> Tally {
        self.all(Kind::Read).await
    }

    async fn all(&self, kind: Kind) -> Tally {
        let orders = (0..self.0.workload.keys).map(|key| Order {
            kind,
            key,
            dice: u64::from(key) ^ self.0.workload.seed,
        });
        stream::iter(orders)
            .map(|order| async move {
                let due = Instant::now();
                (self.carry_out(order, due).await, due.elapsed())
            })
            .buffer_unordered(AT_ONCE)
            .fold(Tally::default(), async |mut tally, (end, latency)| {
                tally.record(kind, &end, latency);
                tally
            })
            .await
    }

    /// Begins to send requests.
    ///
    /// # Errors
    /// When there are no keys, or Zipf's law has no such exponent.
    pub fn start(&self, pace: Pace) -> Result<Running, Lawless> {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let drive = self.clone();
        let work = match pace {
            Pace::Open { rate, in_flight } => {
                let orders = self.orders(0)?;
                tokio::spawn(drive.open_loop(orders, rate, in_flight, stopped))
            }
            Pace::Closed { clients, think } => {
                let orders = (0..clients).map(|client| self.orders(client as u64));
                let orders = orders.collect::<Result<Vec<_>, _>>()?;
                tokio::spawn(drive.closed_loop(orders, think, stopped))
            }
        };
        Ok(Running { stop, work })
    }

    fn orders(&self, client: u64) -> Result<Orders, Lawless> {
        let Workload {
            keys,
            distribution,
            reads,
            seed,
            ..
        } = self.0.workload;
        Orders::new(keys, distribution, reads, seed.wrapping_add(client))
    }

    async fn open_loop(
        self,
        mut orders: Orders,
        rate: Rate,
        in_flight: usize,
        stop: CancellationToken,
    ) {
        let mut dues = metronome(rate);
        let tasks = TaskTracker::new();
        while let Some(due) = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            due = dues.recv() => due,
        } {
            let order = orders.draw();
            if self.in_flight() >= in_flight {
                let recorder = &self.0.recorder;
                recorder.record(order.kind, &End::NotSent, Duration::ZERO);
                continue;
            }
            let waiting = Waiting::begin(&self.0);
            let drive = self.clone();
            tasks.spawn(async move {
                drive.carry_out(order, due).await;
                drop(waiting);
            });
        }
        tasks.close();
        tasks.wait().await;
    }

    async fn closed_loop(self, clients: Vec<Orders>, think: Duration, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        for mut orders in clients {
            let (drive, stop) = (self.clone(), stop.clone());
            tasks.spawn(async move {
                while !stop.is_cancelled() {
                    let waiting = Waiting::begin(&drive.0);
                    drive.carry_out(orders.draw(), Instant::now()).await;
                    drop(waiting);
                    if !think.is_zero() {
                        let pause = tokio::time::sleep(think);
                        tokio::select! { () = stop.cancelled() => {}, () = pause => {} }
                    }
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn carry_out(&self, order: Order, due: Instant) -> End {
        let end = match order.kind {
            Kind::Read => self.read(order.key).await,
            Kind::Upload => self.upload(order.key, order.dice).await,
        };
        self.0.recorder.record(order.kind, &end, due.elapsed());
        end
    }

    async fn read(&self, key: u32) -> End {
        let name = self.name(key);
        let path = answer::path(&name);
        let read = self.0.checker.begin_read(key);
        match self.0.client.post(&path, None, Bytes::new()).await {
            Ok(answer) => match answer::photo(self.0.run, key, &name, &answer) {
                Ok(seen) => End::Read(self.judged(key, read, seen)),
                Err(refusal) => {
                    self.0.checker.give_up(read);
                    End::Refused(refusal)
                }
            },
            Err(problem) => {
                self.0.checker.give_up(read);
                problem.into()
            }
        }
    }

    fn judged(&self, key: u32, read: Begun, seen: checker::Seen) -> checker::Verdict {
        let verdict = self.0.checker.judge(read, seen);
        if let Some(violation) = Violation::of(self.0.begun, self.name(key), &verdict) {
            self.0.recorder.keep(violation);
        }
        verdict
    }

    async fn upload(&self, key: u32, dice: u64) -> End {
        let name = self.name(key);
        let version = self.0.checker.begin_upload(key);
        let run = self.0.run;
        let identity = Identity { run, key, version };
        let photo = self.0.workload.pictures.photo(&identity, dice);
        let body = form::upload(&name, &photo);
        let answer = self
            .0
            .client
            .post("/api/upload", Some(form::CONTENT_TYPE), body);
        match answer.await {
            Ok(answer) => match answer::stored(&name, &answer) {
                Ok(()) => {
                    self.0.checker.acknowledge(key, version);
                    End::Stored
                }
                Err(refusal) => End::Refused(refusal),
            },
            Err(problem) => problem.into(),
        }
    }

    fn name(&self, key: u32) -> String {
        format!("{}{key}", self.0.workload.prefix)
    }

    /// How many requests wait for an answer.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// What requests came to since this was last asked, or since the beginning.
    #[must_use]
    pub fn cut_phase(&self) -> Phase {
        self.0.recorder.cut_phase()
    }

    /// The same, for whoever counts by the second.
    #[must_use]
    pub fn cut_second(&self) -> Tally {
        self.0.recorder.cut_second()
    }

    /// The first violations, in full.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.0.recorder.violations()
    }
}

impl From<NoAnswer> for End {
    fn from(problem: NoAnswer) -> Self {
        match problem {
            NoAnswer::InTime(_) => Self::TimedOut,
            NoAnswer::Connection(how) => Self::Disconnected(how),
        }
    }
}

/// A request that waits for its answer.
struct Waiting(Arc<Inner>);

impl Waiting {
    fn begin(drive: &Arc<Inner>) -> Self {
        drive.waiting.fetch_add(1, Ordering::Relaxed);
        Self(drive.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
