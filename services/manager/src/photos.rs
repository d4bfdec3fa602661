//! Deleting all data, and sweeping objects that nothing names.

use std::time::Duration;

use crate::bucket::{Bucket, BucketError};
use crate::caches::{self, CachesError};
use crate::keeper::Keeper;
use crate::nodes::Nodes;
use crate::reconcile::chain;

/// Where photos are in the bucket.
pub const PREFIX: &str = "photos/";
/// An upload may take this long before its object counts as abandoned.
const ORPHAN_AGE: Duration = Duration::from_secs(600);
const SWEEP_EVERY: Duration = Duration::from_secs(60);
const SWEEP_BATCH: u32 = 500;
/// Objects removed between two reports of progress: what one call removes.
const BATCH: usize = 1000;

/// How far a deletion has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Objects to be removed, once that is known.
    pub objects: u64,
    /// Objects removed already.
    pub removed: u64,
}

/// What a deletion has deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Photos in the database.
    pub photos: u64,
    /// Objects in the bucket, with those that no photo named.
    pub objects: u64,
}

/// Why not everything was deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// Nothing was deleted: which caches would have to be cleared is for another manager to say.
    #[error("nothing was deleted: the manager does not lead the pool at the moment; try again")]
    NotLeading,
    /// Nothing was deleted.
    #[error("nothing was deleted")]
    Catalog(#[from] catalog::Error),
    /// Rows are gone, a cache is not surely empty.
    #[error("the photos are forgotten, but not every cache is empty yet; delete again")]
    Caches(#[from] CachesError),
    /// Rows and caches are gone, objects are not.
    #[error(
        "the photos are forgotten, but their objects are not all removed yet; delete again, or \
         they are swept within ten minutes"
    )]
    Bucket(#[from] BucketError),
}

/// Deletes all photos: rows first, so that no cache is filled from them again; then all caches; then
/// the objects, strays included. Uploads that are being made meanwhile stay.
///
/// # Errors
/// Says what is deleted and what is not. Doing it again continues.
pub async fn delete_all(
    keeper: &Keeper,
    nodes: &Nodes,
    bucket: &impl Bucket,
    tell: impl Fn(Progress),
) -> Result<Deleted, DeleteError> {
    if keeper.state().is_none() {
        return Err(DeleteError::NotLeading);
    }
    let catalog = keeper.catalog();
    let forgotten = catalog.delete_all_photos().await?;
    caches::clear(keeper, nodes).await?;
    let listed = bucket.list(PREFIX).await?.into_iter();
    let listed: Vec<_> = listed.map(|object| object.key).collect();
    // What was forgotten is among them: no photo names it any more.
    let unknown = catalog.unknown_objects(&listed).await?;
    let mut progress = Progress {
        objects: unknown.len() as u64,
        removed: 0,
    };
    for batch in unknown.chunks(BATCH) {
        tell(progress);
        bucket.delete(batch).await?;
        progress.removed += batch.len() as u64;
    }
    catalog.forget_orphans(&forgotten.objects).await?;
    let deleted = Deleted {
        photos: forgotten.photos,
        objects: progress.removed,
    };
    tracing::info!(
        photos = deleted.photos,
        objects = deleted.objects,
        "deleted all photos"
    );
    Ok(deleted)
}

/// Removes old orphans from the bucket, for ever.
pub async fn sweep(keeper: Keeper, bucket: impl Bucket) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        if keeper.state().is_none() {
            continue;
        }
        match sweep_once(&keeper, &bucket, ORPHAN_AGE).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "removed orphaned objects"),
            Err(error) => tracing::warn!(error = chain(&error), "sweeping orphaned objects"),
        }
    }
}

/// Removes the orphans of at least `age`; answers how many.
///
/// # Errors
/// When the database or the bucket fails; what was taken is taken again the next time.
pub async fn sweep_once(
    keeper: &Keeper,
    bucket: &impl Bucket,
    age: Duration,
) -> Result<usize, DeleteError> {
    let catalog = keeper.catalog();
    let objects = catalog.take_orphans(age, SWEEP_BATCH).await?;
    if !objects.is_empty() {
        bucket.delete(&objects).await?;
        catalog.forget_orphans(&objects).await?;
    }
    Ok(objects.len())
}
