//! Storing a photo: noted, written, committed, invalidated, and only then acknowledged.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Commit, NewPhoto};
use uuid::Uuid;

use crate::key::Key;
use crate::objects::ObjectsError;
use crate::spool::Spool;
use crate::store::Store;

/// For how long an upload waits until no node can serve the old photo any more.
const INVALIDATION_TIME: Duration = Duration::from_secs(10);

/// How often a commit is tried whose answer was lost.
const COMMIT_ATTEMPTS: u32 = 3;

/// Why an upload was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The catalog did not take it.
    #[error("keeping the photo in the catalog")]
    Catalog(#[from] catalog::Error),
    /// The bucket did not take it.
    #[error("keeping the photo in the bucket")]
    Objects(#[from] ObjectsError),
    /// It took so long that its object was swept as abandoned.
    #[error("the upload took too long and was given up; send the photo again")]
    Expired,
    /// It is stored, but a node may serve the old photo for a little longer.
    #[error(
        "the photo is stored, but a cache node could not be told yet and may serve the one before; send it again to be sure"
    )]
    NotInvalidated,
    /// The task that stored it ended without a result.
    #[error("storing the photo broke off; send it again")]
    Ended,
}

impl Store {
    /// Makes `spool` the photo of `key`. When this returns no reader sees an older one. Once begun it
    /// goes on to its end, even if the client has gone.
    ///
    /// # Errors
    /// When the photo is not stored, or ([`UploadError::NotInvalidated`]) when it is but the pool does
    /// not know yet; then the invalidation goes on.
    pub async fn upload(self: &Arc<Self>, key: Key, spool: Spool) -> Result<(), UploadError> {
        let store = self.clone();
        let storing = self.in_background(async move {
            let stored = store.make_durable(&key, &spool).await;
            drop(spool);
            // A commit whose answer was lost may have happened: then too the pool must forget.
            let invalidating = match &stored {
                Ok(()) | Err(UploadError::Catalog(_)) => {
                    let pool = store.pool.clone();
                    Some(store.in_background(async move { pool.invalidate(&key).await }))
                }
                Err(_) => None,
            };
            stored.map(|()| invalidating)
        });
        let invalidating = storing.await.map_err(|_| UploadError::Ended)??;
        if let Some(invalidating) = invalidating {
            let in_time = tokio::time::timeout(INVALIDATION_TIME, invalidating).await;
            in_time
                .map_err(|_| UploadError::NotInvalidated)?
                .map_err(|_| UploadError::Ended)?;
        }
        Ok(())
    }

    /// Bucket first, catalog second, with a note beforehand by which the object is swept should this
    /// break off between the two.
    async fn make_durable(&self, key: &Key, spool: &Spool) -> Result<(), UploadError> {
        let object = format!("photos/{}", Uuid::new_v4());
        self.catalog.begin_upload(&object).await?;
        self.objects.put(&object, spool).await?;
        let new = NewPhoto {
            key: key.as_str(),
            object: &object,
            size: spool.length(),
            content_type: spool.kind().content_type(),
            etag: Some(spool.digest()),
        };
        match self.commit(&new).await? {
            Commit::Done { version } => {
                tracing::info!(
                    key = key.as_str(),
                    object,
                    version,
                    bytes = spool.length(),
                    "stored a photo"
                );
                Ok(())
            }
            Commit::Expired => Err(UploadError::Expired),
        }
    }

    async fn commit(&self, new: &NewPhoto<'_>) -> Result<Commit, catalog::Error> {
        let mut attempt = 1;
        loop {
            match self.catalog.commit_upload(new).await {
                Err(error) if error.is_unavailable() && attempt < COMMIT_ATTEMPTS => attempt += 1,
                ended => return ended,
            }
        }
    }
}
