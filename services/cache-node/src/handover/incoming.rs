//! What others hand over to this node, put aside until the table says that it is ours.

use std::collections::HashMap;
use std::sync::Arc;

use super::Mark;
use crate::cache::Value;

/// Entries of the newest hand-over that this node has heard of.
#[derive(Debug, Default)]
pub struct Incoming {
    number: u64,
    /// Hand-overs up to this one bring nothing (any more).
    closed_through: u64,
    keys: HashMap<Arc<str>, Known>,
    arrived: u64,
    bytes: u64,
}

/// What is known of a key: the newest that was sent of it.
#[derive(Debug)]
enum Known {
    Here {
        mark: Mark,
        value: Value,
        /// The how manyth it was: those used last are sent first.
        place: u64,
    },
    /// Invalidated: what was sent before that must not come any more. Without a mark nothing may, as
    /// nobody can tell the order of two lives.
    Gone { mark: Option<Mark> },
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is put aside.
    Kept,
    /// Something newer is known of its key.
    Overtaken,
    /// There is no room for more.
    Full,
    /// Its hand-over brings nothing any more.
    Closed,
    /// It was meant for an earlier life of this node, which lives this one.
    OtherLife(u64),
}

impl Incoming {
    /// The newest hand-over that this node has heard of.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number.max(self.closed_through)
    }

    /// What is put aside, in bytes of keys and values.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Puts an entry of hand-over `number` aside, within `room` bytes for all of them.
    pub fn put(&mut self, number: u64, key: &str, value: Value, mark: Mark, room: u64) -> Put {
        if !self.open(number) {
            return Put::Closed;
        }
        let is_newer = match self.keys.get(key) {
            None => true,
            Some(Known::Here { mark: known, .. } | Known::Gone { mark: Some(known) }) => {
                mark.is_after(*known)
            }
            Some(Known::Gone { mark: None }) => false,
        };
        if !is_newer {
            return Put::Overtaken;
        }
        let weight = weight(key, &value);
        let _older = self.forget(key);
        if self.bytes + weight > room {
            // What is older than this must not come either.
            let mark = Some(mark);
            self.keys.insert(key.into(), Known::Gone { mark });
            return Put::Full;
        }
        self.bytes += weight;
        let place = self.arrived;
        self.arrived += 1;
        self.keys
            .insert(key.into(), Known::Here { mark, value, place });
        Put::Kept
    }

    /// Drops a key, and keeps what was sent of it before from arriving. Nothing needs to be done for a
    /// hand-over that brings nothing any more.
    pub fn invalidate(&mut self, number: u64, key: &str, mark: Mark) {
        if !self.open(number) {
            return;
        }
        let before = match self.forget(key) {
            Some(Known::Here { mark, .. }) => Some(Some(mark)),
            Some(Known::Gone { mark }) => Some(mark),
            None => None,
        };
        let mark = match before {
            None => Some(mark),
            Some(Some(known)) if known.life == mark.life => {
                Some(if known.is_after(mark) { known } else { mark })
            }
            Some(_) => None,
        };
        self.keys.insert(key.into(), Known::Gone { mark });
    }

    /// Begins with hand-over `number` if it is newer; whether it is the one that brings something.
    fn open(&mut self, number: u64) -> bool {
        if number <= self.closed_through || number < self.number {
            return false;
        }
        if number > self.number {
            self.drop_all();
            self.number = number;
        }
        true
    }

    /// Takes out what hand-over `number` brought, the first that arrived first; it brings nothing more.
    pub fn take(&mut self, number: u64) -> Vec<(Arc<str>, Value)> {
        let mut arrived = Vec::new();
        if number == self.number && number > self.closed_through {
            arrived = self
                .keys
                .drain()
                .filter_map(|(key, known)| match known {
                    Known::Here { value, place, .. } => Some((place, key, value)),
                    Known::Gone { .. } => None,
                })
                .collect();
            arrived.sort_by_key(|(place, ..)| *place);
        }
        self.close(number);
        arrived
            .into_iter()
            .map(|(_, key, value)| (key, value))
            .collect()
    }

    /// From now on hand-overs up to `number` bring nothing; what they brought is dropped.
    pub fn close(&mut self, number: u64) {
        self.closed_through = self.closed_through.max(number);
        if self.number <= self.closed_through {
            self.drop_all();
        }
    }

    fn forget(&mut self, key: &str) -> Option<Known> {
        let known = self.keys.remove(key);
        if let Some(Known::Here { value, .. }) = &known {
            self.bytes -= weight(key, value);
        }
        known
    }

    fn drop_all(&mut self) {
        self.keys = HashMap::new();
        self.bytes = 0;
        self.arrived = 0;
    }
}

fn weight(key: &str, value: &Value) -> u64 {
    (key.len() + value.content.len()) as u64
}
