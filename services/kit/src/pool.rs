//! What the front-end, the manager and the nodes of a pool say to each other (JSON bodies and
//! header names; see docs/ARCHITECTURE.md for who calls whom).

use http::header::HeaderName;
use serde::{Deserialize, Serialize};

/// The epoch of the table a request was routed by, and in a refusal the node's own.
pub const EPOCH: HeaderName = HeaderName::from_static("x-bivouac-epoch");
/// The lease a miss gave out, to be presented by the fill.
pub const LEASE: HeaderName = HeaderName::from_static("x-bivouac-lease");
/// `no` in the answer to a fill whose value does not fit the node.
pub const STORED: HeaderName = HeaderName::from_static("x-bivouac-stored");
/// Which run of a node's program hands over: what an earlier one sent may still be on its way.
pub const LIFE: HeaderName = HeaderName::from_static("x-bivouac-life");
/// The run of the new owner's program for which an entry is meant.
pub const HEIR_LIFE: HeaderName = HeaderName::from_static("x-bivouac-heir-life");
/// Where in the order of its life a node saw what it hands over, so that nothing overtakes.
pub const SEQUENCE: HeaderName = HeaderName::from_static("x-bivouac-sequence");

/// What a full node gives up first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// The entry that has not been asked for the longest.
    Lru,
    /// Any entry.
    Random,
    /// The longest there of those not asked for lately, as SIEVE finds it.
    Sieve,
}

/// `PUT /configuration` of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Configuration {
    /// Bytes of keys and values that a node may hold.
    pub capacity: u64,
    /// What it gives up first.
    pub policy: Policy,
}

/// `PUT /table` of a node: its place in the pool, and for how long it may serve. The answer is empty,
/// or [`Progress`] if a hand-over is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Place {
    /// Whom it is for: a node that has got the address of another refuses it. `None` is anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The epoch of the table.
    pub epoch: u64,
    /// Orders what is said within an epoch: what was said earlier may arrive later.
    #[serde(default)]
    pub revision: u64,
    /// This node's place, counted from 0.
    pub position: usize,
    /// How many places the table has.
    pub nodes: usize,
    /// For how many milliseconds from now the node may serve.
    pub lease_ms: u64,
    /// The hand-over that led from the table before to this one: what it brought here is the node's
    /// own from now on. 0 if there was none.
    #[serde(default)]
    pub taken: u64,
    /// The hand-over that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand_over: Option<HandOver>,
}

/// A hand-over: the table that shall come next. Each node sends what will be another's to that one,
/// while it still serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HandOver {
    /// Its number; grows from one to the next.
    pub number: u64,
    /// The nodes of the coming table, in order; `None` is a place that will be empty.
    pub nodes: Vec<Option<Member>>,
}

/// How far a node has come with a hand-over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Progress {
    /// Which hand-over.
    pub number: u64,
    /// Entries that their new owners have.
    pub moved: u64,
    /// The bytes of these.
    pub moved_bytes: u64,
    /// Entries still to be sent.
    pub left: u64,
}

/// `POST /clear` of a node; without a body no hand-over is void.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Clear {
    /// Hand-overs up to this number bring nothing more: what they carry is from before the clear.
    pub void_through: u64,
}

/// `GET /internal/table` of the manager: who owns what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Table {
    /// Grows with every change.
    pub epoch: u64,
    /// The nodes in the order of joining; `None` is a place whose node is dead and being replaced.
    pub nodes: Vec<Option<Member>>,
}

/// A node in the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Member {
    /// EC2 instance id.
    pub instance: String,
    /// `address:port` of its cache-node.
    pub address: String,
}

impl HandOver {
    /// Who will own a partition; `None` if nobody will.
    #[must_use]
    pub fn heir(&self, partition: u8) -> Option<&Member> {
        let place = usize::from(partition).checked_rem(self.nodes.len())?;
        self.nodes.get(place)?.as_ref()
    }
}

impl Table {
    /// The node that owns `key`; `None` when there is none to ask and the reader reads through.
    #[must_use]
    pub fn owner(&self, key: &str) -> Option<&Member> {
        self.place_of(key).map(|(_, member)| member)
    }

    /// As [`Table::owner`], with its place, counted from 0.
    #[must_use]
    pub fn place_of(&self, key: &str) -> Option<(usize, &Member)> {
        let place = crate::placement::owner(key, self.nodes.len())?;
        Some((place, self.nodes.get(place)?.as_ref()?))
    }
}

/// What was counted over some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    /// Requests for entries: reads, fills and invalidations.
    pub requests: u64,
    /// Reads that found their entry.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// All reads.
    pub lookups: u64,
}

/// `GET /statistics` of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Statistics {
    /// EC2 instance id.
    pub instance: String,
    /// The epoch of its table, 0 before the first.
    pub epoch: u64,
    /// The newest hand-over it has heard of, 0 before the first.
    #[serde(default)]
    pub hand_over: u64,
    /// Bytes it may hold.
    pub capacity: u64,
    /// What it gives up first.
    pub policy: Policy,
    /// Entries it holds.
    pub items: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Counted since it started.
    #[serde(flatten)]
    pub total: Counts,
    /// Counted in the last 60 s, in steps of 5 s, the running step included.
    pub last_minute: Counts,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn the_wire_form_is_the_documented_one() {
        let place: Place =
            serde_json::from_str(r#"{"epoch":7,"position":0,"nodes":2,"lease-ms":2000}"#).unwrap();
        assert_eq!((place.epoch, place.lease_ms), (7, 2000));
        assert_eq!((place.taken, place.hand_over), (0, None));
        let place: Place = serde_json::from_str(
            r#"{"instance":"i-1","epoch":7,"position":0,"nodes":1,"lease-ms":2000,"taken":3,
                "hand-over":{"number":4,"nodes":[{"instance":"i-1","address":"127.77.0.17:5003"},null]}}"#,
        )
        .unwrap();
        let hand_over = place.hand_over.unwrap();
        assert_eq!(hand_over.heir(6).unwrap().instance, "i-1");
        assert_eq!(hand_over.heir(11), None);
        let table: Table = serde_json::from_str(
            r#"{"epoch":7,"nodes":[{"instance":"i-1","address":"127.77.0.17:5003"},null]}"#,
        )
        .unwrap();
        assert_eq!(table.owner("k2").unwrap().instance, "i-1");
        assert_eq!(table.owner("k1"), None);
        assert_eq!(Table::default().owner("k1"), None);
        let configuration = Configuration {
            capacity: 5,
            policy: Policy::Random,
        };
        assert_eq!(
            serde_json::to_string(&configuration).unwrap(),
            r#"{"capacity":5,"policy":"random"}"#
        );
    }
}
