//! What this node hands over to others: which keys are still to be sent, and to whom.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use kit::pool::{HandOver, Member, Progress};

use super::Mark;
use crate::cache::Value;

/// A hand-over as one of the old owners carries it out.
#[derive(Debug)]
pub struct Outgoing {
    order: HandOver,
    instance: String,
    queue: VecDeque<Arc<str>>,
    under_way: u64,
    moved: u64,
    moved_bytes: u64,
    full: HashSet<String>,
    /// The life of each heir that has answered, by its instance.
    lives: HashMap<String, u64>,
    is_closed: bool,
}

/// An entry on its way to its new owner.
#[derive(Debug)]
pub struct Parcel {
    /// The new owner.
    pub to: Member,
    /// The hand-over.
    pub number: u64,
    /// The key.
    pub key: Arc<str>,
    /// What is kept under it at this moment.
    pub value: Value,
    /// This moment.
    pub mark: Mark,
    /// The life of the new owner that it is for: one that was started again since has forgotten what
    /// must not arrive. `None` if it is not known yet, and then it is only asked for.
    pub heir_life: Option<u64>,
}

/// An invalidation that the new owner of a key has to hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// The new owner.
    pub to: Member,
    /// The hand-over.
    pub number: u64,
    /// When it happened.
    pub mark: Mark,
}

/// What became of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The new owner has it.
    Moved,
    /// The new owner knows better, or the hand-over is over: nothing to be done.
    NotWanted,
    /// The new owner has no room for more.
    Full,
    /// The new owner lives this life: to be sent again, as it is by then.
    OtherLife(u64),
    /// It did not arrive: to be sent again.
    Failed,
}

impl Outgoing {
    /// Of the node `instance`, which has begun with nothing yet.
    #[must_use]
    pub fn new(order: HandOver, instance: String) -> Self {
        Self {
            order,
            instance,
            queue: VecDeque::new(),
            under_way: 0,
            moved: 0,
            moved_bytes: 0,
            full: HashSet::new(),
            lives: HashMap::new(),
            is_closed: false,
        }
    }

    /// Begins with keys that the node holds, the one used last first.
    pub fn begin(&mut self, keys: Vec<Arc<str>>) {
        self.queue = keys.into();
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.order.number
    }

    /// The other node that will own a partition; `None` if nobody or this node will.
    #[must_use]
    pub fn heir(&self, partition: u8) -> Option<&Member> {
        self.order
            .heir(partition)
            .filter(|heir| heir.instance != self.instance)
    }

    /// The next key to be sent; to be answered with [`Outgoing::sent`].
    pub fn take_next(&mut self) -> Option<Arc<str>> {
        let key = self.queue.pop_front()?;
        self.under_way += 1;
        Some(key)
    }

    /// The heir of a key, if it takes more.
    #[must_use]
    pub fn taker(&self, partition: u8) -> Option<&Member> {
        self.heir(partition)
            .filter(|heir| !self.full.contains(&heir.instance))
    }

    /// The life of an heir, if it has answered.
    #[must_use]
    pub fn life_of(&self, heir: &Member) -> Option<u64> {
        self.lives.get(&heir.instance).copied()
    }

    /// A key that was filled in meanwhile.
    pub fn filled(&mut self, key: &str) {
        if !self.is_closed {
            self.queue.push_back(key.into());
        }
    }

    /// What became of the parcel of a key.
    pub fn sent(&mut self, parcel: &Parcel, outcome: Sent) {
        self.under_way -= 1;
        match outcome {
            Sent::Moved => {
                self.moved += 1;
                self.moved_bytes += (parcel.key.len() + parcel.value.content.len()) as u64;
            }
            Sent::NotWanted => {}
            Sent::Full => {
                self.full.insert(parcel.to.instance.clone());
            }
            Sent::OtherLife(life) => {
                self.lives.insert(parcel.to.instance.clone(), life);
                self.filled(&parcel.key);
            }
            Sent::Failed => self.filled(&parcel.key),
        }
    }

    /// A key that need not be sent after all.
    pub fn skipped(&mut self) {
        self.under_way -= 1;
    }

    /// Nothing more is to be sent: what was here is gone.
    pub fn close(&mut self) {
        self.is_closed = true;
        self.queue = VecDeque::new();
    }

    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            number: self.order.number,
            moved: self.moved,
            moved_bytes: self.moved_bytes,
            left: self.queue.len() as u64 + self.under_way,
        }
    }
}
