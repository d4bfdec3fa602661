//! First program on an instance: reads from the metadata service what the instance is for, its
//! settings from the bucket, starts the services, starts them again when they crash or their
//! settings change, and stops them when it is told to, or for good when the deployment expires.

pub mod bucket;
mod expiry;
pub mod metadata;
pub mod order;
mod patience;
pub mod settings;
pub mod supervise;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use aws_config::imds;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use bucket::Bucket;
use expiry::{Reaper, Watch};
use metadata::Facts;
use order::{Order, OrderError};
use patience::{Patience, Trouble};
use settings::{Prepared, SettingsFile};
use supervise::Services;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// The first wait before something is tried again; each further one is twice as long.
    pub first_wait: Duration,
    /// The longest wait before something is tried again.
    pub longest_wait: Duration,
    /// For how long failures are taken for the usual slow start (a new role takes up to a minute to
    /// work); after it one line says that this is serious.
    pub patience: Duration,
    /// How often the bucket is asked for changed settings.
    pub poll: Duration,
    /// The longest wait before a crashed service is started again.
    pub longest_restart: Duration,
    /// A service that ran for this long is given the shortest wait again.
    pub steady: Duration,
    /// For how long a service may go on after SIGTERM before SIGKILL.
    pub stop: Duration,
    /// How often, at the least, it is looked when the deployment expires.
    pub look: Duration,
    /// How long an instance lives on that was off when the deployment expired.
    pub grace: Duration,
    /// The wait between two attempts to take an expired deployment away.
    pub try_again: Duration,
    /// How long after the expiry this instance ends whatever is left.
    pub give_up: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(5),
            patience: Duration::from_secs(180),
            poll: Duration::from_secs(15),
            longest_restart: Duration::from_secs(10),
            steady: Duration::from_secs(60),
            stop: Duration::from_secs(10),
            look: Duration::from_secs(60),
            grace: kit::expiry::GRACE,
            try_again: Duration::from_secs(10),
            give_up: Duration::from_secs(60 * 60),
        }
    }
}

/// What boot works with.
pub struct Boot {
    /// The instance's metadata service.
    pub metadata: imds::Client,
    /// S3, given the region that the user data names.
    pub s3: S3,
    /// The root below which all files of the instance are, `/` unless `BIVOUAC_ROOT` says otherwise.
    pub root: PathBuf,
    /// How long things may take.
    pub times: Times,
}

/// Where the S3 client comes from.
pub enum S3 {
    /// The instance's role and the SDK's own variables.
    Role,
    /// A client that is ready.
    Ready(aws_sdk_s3::Client),
}

/// Why boot gave up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user data does not say what this instance is for: nothing here can change that.
    #[error("reading the user data")]
    Order(#[from] OrderError),
    /// The settings file cannot be written.
    #[error("writing {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Signals cannot be waited for.
    #[error("waiting for signals")]
    Signals(#[source] std::io::Error),
}

/// Runs the services of this instance until `shutdown`. When the deployment has expired it takes that
/// away instead, and powers the machine off.
///
/// # Errors
/// When the user data is not for us, or the settings file cannot be written. Whatever else is in the
/// way may go away, and is waited for.
pub async fn run(boot: Boot, shutdown: CancellationToken) -> Result<(), Error> {
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        order = order(&boot) => live(&boot, &order?, &shutdown).await,
    }
}

async fn order(boot: &Boot) -> Result<Order, OrderError> {
    Patience::new(boot.times)
        .insist("asking the metadata service what to do", || {
            metadata::order(&boot.metadata)
        })
        .await
}

/// Serves until the deployment is due, and then takes it away; if it is extended at the last moment,
/// from the start.
async fn live(boot: &Boot, order: &Order, shutdown: &CancellationToken) -> Result<(), Error> {
    let mut watch = Watch::new(&boot.metadata, boot.times);
    let reaper = Reaper {
        order,
        root: &boot.root,
        metadata: &boot.metadata,
        times: boot.times,
    };
    loop {
        // Before any service is started: what has expired does not serve.
        let due = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            due = watch.look() => due,
        };
        if due.is_none_or(|due| due > Timestamp::now()) {
            let stop = shutdown.child_token();
            let mut serving = pin!(serve(boot, order, &stop));
            tokio::select! {
                ended = &mut serving => return ended,
                _due = watch.until_due() => stop.cancel(),
            }
            serving.await?;
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = reaper.end(&mut watch) => {}
        }
    }
}

