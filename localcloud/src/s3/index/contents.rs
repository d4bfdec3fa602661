//! What is in a bucket, and how it changes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::s3::object::{Object, Part, Upload};
use crate::s3::versions::{Past, PastVersions};

/// One change of the index.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    Put {
        key: String,
        object: Arc<Object>,
    },
    Delete {
        key: String,
    },
    /// A delete marker, where versions are kept.
    Mark {
        key: String,
        id: String,
        at: u64,
    },
    DeleteVersion {
        key: String,
        id: String,
    },
    /// What is older than all that the log has said of the key so far.
    Older {
        key: String,
        past: Past,
    },
    Begin {
        id: String,
        upload: Box<Upload>,
    },
    Part {
        id: String,
        number: i32,
        part: Arc<Part>,
    },
    Complete {
        id: String,
        key: String,
        object: Arc<Object>,
    },
    Abort {
        id: String,
    },
}

impl Change {
    /// The file this change brings in, with its size.
    pub(super) fn file(&self) -> Option<(&str, u64)> {
        match self {
            Self::Put { object, .. } | Self::Complete { object, .. } => {
                Some((&object.file, object.size))
            }
            Self::Part { part, .. } => Some((&part.file, part.size)),
            Self::Older { past, .. } => {
                let object = past.object.as_ref();
                object.map(|object| (object.file.as_str(), object.size))
            }
            Self::Delete { .. }
            | Self::Mark { .. }
            | Self::DeleteVersion { .. }
            | Self::Begin { .. }
            | Self::Abort { .. } => None,
        }
    }
}

/// All that is alive in a bucket.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) objects: BTreeMap<String, Arc<Object>>,
    pub(crate) past: PastVersions,
    /// By upload id.
    pub(crate) uploads: BTreeMap<String, Upload>,
}

impl Contents {
    /// Makes the change and returns the files that nothing refers to any more.
    pub(super) fn apply(&mut self, change: Change) -> Vec<String> {
        match change {
            Change::Put { key, object } => self.place(key, object),
            Change::Delete { key } => self
                .objects
                .remove(&key)
                .map(|gone| gone.file.clone())
                .into_iter()
                .collect(),
            Change::Mark { key, id, at } => {
                self.mark_deleted(key, id, at);
                Vec::new()
            }
            Change::DeleteVersion { key, id } => {
                self.remove_version(&key, &id).into_iter().collect()
            }
            Change::Older { key, past } => {
                self.past.entry(key).or_default().push(past);
                Vec::new()
            }
            Change::Begin { id, upload } => {
                self.uploads.insert(id, *upload);
                Vec::new()
            }
            Change::Part { id, number, part } => match self.uploads.get_mut(&id) {
                Some(upload) => upload
                    .parts
                    .insert(number, part)
                    .map(|old| old.file.clone())
                    .into_iter()
                    .collect(),
                None => vec![part.file.clone()],
            },
            Change::Complete { id, key, object } => {
                let mut gone = self.end(&id);
                gone.retain(|file| *file != object.file);
                gone.extend(self.place(key, object));
                gone
            }
            Change::Abort { id } => self.end(&id),
        }
    }

    fn place(&mut self, key: String, object: Arc<Object>) -> Vec<String> {
        if object.version.is_some() {
            self.retire_current(&key);
        }
        let file = object.file.clone();
        match self.objects.insert(key, object) {
            Some(old) if old.file != file => vec![old.file.clone()],
            _ => Vec::new(),
        }
    }

    fn end(&mut self, id: &str) -> Vec<String> {
        let Some(upload) = self.uploads.remove(id) else {
            return Vec::new();
        };
        upload
            .parts
            .values()
            .map(|part| part.file.clone())
            .collect()
    }

    pub(super) fn changes(&self) -> impl Iterator<Item = Change> + '_ {
        let objects = self.objects.iter().map(|(key, object)| Change::Put {
            key: key.clone(),
            object: Arc::clone(object),
        });
        let uploads = self.uploads.iter().map(|(id, upload)| Change::Begin {
            id: id.clone(),
            upload: Box::new(upload.clone()),
        });
        let past = self.past.iter().flat_map(|(key, versions)| {
            versions.iter().map(|past| Change::Older {
                key: key.clone(),
                past: past.clone(),
            })
        });
        objects.chain(past).chain(uploads)
    }

    pub(super) fn len(&self) -> usize {
        let past: usize = self.past.values().map(Vec::len).sum();
        self.objects.len() + past + self.uploads.len()
    }

    pub(super) fn files(&self) -> HashSet<&str> {
        let objects = self.objects.values().map(|object| object.file.as_str());
        let parts = self
            .uploads
            .values()
            .flat_map(|upload| upload.parts.values())
            .map(|part| part.file.as_str());
        let past = self.past.values().flatten();
        let past = past.filter_map(|past| Some(past.object.as_ref()?.file.as_str()));
        objects.chain(past).chain(parts).collect()
    }
}
