//! A bucket whose objects are in this process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use manager::bucket::{Bucket, BucketError, Object};
use serde_json::Value;

/// A bucket in memory.
#[derive(Clone, Default)]
pub(crate) struct FakeBucket(Arc<Mutex<Objects>>);

#[derive(Default)]
struct Objects {
    objects: BTreeMap<String, Vec<u8>>,
    is_gone: bool,
    /// Deletions wait while this is set.
    is_slow: bool,
}

impl FakeBucket {
    pub(crate) fn insert(&self, key: &str) {
        let mut objects = self.0.lock().unwrap();
        objects.objects.insert(key.to_owned(), b"photo".to_vec());
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.0.lock().unwrap().objects.keys().cloned().collect()
    }

    pub(crate) fn json(&self, key: &str) -> Option<Value> {
        let objects = self.0.lock().unwrap();
        serde_json::from_slice(objects.objects.get(key)?).ok()
    }

    pub(crate) fn write(&self, key: &str, value: &Value) {
        let mut objects = self.0.lock().unwrap();
        objects
            .objects
            .insert(key.to_owned(), value.to_string().into_bytes());
    }

    /// Every call fails from now on, or works again.
    pub(crate) fn fail(&self, is_gone: bool) {
        self.0.lock().unwrap().is_gone = is_gone;
    }

    /// Deletions wait from now on, or go on.
    pub(crate) fn slow_down(&self, is_slow: bool) {
        self.0.lock().unwrap().is_slow = is_slow;
    }

    fn objects(&self, operation: &'static str) -> Result<MutexGuard<'_, Objects>, BucketError> {
        let objects = self.0.lock().unwrap();
        if objects.is_gone {
            return Err(BucketError::new(operation, "it is gone"));
        }
        Ok(objects)
    }
}

impl Bucket for FakeBucket {
    async fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        let objects = self.objects("list")?;
        let found = objects
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix));
        let listed = found.map(|(key, content)| Object {
            key: key.clone(),
            bytes: content.len() as u64,
        });
        Ok(listed.collect())
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BucketError> {
        while self.objects("delete from")?.is_slow {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut objects = self.objects("delete from")?;
        objects.objects.retain(|key, _| !keys.contains(key));
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BucketError> {
        Ok(self.objects("read from")?.objects.get(key).cloned())
    }

    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), BucketError> {
        self.objects("write to")?
            .objects
            .insert(key.to_owned(), content);
        Ok(())
    }
}
