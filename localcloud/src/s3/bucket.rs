//! One bucket: its settings, and its index under a lock.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use s3s::dto::{BucketLifecycleConfiguration, PublicAccessBlockConfiguration};
use s3s::{S3Error, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::error::internal;
use super::index::{self, Change, Contents, Index};
use super::object::{Object, now};
use super::receive::NewFile;
use super::versions;
use crate::state::write_atomically;

const SETTINGS: &str = "bucket.json";

/// What is set on a bucket as a whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Settings {
    pub(crate) region: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    /// New buckets block all public access.
    #[serde(default)]
    pub(crate) public_access_block: Option<PublicAccessBlockConfiguration>,
    #[serde(default)]
    pub(crate) lifecycle: Option<BucketLifecycleConfiguration>,
    /// Whether old versions are kept.
    #[serde(default)]
    pub(crate) versioning: bool,
}

/// A bucket that is there.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    folder: PathBuf,
    durable: bool,
    settings: Mutex<Settings>,
    index: Mutex<Index>,
    deleted: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bucket {
    /// Writes a new, empty bucket to `folder`, which must not be there yet.
    pub(crate) fn create(
        folder: &Path,
        name: &str,
        settings: &Settings,
        durable: bool,
    ) -> io::Result<()> {
        fs::create_dir(folder)?;
        fs::create_dir(index::files(folder))?;
        write_settings(folder, settings, durable)?;
        tracing::info!(bucket = name, region = settings.region, "bucket created");
        Ok(())
    }

    /// Reads a bucket from its folder. A folder without settings is one whose creation was
    /// interrupted: it was never answered, so it is no bucket.
    pub(crate) fn open(folder: PathBuf, name: String, durable: bool) -> io::Result<Option<Self>> {
        let settings = match fs::read(folder.join(SETTINGS)) {
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => serde_json::from_slice(&other?)?,
        };
        let index = Index::open(&folder, durable)?;
        Ok(Some(Self {
            name,
            folder,
            durable,
            settings: Mutex::new(settings),
            index: Mutex::new(index),
            deleted: AtomicBool::new(false),
        }))
    }

    /// Where new data files of this bucket go.
    pub(crate) fn files(&self) -> PathBuf {
        index::files(&self.folder)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn region(&self) -> String {
        lock(&self.settings).region.clone()
    }

    pub(crate) fn settings(&self) -> Settings {
        lock(&self.settings).clone()
    }

    /// Changes the settings and has them on disk before it returns.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Settings)) -> S3Result<()> {
        let mut settings = lock(&self.settings);
        let mut next = settings.clone();
        change(&mut next);
        write_settings(&self.folder, &next, self.durable).map_err(internal)?;
        *settings = next;
        Ok(())
    }

    /// Reads the contents. Nobody else can while `read` runs: keep it short.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&Contents) -> R) -> R {
        read(lock(&self.index).contents())
    }

    /// The object under a key.
    pub(crate) fn object(&self, key: &str) -> S3Result<Arc<Object>> {
        self.read(|contents| contents.objects.get(key).cloned())
            .ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
    }

    /// The object under a key and its file, opened: it can be read to its end even if it is
    /// replaced meanwhile.
    pub(crate) fn open_object(&self, key: &str) -> S3Result<(Arc<Object>, File)> {
        loop {
            let object = self.object(key)?;
            match File::open(self.files().join(&object.file)) {
                Ok(file) => return Ok((object, file)),
                // Replaced between looking it up and opening it.
                Err(failure)
                    if failure.kind() == io::ErrorKind::NotFound && !self.still(key, &object) => {}
                Err(failure) => return Err(internal(failure)),
            }
        }
    }

    fn still(&self, key: &str, object: &Arc<Object>) -> bool {
        self.object(key).is_ok_and(|now| Arc::ptr_eq(&now, object))
    }

    /// Decides on changes with nobody else changing anything, makes them, and returns when they are
    /// durable. `data` is the new file a change refers to, if there is one. Blocks on the disk.
    pub(crate) fn commit(
        &self,
        mut data: Option<(&mut NewFile, &File)>,
        decide: impl FnOnce(&Contents) -> S3Result<Vec<Change>>,
    ) -> S3Result<()> {
        let keeps_versions = lock(&self.settings).versioning;
        let pending = {
            let mut index = lock(&self.index);
            if self.deleted.load(Ordering::Acquire) {
                return Err(no_such_bucket());
            }
            let mut changes = decide(index.contents())?;
            if keeps_versions {
                changes = changes.into_iter().map(kept).collect();
            }
            if changes.is_empty() {
                return Ok(());
            }
            let pending = index.change(changes).map_err(internal)?;
            if let Some((file, _)) = &mut data {
                file.keep();
            }
            pending
        };
        pending.settle(data.map(|(_, file)| file)).map_err(internal)
    }

    /// Takes the bucket out of use if nothing is in it.
    pub(crate) fn retire(&self) -> S3Result<()> {
        let index = lock(&self.index);
        let contents = index.contents();
        let holds_nothing =
            contents.objects.is_empty() && contents.past.is_empty() && contents.uploads.is_empty();
        if !holds_nothing {
            return Err(s3_error!(
                BucketNotEmpty,
                "The bucket you tried to delete is not empty"
            ));
        }
        if self.deleted.swap(true, Ordering::AcqRel) {
            return Err(no_such_bucket());
        }
        Ok(())
    }
}

/// A change as it is where old versions are kept.
fn kept(mut change: Change) -> Change {
    match &mut change {
        Change::Put { object, .. } | Change::Complete { object, .. } => {
            Arc::make_mut(object).version = Some(versions::new_id());
        }
        Change::Delete { key } => {
            change = Change::Mark {
                key: std::mem::take(key),
                id: versions::new_id(),
                at: now(),
            };
        }
        _ => {}
    }
    change
}

/// The answer when a bucket is not there.
pub(crate) fn no_such_bucket() -> S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

fn write_settings(folder: &Path, settings: &Settings, durable: bool) -> io::Result<()> {
    write_atomically(
        &folder.join(SETTINGS),
        &serde_json::to_vec(settings)?,
        durable,
    )
}
