//! Where a photo came from, and how long that took: told in headers beside its bytes.

use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use kit::pool::Table;

use crate::photo::Photo;

/// The instance whose cache node was asked.
pub const SERVED_BY: HeaderName = HeaderName::from_static("x-bivouac-served-by");
/// What came of it: `hit`, `miss` or `read-through`; `unchanged` where the reader had the bytes.
pub const CACHE: HeaderName = HeaderName::from_static("x-bivouac-cache");
/// The node's place in the pool and the pool's size, counted from 1: `2 of 4`.
pub const NODE: HeaderName = HeaderName::from_static("x-bivouac-node");
/// <https://www.w3.org/TR/server-timing/>, which browsers show beside a request.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The node that owns a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// EC2 instance id.
    pub instance: String,
    /// Its place in the pool, counted from 0.
    pub place: usize,
    /// How many places the pool has.
    pub places: usize,
}

impl Owner {
    /// Who owns `key` by `table`; `None` while its place is empty.
    #[must_use]
    pub fn of(table: &Table, key: &str) -> Option<Self> {
        let (place, member) = table.place_of(key)?;
        Some(Self {
            instance: member.instance.clone(),
            place,
            places: table.nodes.len(),
        })
    }

    /// The place as people count: `2 of 4`.
    #[must_use]
    pub fn place_told(&self) -> String {
        format!("{} of {}", self.place + 1, self.places)
    }
}

/// What came of asking for a photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The owner had it.
    Hit(Owner),
    /// The owner did not have it: it came from the bucket, and the owner was offered it.
    Miss(Owner),
    /// Nobody could be asked: it came from the bucket.
    ReadThrough,
}

impl Outcome {
    /// Tells in `headers` what came of it, and who was asked.
    pub fn tell(self, headers: &mut HeaderMap) {
        headers.insert(CACHE, HeaderValue::from_static(self.as_str()));
        let owner = match self {
            Self::Hit(owner) | Self::Miss(owner) => Some(owner),
            Self::ReadThrough => None,
        };
        // The id moves into the header: this is on the way of every read.
        let instance = owner.and_then(|owner| HeaderValue::try_from(owner.instance).ok());
        if let Some(instance) = instance {
            headers.insert(SERVED_BY, instance);
        }
    }

    /// Tells the node's place and the time too, for a page that shows them.
    pub fn tell_all(self, took: Duration, headers: &mut HeaderMap) {
        tell_time(headers, self.as_str(), took);
        if let Self::Hit(owner) | Self::Miss(owner) = &self
            && let Ok(place) = HeaderValue::try_from(owner.place_told())
        {
            headers.insert(NODE, place);
        }
        self.tell(headers);
    }

    fn as_str(&self) -> &'static str {
        match self {
            Self::Hit(_) => "hit",
            Self::Miss(_) => "miss",
            Self::ReadThrough => "read-through",
        }
    }
}

/// Tells that the reader has the bytes already, and how long it took to know.
pub fn tell_unchanged(took: Duration, headers: &mut HeaderMap) {
    headers.insert(CACHE, HeaderValue::from_static("unchanged"));
    tell_time(headers, "unchanged", took);
}

fn tell_time(headers: &mut HeaderMap, outcome: &str, took: Duration) {
    let milliseconds = took.as_secs_f64() * 1e3;
    let timing = format!("photo;desc=\"{outcome}\";dur={milliseconds:.3}");
    if let Ok(timing) = HeaderValue::try_from(timing) {
        headers.insert(SERVER_TIMING, timing);
    }
}

/// A photo, where it came from and how long it took to get here.
#[derive(Debug)]
pub struct Served {
    /// The photo.
    pub photo: Photo,
    /// Where it came from.
    pub outcome: Outcome,
    /// From asking until all bytes were here.
    pub took: Duration,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn owner() -> Owner {
        let nodes =
            serde_json::json!({"epoch": 7, "nodes": [null, {"instance": "i-1", "address": "a:1"}]});
        let table: Table = serde_json::from_value(nodes).unwrap();
        // k1 is in partition 11, k2 in 6.
        assert_eq!(Owner::of(&table, "k2"), None);
        Owner::of(&table, "k1").unwrap()
    }

    fn told(tell: impl FnOnce(&mut HeaderMap)) -> Vec<String> {
        let mut headers = HeaderMap::new();
        tell(&mut headers);
        let mut lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn readers_are_told_who_was_asked_and_what_came_of_it() {
        assert_eq!(
            told(|headers| Outcome::Hit(owner()).tell(headers)),
            ["x-bivouac-cache: hit", "x-bivouac-served-by: i-1"]
        );
        assert_eq!(
            told(|headers| Outcome::ReadThrough.tell(headers)),
            ["x-bivouac-cache: read-through"]
        );
    }

    #[test]
    fn pages_are_told_the_place_and_the_time_too() {
        let took = Duration::from_micros(1840);
        assert_eq!(
            told(|headers| Outcome::Miss(owner()).tell_all(took, headers)),
            [
                "server-timing: photo;desc=\"miss\";dur=1.840",
                "x-bivouac-cache: miss",
                "x-bivouac-node: 2 of 2",
                "x-bivouac-served-by: i-1"
            ]
        );
        assert_eq!(
            told(|headers| tell_unchanged(took, headers)),
            [
                "server-timing: photo;desc=\"unchanged\";dur=1.840",
                "x-bivouac-cache: unchanged"
            ]
        );
    }
}
