//! The photo front-end of the elastic cache: the endpoints that clients and graders use, and the
//! pages that people use.
//!
//! A photo's key leads to an object of the bucket (PostgreSQL says which), and to a cache node (the
//! manager's table says which). [`store`] puts the three together; `api` and `pages` are two ways
//! to it.

#![forbid(unsafe_code)]

mod api;
pub mod failure;
pub mod form;
pub mod image;
pub mod key;
pub mod objects;
mod pages;
mod passing;
pub mod photo;
pub mod pool;
pub mod served;
pub mod settings;
pub mod spool;
pub mod store;
pub mod upload;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catalog::Catalog;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use kit::body::{Body, Incoming};
use kit::client::Client;
use kit::door::{Door, NoToken};
use kit::events::Listeners;
use kit::health::Health;
use kit::metrics::{Counter, Registry};
use kit::server::{Drained, Server};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::key::Key;
use crate::objects::Objects;
use crate::pages::Pages;
use crate::pool::Pool;
use crate::settings::Settings;
use crate::spool::{Folder, Spool};
use crate::store::Store;

/// How many pages are told of changes of the pool at a time: a quarter of the connections that the
/// server takes, so that most are left for photos.
const MOST_LISTENERS: usize = 256;

/// How long uploads and fills that nobody waits for may take once the service is asked to stop.
const LAST_TASKS: Duration = Duration::from_secs(5);

/// Why the front-end could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder for uploads cannot be used.
    #[error("opening the folder for uploads, {path}")]
    Folder {
        /// The folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The settings of the database cannot be used.
    #[error("reading the database's settings")]
    Database(#[from] catalog::Error),
    /// A page does not compile.
    #[error("compiling the pages")]
    Pages(#[from] Box<handlebars::TemplateError>),
    /// The API is to be closed, and a secret for that is not there.
    #[error("closing the API")]
    Closing(#[from] Closing),
}

/// Why the API cannot be closed as the settings say.
#[derive(Debug, thiserror::Error)]
pub enum Closing {
    /// Nobody could open it.
    #[error(transparent)]
    Token(#[from] NoToken),
    /// Nobody who has logged in could be recognised.
    #[error("the settings say `api: token`, and there is no `session-key` among the secrets")]
    SessionKey,
}

/// What every request needs.
pub(crate) struct FrontEnd {
    store: Arc<Store>,
    folder: Folder,
    door: Door,
    pages: Pages,
    http: Client,
    /// `address:port`.
    manager: String,
    upload_limit: u64,
    images_only: bool,
    uploads: Counter,
}

/// Serves on `listener` until `shutdown`; the database, the bucket and the manager may come up later
/// and go away in between. Uploads that outgrow memory wait in `folder`.
///
/// # Errors
/// When the settings or the folder cannot be used.
pub fn run<'a>(
    settings: &'a Settings,
    bucket: aws_sdk_s3::Client,
    folder: &'a Path,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> BoxFuture<'a, Result<Drained, StartError>> {
    // Boxed, so that it is compiled here and not in every program and test that awaits it.
    async move {
        let metrics = Registry::new();
        let listeners = Listeners::new(MOST_LISTENERS, shutdown.clone());
        let front_end = FrontEnd::new(settings, bucket, folder, listeners, &metrics)?;
        let front_end = Arc::new(front_end);
        let store = front_end.store.clone();
        let tasks = store.tasks.clone();
        let (pool, stop) = (store.pool.clone(), shutdown.clone());
        tasks.spawn(async move { pool.follow(stop).await });
        let (preparing, stop) = (store.clone(), shutdown.clone());
        tasks.spawn(async move { preparing.prepare(&stop).await });
        let mut server = Server::new(health(&store), metrics);
        if front_end.pages.need_login() {
            server = server.tell_peers();
        }
        let drained = server
            .serve(
                listener,
                move |request| {
                    // In a box: hyper moves what it is given, and uploads are large futures.
                    Box::pin(front_end.clone().answer(request))
                },
                shutdown,
            )
            .await;
        tasks.close();
        if tokio::time::timeout(LAST_TASKS, tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(tasks = tasks.len(), "stopped with work left");
        }
        Ok(drained)
    }
    .boxed()
}

fn health(store: &Arc<Store>) -> Health {
    let health = Health::new();
    let asked = store.clone();
    health.probe("database", move || {
        let store = asked.clone();
        async move {
            let catalog = store.catalog().map_err(|failure| failure.message)?;
            catalog.ping().await.map_err(|error| told(&error))
        }
    });
    let asked = store.clone();
    health.probe("bucket", move || {
        let store = asked.clone();
        async move { store.objects.check().await.map_err(|error| told(&error)) }
    });
    health
}

/// An error with its causes, in one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl FrontEnd {
    fn new(
        settings: &Settings,
        bucket: aws_sdk_s3::Client,
        folder: &Path,
        listeners: Listeners,
        metrics: &Registry,
    ) -> Result<Self, StartError> {
        let path = || folder.display().to_string();
        let folder = Folder::open(folder).map_err(|source| StartError::Folder {
            path: path(),
            source,
        })?;
        let catalog = Catalog::connect(
            &settings.database,
            settings.secrets.database_password.expose(),
        )?;
        let http = Client::new();
        let manager =
            std::net::SocketAddr::new(settings.instance.address, settings.manager.port).to_string();
        let pool = Arc::new(Pool::new(
            &manager,
            &settings.secrets.internal_token,
            &http,
            metrics,
        ));
        let objects = Objects::new(bucket, settings.bucket.clone());
        let door = Door::new(settings.api, settings.secrets.api_token.as_ref());
        Ok(Self {
            pages: Pages::new(settings, pool.clone(), listeners)?,
            store: Arc::new(Store::new(catalog, objects, pool)),
            folder,
            door: door.map_err(Closing::from)?,
            http,
            manager,
            upload_limit: settings.front_end.upload_limit,
            images_only: settings.front_end.images_only,
            uploads: metrics.counter("uploads_total", "Photos uploaded", &[]),
        })
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        if path == "/api" || path.starts_with("/api/") {
            api::answer(&self, request).await
        } else {
            pages::answer(&self, request).await
        }
    }

    /// Stores a photo that came in whole, by whichever door.
    async fn store_photo(&self, key: Key, file: Spool) -> Result<(), Failure> {
        if self.images_only && !file.kind().is_image() {
            let message = "the file is no image, and only images are taken here; send a PNG, JPEG, GIF, WebP, AVIF, SVG or the like";
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        self.store.catalog()?;
        self.store.upload(key, file).await?;
        self.uploads.increment();
        Ok(())
    }
}
