//! All buckets of the account, each a folder named after it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use s3s::{S3Result, s3_error};
use tokio::sync::OwnedRwLockReadGuard;

use super::bucket::{Bucket, Settings, no_such_bucket};
use super::durable;
use super::error::internal;

/// Prefix of a folder on its way out. No bucket name begins so.
const LEAVING: &str = ".deleted-";

/// A bucket is about to be made or removed, whether or not anybody still waits for the answer.
#[derive(Debug)]
pub(crate) struct Begun {
    /// Held, never read: what was begun has ended when this goes.
    _under_way: OwnedRwLockReadGuard<()>,
}

/// The account's buckets.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    durable: bool,
    buckets: RwLock<BTreeMap<String, Arc<Bucket>>>,
    /// Held while a bucket is made or removed: folder and map change together.
    changing: Mutex<()>,
    /// Shared by all that make or remove a bucket, from before they begin. Whoever has it alone knows
    /// that none is under way.
    under_way: Arc<tokio::sync::RwLock<()>>,
    /// Deleted ones that a listing may still show.
    departed: Mutex<Vec<Arc<Bucket>>>,
}

impl Store {
    /// Reads all buckets under `folder`. `durable` false spares the flushing to disk.
    pub(crate) fn open(folder: &Path, durable: bool) -> io::Result<Self> {
        crate::home::make_private_folder(folder)?;
        let mut buckets = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            let bucket = if s3s::path::check_bucket_name(&name) {
                Bucket::open(entry.path(), name.clone(), durable)?
            } else {
                None
            };
            match bucket {
                Some(bucket) => {
                    buckets.insert(name, Arc::new(bucket));
                }
                None => crate::home::remove_tree(&entry.path())?,
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            durable,
            buckets: RwLock::new(buckets),
            changing: Mutex::new(()),
            under_way: Arc::default(),
            departed: Mutex::default(),
        })
    }

    /// The bucket of that name.
    pub(crate) fn bucket(&self, name: &str) -> S3Result<Arc<Bucket>> {
        self.buckets
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
            .ok_or_else(no_such_bucket)
    }

    /// All buckets in the order of their names.
    pub(crate) fn buckets(&self) -> Vec<Arc<Bucket>> {
        self.buckets
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Keeps a deleted bucket for the listings that still show it.
    pub(crate) fn remember(&self, bucket: Arc<Bucket>) {
        self.departed().push(bucket);
    }

    /// All buckets, and of the deleted ones those that are still shown, in the order of their names.
    pub(crate) fn listed(&self, is_shown: impl Fn(&str) -> bool) -> Vec<Arc<Bucket>> {
        let mut listed = self.buckets();
        let mut departed = self.departed();
        departed.retain(|bucket| is_shown(&bucket.name));
        if !departed.is_empty() {
            listed.extend(departed.iter().cloned());
            listed.sort_by(|one, other| one.name.cmp(&other.name));
            listed.dedup_by(|one, other| one.name == other.name);
        }
        listed
    }

    fn departed(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Bucket>>> {
        self.departed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes before [`Store::create`] and [`Store::delete`].
    pub(crate) async fn begin(&self) -> Begun {
        Begun {
            _under_way: Arc::clone(&self.under_way).read_owned().await,
        }
    }

    /// Waits for what has begun. It goes on when its caller has died, so that without waiting
    /// nobody can say what is there, and what is not.
    pub(crate) async fn settled(&self) {
        drop(self.under_way.write().await);
    }

    /// Makes a bucket. `name` has passed the rules for bucket names: it is a safe folder name.
    pub(crate) fn create(&self, _begun: &Begun, name: &str, settings: &Settings) -> S3Result<()> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(existing) = self.bucket(name) {
            // "For legacy compatibility, if you re-create an existing bucket that you already own in
            // us-east-1, Amazon S3 returns 200 OK."
            // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
            if existing.region() == "us-east-1" && settings.region == "us-east-1" {
                return Ok(());
            }
            return Err(s3_error!(
                BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded and you already own it."
            ));
        }
        let folder = self.folder.join(name);
        crate::home::remove_tree(&folder).map_err(internal)?;
        let bucket = Bucket::create(&folder, name, settings, self.durable)
            .and_then(|()| durable::sync_folder(&self.folder))
            .and_then(|()| Bucket::open(folder, name.to_owned(), self.durable))
            .map_err(internal)?
            .ok_or_else(|| s3_error!(InternalError, "the new bucket vanished"))?;
        self.buckets
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), Arc::new(bucket));
        Ok(())
    }

    /// Removes an empty bucket.
    pub(crate) fn delete(&self, _begun: &Begun, bucket: &Bucket) -> S3Result<()> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.retire()?;
        self.buckets
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&bucket.name);
        let leaving = self
            .folder
            .join(format!("{LEAVING}{}", uuid::Uuid::new_v4().simple()));
        fs::rename(bucket.folder(), &leaving).map_err(internal)?;
        durable::sync_folder(&self.folder).map_err(internal)?;
        crate::home::remove_tree(&leaving).map_err(internal)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures::FutureExt as _;

    fn settings() -> Settings {
        Settings {
            region: "us-east-1".to_owned(),
            created: 0,
            tags: BTreeMap::new(),
            public_access_block: None,
            lifecycle: None,
            versioning: false,
        }
    }

    #[tokio::test]
    async fn who_asks_what_is_there_waits_for_a_bucket_whose_caller_has_died() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path(), false).unwrap());
        let begun = store.begin().await;
        let (go_on, told) = std::sync::mpsc::channel::<()>();
        let making = Arc::clone(&store);
        let forgotten = tokio::task::spawn_blocking(move || {
            told.recv().unwrap();
            making.create(&begun, "bucket", &settings())
        });
        drop(forgotten);

        let mut settled = Box::pin(store.settled());
        assert_eq!((&mut settled).now_or_never(), None);
        assert!(store.buckets().is_empty());
        go_on.send(()).unwrap();
        settled.await;
        let buckets = store.buckets();
        assert_eq!(buckets.len(), 1);
        assert_eq!(buckets[0].name, "bucket");
    }
}