async fn serve(boot: &Boot, order: &Order, stop: &CancellationToken) -> Result<(), Error> {
    let running = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        started = start(boot, order) => started,
    };
    running.keep(stop).await
}

/// Everything up to services that can be started.
async fn start<'a>(boot: &'a Boot, order: &'a Order) -> Running<'a> {
    let times = boot.times;
    let facts = Patience::new(times)
        .insist("asking the metadata service for facts", || {
            metadata::facts(&boot.metadata)
        })
        .await;
    tracing::info!(
        deployment = order.deployment,
        resource = order.resource,
        instance = facts.id,
        address = facts.address,
        "this instance"
    );
    let client = match &boot.s3 {
        S3::Ready(client) => client.clone(),
        S3::Role => aws_sdk_s3::Client::new(&kit::aws::sdk_config(&order.region).await),
    };
    let source = Source {
        bucket: Bucket::new(&client, order.bucket.clone()),
        order,
        facts,
    };
    let settings = Patience::new(times)
        .insist("reading the settings", || source.read())
        .await;
    Running {
        source,
        settings,
        file: SettingsFile::new(&boot.root),
        root: &boot.root,
        times,
    }
}

/// Where settings come from.
struct Source<'a> {
    bucket: Bucket,
    order: &'a Order,
    facts: Facts,
}

/// Settings, and the version of the object they were read from.
struct Versioned {
    prepared: Prepared,
    tag: String,
}

impl Source<'_> {
    async fn read(&self) -> Result<Versioned, Trouble> {
        let settings = self.bucket.read(&self.order.settings).await?;
        let secrets = self.bucket.read(&self.order.secrets).await?;
        let prepared = Prepared::new(&settings.content, &secrets.content, &self.facts);
        let prepared = prepared.map_err(|error| Trouble {
            cause: error.to_string(),
            detail: kit::logging::chain(&error),
            expected: false,
        })?;
        Ok(Versioned {
            prepared,
            tag: settings.tag,
        })
    }
}

struct Running<'a> {
    source: Source<'a>,
    settings: Versioned,
    file: SettingsFile,
    root: &'a Path,
    times: Times,
}

impl Running<'_> {
    /// Runs the services, with new settings whenever these change.
    async fn keep(mut self, shutdown: &CancellationToken) -> Result<(), Error> {
        loop {
            self.file
                .write(&self.settings.prepared)
                .map_err(|source| Error::Write {
                    path: self.file.path().to_owned(),
                    source,
                })?;
            let names = &self.settings.prepared.services;
            let services = Services::start(names, self.root, self.file.path(), self.times);
            let changed = tokio::select! {
                () = shutdown.cancelled() => None,
                changed = self.changed() => Some(changed),
            };
            services.stop().await;
            let Some(changed) = changed else {
                return Ok(());
            };
            self.settings = changed;
        }
    }

    /// Waits for settings that differ from those in use. While the bucket cannot be read, or holds
    /// settings that cannot be used, the services go on with what they have.
    async fn changed(&self) -> Versioned {
        let mut seen = self.settings.tag.clone();
        let mut told = None;
        loop {
            tokio::time::sleep(self.times.poll).await;
            match self.look(&seen).await {
                Ok(None) => told = None,
                Ok(Some(changed)) if changed.prepared == self.settings.prepared => {
                    seen = changed.tag;
                }
                Ok(Some(changed)) => {
                    tracing::info!("the settings have changed: starting the services with them");
                    return changed;
                }
                Err(Trouble { cause, detail, .. }) => {
                    if told.as_ref() != Some(&cause) {
                        tracing::warn!(
                            cause,
                            "looking for changed settings, keeping the old: {detail}"
                        );
                        told = Some(cause);
                    }
                }
            }
        }
    }

    async fn look(&self, seen: &str) -> Result<Option<Versioned>, Trouble> {
        if self.source.bucket.tag(&self.source.order.settings).await? == seen {
            return Ok(None);
        }
        self.source.read().await.map(Some)
    }
}
