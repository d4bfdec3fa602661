//! The photos as a whole: catalog, bucket and pool, put together so that no reader sees an old photo
//! once a new one was acknowledged.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use catalog::{Catalog, Place};
use kit::request_id;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::failure::Failure;
use crate::image::Kind;
use crate::key::Key;
use crate::objects::{Objects, ObjectsError};
use crate::photo::Photo;
use crate::pool::{Asked, Lease, Pool};
use crate::served::{Outcome, Served};

/// For how long a reader waits for its fill: without it, a second read right after the first could
/// miss again.
const FILL_WAIT: Duration = Duration::from_millis(500);

/// Pauses while the database cannot be brought up to date, growing.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How far before the last upload one may have been left unfinished by a crash.
const UNFINISHED: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// How many uploads may have been left unfinished.
const MOST_UNFINISHED: u32 = 200;

/// See the module.
pub struct Store {
    pub(crate) catalog: Catalog,
    pub(crate) objects: Objects,
    pub(crate) pool: Arc<Pool>,
    /// What goes on although nobody waits for it: it ends before the process does.
    pub(crate) tasks: TaskTracker,
    migrated: OnceLock<()>,
}

impl Store {
    /// Photos in `objects`, told apart by `catalog`, cached in `pool`.
    #[must_use]
    pub fn new(catalog: Catalog, objects: Objects, pool: Arc<Pool>) -> Self {
        Self {
            catalog,
            objects,
            pool,
            tasks: TaskTracker::new(),
            migrated: OnceLock::new(),
        }
    }

    /// The catalog, once its schema is known to be up to date.
    ///
    /// # Errors
    /// 503 before that.
    pub fn catalog(&self) -> Result<&Catalog, Failure> {
        self.migrated
            .get()
            .map(|()| &self.catalog)
            .ok_or_else(Failure::no_database_yet)
    }

    /// Brings the schema up to date, however long the database takes to come up; then sees to it that
    /// uploads which a crash left between commit and invalidation are invalidated.
    pub async fn prepare(&self, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = async {
                self.migrate().await;
                self.invalidate_unfinished().await;
            } => {}
        }
    }

    async fn migrate(&self) {
        let mut pause = PAUSES.0;
        while let Err(error) = self.catalog.migrate().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the database cannot be used yet"
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
        self.migrated.get_or_init(|| ());
    }

    async fn invalidate_unfinished(&self) {
        let newest = match self
            .catalog
            .list_photos("", Place::Newest, MOST_UNFINISHED)
            .await
        {
            Ok(listing) => listing.photos,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "looking for unfinished uploads"
                );
                return;
            }
        };
        let Some(last) = newest.first().map(|photo| photo.uploaded_at) else {
            return;
        };
        self.pool.known().await;
        for photo in newest
            .iter()
            .filter(|photo| last.duration_since(photo.uploaded_at) < UNFINISHED)
        {
            if let Ok(key) = Key::from_bytes(photo.key.as_bytes()) {
                self.pool.invalidate(&key).await;
            }
        }
    }

    /// The catalog's row of a key.
    ///
    /// # Errors
    /// 404 when there is none; otherwise when the database does not tell.
    pub async fn row(&self, key: &Key) -> Result<catalog::Photo, Failure> {
        let row = self.catalog()?.photo(key.as_str()).await?;
        row.ok_or_else(|| Failure::no_photo(key))
    }

    /// The photo of a key: from the node that owns it, or else from the bucket.
    ///
    /// # Errors
    /// When there is none, or when neither can be read.
    pub async fn photo(&self, key: &Key) -> Result<Served, Failure> {
        let asked = Instant::now();
        let (photo, outcome, lease) = match self.pool.ask(key).await {
            Asked::Hit(photo, owner) => (photo, Outcome::Hit(owner), None),
            Asked::Nobody => (self.read_through(key).await?, Outcome::ReadThrough, None),
            Asked::Miss(lease) => {
                let outcome = Outcome::Miss(lease.owner().clone());
                (self.read_through(key).await?, outcome, Some(lease))
            }
        };
        let served = Served {
            photo,
            outcome,
            took: asked.elapsed(),
        };
        if let Some(lease) = lease {
            self.fill(lease, key, &served.photo).await;
        }
        Ok(served)
    }

    /// Reads what the catalog says the key is *now*. A photo replaced in between may have lost its
    /// object to the sweeper: then the catalog knows a newer one.
    async fn read_through(&self, key: &Key) -> Result<Photo, Failure> {
        let row = self.row(key).await?;
        match self.read_object(&row).await {
            Err(ObjectsError::NoObject(_)) => {}
            read => return Ok(read?),
        }
        let row = self.row(key).await?;
        Ok(self.read_object(&row).await?)
    }

    async fn read_object(&self, row: &catalog::Photo) -> Result<Photo, ObjectsError> {
        let chunks = self.objects.get(&row.object).await?;
        Ok(Photo::new(Kind::of_content_type(&row.content_type), chunks))
    }

    /// Fills the owner with the photo; the reader waits a little, the fill goes on without it.
    async fn fill(&self, lease: Lease, key: &Key, photo: &Photo) {
        let (pool, key, copy) = (self.pool.clone(), key.clone(), photo.clone());
        let filling = self.in_background(async move { pool.fill(lease, &key, &copy).await });
        if tokio::time::timeout(FILL_WAIT, filling).await.is_err() {
            tracing::debug!("the fill goes on while its reader is answered");
        }
    }

    /// Runs `work` to its end, whether or not the client is still there.
    pub(crate) fn in_background<F>(&self, work: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match request_id::current() {
            Some(id) => self.tasks.spawn(id.scope(work)),
            None => self.tasks.spawn(work),
        }
    }
}
