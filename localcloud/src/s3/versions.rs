//! Old versions of objects, and the markers that stand for deleted ones.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html>

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::index::Contents;
use super::object::Object;

/// The id of what was stored before versions were kept.
pub(crate) const NULL: &str = "null";

/// A version of a key that is not the current object: an older one, or a delete marker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Past {
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) at: u64,
    /// None of a delete marker.
    pub(crate) object: Option<Arc<Object>>,
}

/// The past versions of each key, the newest first. A key without a current object whose newest is a
/// marker is deleted.
pub(crate) type PastVersions = BTreeMap<String, Vec<Past>>;

/// A new version's id.
pub(crate) fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

impl Object {
    pub(crate) fn version_id(&self) -> &str {
        self.version.as_deref().unwrap_or(NULL)
    }
}

impl Contents {
    /// Makes the current object of a key the newest of its past ones.
    pub(super) fn retire_current(&mut self, key: &str) {
        if let Some(object) = self.objects.remove(key) {
            let past = Past {
                id: object.version_id().to_owned(),
                at: object.modified,
                object: Some(object),
            };
            self.past.entry(key.to_owned()).or_default().insert(0, past);
        }
    }

    pub(super) fn mark_deleted(&mut self, key: String, id: String, at: u64) {
        self.retire_current(&key);
        let marker = Past {
            id,
            at,
            object: None,
        };
        self.past.entry(key).or_default().insert(0, marker);
    }

    /// Whether there is that version of a key.
    pub(crate) fn has_version(&self, key: &str, id: &str) -> bool {
        let current = self.objects.get(key);
        let mut past = self.past.get(key).into_iter().flatten();
        current.is_some_and(|object| object.version_id() == id) || past.any(|past| past.id == id)
    }

    /// Removes a version for good, and returns the file it was in. The newest of those that are left
    /// becomes the current object, unless it is a marker.
    pub(super) fn remove_version(&mut self, key: &str, id: &str) -> Option<String> {
        let is_current = (self.objects.get(key)).is_some_and(|object| object.version_id() == id);
        let gone = if is_current {
            self.objects.remove(key)
        } else {
            let past = self.past.get_mut(key)?;
            let place = past.iter().position(|past| past.id == id)?;
            past.remove(place).object
        };
        self.promote(key);
        gone.map(|object| object.file.clone())
    }

    fn promote(&mut self, key: &str) {
        let Some(past) = self.past.get_mut(key) else {
            return;
        };
        let is_object = past.first().is_some_and(|newest| newest.object.is_some());
        if is_object && !self.objects.contains_key(key) {
            let newest = past.remove(0);
            self.objects
                .extend(newest.object.map(|object| (key.to_owned(), object)));
        }
        if past.is_empty() {
            self.past.remove(key);
        }
    }
}

/// One version, as it is listed.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) is_latest: bool,
    pub(crate) at: u64,
    /// None of a delete marker.
    pub(crate) object: Option<Arc<Object>>,
}

/// After which version a listing goes on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct After<'a> {
    pub(crate) key: &'a str,
    /// Where it is empty: after all of that key.
    pub(crate) id: &'a str,
}

/// A page of the versions below a prefix, by key and the newest first, and whether there are more.
pub(crate) fn page(
    contents: &Contents,
    prefix: &str,
    after: After<'_>,
    limit: usize,
) -> (Vec<Version>, bool) {
    let from = prefix.max(after.key).to_owned();
    let mut objects = contents.objects.range(from.clone()..).peekable();
    let mut past = contents.past.range(from..).peekable();
    let mut found = Vec::new();
    while let Some(key) = next_key(&mut objects, &mut past)
        && key.starts_with(prefix)
        && found.len() <= limit
    {
        let current = objects.next_if(|(other, _)| *other == key);
        let older = past.next_if(|(other, _)| *other == key);
        let of_key = versions_of(key, current.map(|(_, o)| o), older.map(|(_, p)| p));
        if key == after.key {
            let rest = of_key.into_iter().skip_while(|v| v.id != after.id).skip(1);
            found.extend(rest);
        } else {
            found.extend(of_key);
        }
    }
    let has_more = found.len() > limit;
    found.truncate(limit);
    (found, has_more)
}

fn next_key<'a, A, B>(
    objects: &mut Peekable<impl Iterator<Item = (&'a String, A)>>,
    past: &mut Peekable<impl Iterator<Item = (&'a String, B)>>,
) -> Option<&'a String> {
    let one = objects.peek().map(|(key, _)| *key);
    let other = past.peek().map(|(key, _)| *key);
    one.into_iter().chain(other).min()
}

fn versions_of(key: &str, current: Option<&Arc<Object>>, past: Option<&Vec<Past>>) -> Vec<Version> {
    let current = current.map(|object| Past {
        id: object.version_id().to_owned(),
        at: object.modified,
        object: Some(Arc::clone(object)),
    });
    let all = current
        .into_iter()
        .chain(past.into_iter().flatten().cloned());
    all.enumerate()
        .map(|(place, past)| Version {
            key: key.to_owned(),
            id: past.id,
            is_latest: place == 0,
            at: past.at,
            object: past.object,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(version: &str) -> Arc<Object> {
        Arc::new(Object {
            file: format!("file-{version}"),
            version: Some(version.to_owned()),
            ..Object::default()
        })
    }

    fn ids(contents: &Contents, after: After<'_>, limit: usize) -> Vec<String> {
        let (found, _) = page(contents, "", after, limit);
        found
            .into_iter()
            .map(|v| format!("{}{}", v.key, v.id))
            .collect()
    }

    #[test]
    fn a_version_that_goes_uncovers_the_one_below_it_and_a_marker_does_not() {
        let mut contents = Contents::default();
        contents.objects.insert("a".to_owned(), object("1"));
        contents.retire_current("a");
        contents.objects.insert("a".to_owned(), object("2"));
        contents.mark_deleted("a".to_owned(), "3".to_owned(), 0);
        assert!(contents.objects.is_empty());
        assert_eq!(ids(&contents, After::default(), 9), ["a3", "a2", "a1"]);

        assert_eq!(contents.remove_version("a", "3"), None);
        assert_eq!(contents.objects["a"].version_id(), "2");
        assert_eq!(contents.remove_version("a", "2").as_deref(), Some("file-2"));
        assert_eq!(contents.objects["a"].version_id(), "1");
        assert_eq!(contents.remove_version("a", "1").as_deref(), Some("file-1"));
        assert!(contents.objects.is_empty() && contents.past.is_empty());
    }

    #[test]
    fn pages_go_on_within_a_key() {
        let mut contents = Contents::default();
        for key in ["a", "b"] {
            for version in ["1", "2", "3"] {
                contents.retire_current(key);
                contents.objects.insert(key.to_owned(), object(version));
            }
        }
        assert_eq!(ids(&contents, After::default(), 2), ["a3", "a2"]);
        let after = After { key: "a", id: "2" };
        assert_eq!(ids(&contents, after, 2), ["a1", "b3"]);
        let after = After { key: "a", id: "" };
        assert_eq!(ids(&contents, after, 9), ["b3", "b2", "b1"]);
    }
}
