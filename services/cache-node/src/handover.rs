//! Handing entries over when the table is about to change, so that the new owner of a key begins with
//! what the old one had.
//!
//! The old owner serves on. It sends what will be another's ([`outgoing`]), and the new owner puts it
//! aside ([`incoming`]) until it is told of the table that makes it the owner. What happens to a key
//! meanwhile is passed on: **an invalidation is acknowledged only after the new owner has dropped the
//! key too**, and marks keep what was sent earlier from arriving later. So what was put aside is never
//! older than what the old owner could have served, whenever the table changes, and whoever dies.
//!
//! Both halves are pure; [`sending`] carries them out.

pub mod incoming;
pub mod outgoing;
pub mod sending;

/// Where in a node's life something happened. Marks of different lives have no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The run of the node's program, a number drawn at its start.
    pub life: u64,
    /// Grows with everything that the node sends.
    pub sequence: u64,
}

impl Mark {
    /// Whether this surely happened after `other`.
    #[must_use]
    pub const fn is_after(self, other: Self) -> bool {
        self.life == other.life && self.sequence > other.sequence
    }
}
