//! First program on an instance: reads from the metadata service what the instance is for, its
//! settings from the bucket, starts the services, starts them again when they crash or their
//! settings change, and stops them when it is told to.

pub mod bucket;
pub mod metadata;
pub mod order;
mod patience;
pub mod settings;
pub mod supervise;

use std::path::PathBuf;
use std::time::Duration;

use aws_config::imds;
use tokio_util::sync::CancellationToken;

use bucket::Bucket;
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

/// Runs the services of this instance until `shutdown`.
///
/// # Errors
/// When the user data is not for us, or the settings file cannot be written. Whatever else is in the
/// way may go away, and is waited for.
pub async fn run(boot: Boot, shutdown: CancellationToken) -> Result<(), Error> {
    let running = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        started = start(boot) => started?,
    };
    running.keep(&shutdown).await
}

/// Everything up to services that can be started.
async fn start(boot: Boot) -> Result<Running, Error> {
    let Boot {
        metadata,
        s3,
        root,
        times,
    } = boot;
    let order = Patience::new(times)
        .insist("asking the metadata service what to do", || {
            metadata::order(&metadata)
        })
        .await?;
    let facts = Patience::new(times)
        .insist("asking the metadata service for facts", || {
            metadata::facts(&metadata)
        })
        .await;
    tracing::info!(
        deployment = order.deployment,
        resource = order.resource,
        instance = facts.id,
        address = facts.address,
        "this instance"
    );
    let client = match s3 {
        S3::Ready(client) => client,
        S3::Role => aws_sdk_s3::Client::new(&kit::aws::sdk_config(&order.region).await),
    };
    let bucket = Bucket::new(&client, order.bucket.clone());
    let source = Source {
        bucket,
        order,
        facts,
    };
    let settings = Patience::new(times)
        .insist("reading the settings", || source.read())
        .await;
    Ok(Running {
        source,
        settings,
        file: SettingsFile::new(&root),
        root,
        times,
    })
}

/// Where settings come from.
struct Source {
    bucket: Bucket,
    order: Order,
    facts: Facts,
}

/// Settings, and the version of the object they were read from.
struct Versioned {
    prepared: Prepared,
    tag: String,
}

impl Source {
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

struct Running {
    source: Source,
    settings: Versioned,
    file: SettingsFile,
    root: PathBuf,
    times: Times,
}

impl Running {
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
            let services = Services::start(names, &self.root, self.file.path(), self.times);
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
