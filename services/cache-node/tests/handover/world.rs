//! Real nodes, a network that is a bag of messages, and a manager of a few rules.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use cache_node::cache::{Fill, Lookup, Value};
use cache_node::handover::Mark;
use cache_node::handover::incoming::Put;
use cache_node::handover::outgoing::{Parcel, Sent};
use cache_node::node::{Invalidated, Next, Node};
use http::HeaderValue;
use kit::placement;
use kit::pool::{Configuration, Place, Policy, Progress};
use proptest::prelude::*;

pub(crate) const KEYS: [&str; 4] = ["k1", "k2", "a", "b"];
pub(crate) const NODES: usize = 4;
const CAPACITY: u64 = 1 << 20;

#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Somebody stores a new photo under a key; the steps after the commit come when they come.
    Upload(usize),
    /// A reader looks a key up, and fills it in some time later if it was not there.
    Read(usize),
    /// A message is delivered: which one.
    Deliver(usize),
    /// A message is lost: which one.
    Lose(usize),
    /// A node sends the next entry that it hands over.
    Send(usize),
    /// The manager tells every node the table.
    Tell,
    /// The manager wishes for another table.
    Wish(usize),
    /// The program of a node ends and is started again.
    Restart(usize),
    /// The manager deletes everything.
    Clear,
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let any = 0..64_usize;
    prop_oneof![
        4 => any.clone().prop_map(Event::Upload),
        6 => any.clone().prop_map(Event::Read),
        10 => any.clone().prop_map(Event::Deliver),
        1 => any.clone().prop_map(Event::Lose),
        6 => any.clone().prop_map(Event::Send),
        3 => Just(Event::Tell),
        1 => any.clone().prop_map(Event::Wish),
        1 => any.prop_map(Event::Restart),
        1 => Just(Event::Clear),
    ]
}

/// What is on its way. An upload's invalidation is acknowledged when its last message has arrived.
#[derive(Debug)]
pub(crate) enum Message {
    Table {
        node: usize,
        place: Place,
    },
    Fill {
        node: usize,
        key: usize,
        epoch: u64,
        lease: u64,
        version: u64,
    },
    Invalidate {
        node: usize,
        key: usize,
        epoch: u64,
        version: u64,
    },
    Pass {
        node: usize,
        number: u64,
        key: usize,
        mark: Mark,
        version: u64,
    },
    Parcel {
        from: usize,
        life: u32,
        parcel: Box<Parcel>,
    },
    Clear {
        node: usize,
        void_through: u64,
    },
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Arc<Node>>,
    lives: Vec<u32>,
    pub(crate) messages: Vec<Message>,
    /// The newest committed version of each key, and the newest that was acknowledged. 0 is none.
    pub(crate) committed: [u64; KEYS.len()],
    pub(crate) acknowledged: [u64; KEYS.len()],
    /// The newest version from before the newest deletion of everything, and before the newest that
    /// has been answered.
    pub(crate) deleting_through: u64,
    deleted_through: u64,
    pub(crate) newest_version: u64,
    // The manager.
    pub(crate) epoch: u64,
    pub(crate) revision: u64,
    pub(crate) table: Vec<usize>,
    pub(crate) coming: Option<Vec<usize>>,
    pub(crate) hand_over: u64,
    pub(crate) taken: u64,
    pub(crate) told: BTreeMap<usize, u64>,
    pub(crate) done: BTreeMap<usize, Progress>,
    pub(crate) published: (u64, Vec<usize>),
    pub(crate) clearing: Vec<usize>,
}

fn node(index: usize, now: Instant) -> Arc<Node> {
    let configuration = Configuration {
        capacity: CAPACITY,
        policy: Policy::Lru,
    };
    Arc::new(Node::new(name(index), configuration, now))
}

pub(crate) fn name(index: usize) -> String {
    format!("i-{index}")
}

fn value(version: u64) -> Value {
    Value {
        content: Bytes::copy_from_slice(&version.to_be_bytes()),
        content_type: HeaderValue::from_static("image/png"),
    }
}

fn version_of(value: &Value) -> u64 {
    u64::from_be_bytes(value.content.as_ref().try_into().unwrap())
}

impl World {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let mut world = Self {
            now,
            nodes: (0..NODES).map(|index| node(index, now)).collect(),
            lives: vec![0; NODES],
            messages: Vec::new(),
            committed: [0; KEYS.len()],
            acknowledged: [0; KEYS.len()],
            deleting_through: 0,
            deleted_through: 0,
            newest_version: 0,
            epoch: 1,
            revision: 1,
            table: vec![0],
            coming: None,
            hand_over: 0,
            taken: 0,
            told: BTreeMap::new(),
            done: BTreeMap::new(),
            published: (0, Vec::new()),
            clearing: Vec::new(),
        };
        world.tell(0);
        world.deliver(0);
        world.manage();
        world
    }

    pub(crate) fn happen(&mut self, event: &Event) {
        match *event {
            Event::Upload(key) => self.upload(key % KEYS.len()),
            Event::Read(key) => self.read(key % KEYS.len()),
            Event::Deliver(which) if !self.messages.is_empty() => {
                self.deliver(which % self.messages.len());
            }
            Event::Lose(which) if !self.messages.is_empty() => self.lose(which),
            Event::Send(index) => self.send(index % NODES),
            Event::Tell => (0..NODES).for_each(|index| self.tell(index)),
            Event::Wish(choice) => self.wish(choice),
            Event::Restart(index) => self.restart(index % NODES),
            Event::Clear => self.clear(),
            Event::Deliver(_) | Event::Lose(_) => {}
        }
        self.manage();
    }

    pub(crate) fn owner(table: &[usize], key: usize) -> usize {
        table[placement::owner(KEYS[key], table.len()).unwrap()]
    }

    pub(crate) fn upload(&mut self, key: usize) {
        self.newest_version += 1;
        self.committed[key] = self.newest_version;
        self.invalidate(key, self.newest_version);
    }

    /// As the front-end does after the commit, and again if that fails.
    fn invalidate(&mut self, key: usize, version: u64) {
        let (epoch, table) = &self.published;
        if table.is_empty() {
            return;
        }
        let (node, epoch) = (Self::owner(table, key), *epoch);
        self.messages.push(Message::Invalidate {
            node,
            key,
            epoch,
            version,
        });
    }

    fn acknowledge(&mut self, key: usize, version: u64) {
        if version > self.deleting_through {
            self.acknowledged[key] = self.acknowledged[key].max(version);
        }
    }

    /// A reader asks the owner; what it has must not be older than what was acknowledged before.
    pub(crate) fn read(&mut self, key: usize) {
        let (epoch, table) = self.published.clone();
        if table.is_empty() {
            return;
        }
        let node = Self::owner(&table, key);
        match self.nodes[node].get(KEYS[key], epoch, self.now) {
            Ok(Lookup::Hit(value)) => {
                let version = version_of(&value);
                assert!(
                    version >= self.acknowledged[key] && version > self.deleted_through,
                    "{} at {}: version {version}, acknowledged {}, deleted through {}",
                    KEYS[key],
                    name(node),
                    self.acknowledged[key],
                    self.deleted_through
                );
            }
            Ok(Lookup::Miss(lease)) if self.committed[key] > 0 => {
                let version = self.committed[key];
                self.messages.push(Message::Fill {
                    node,
                    key,
                    epoch,
                    lease,
                    version,
                });
            }
            _ => {}
        }
    }

    pub(crate) fn deliver(&mut self, which: usize) {
        match self.messages.remove(which) {
            Message::Table { node, place } => self.deliver_table(node, place),
            Message::Fill {
                node,
                key,
                epoch,
                lease,
                version,
            } => {
                let filled =
                    self.nodes[node].fill(KEYS[key], epoch, lease, value(version), self.now);
                assert_ne!(filled, Ok(Fill::TooLarge));
            }
            Message::Invalidate {
                node,
                key,
                epoch,
                version,
            } => match self.nodes[node].invalidate(KEYS[key], epoch, self.now) {
                Ok(Invalidated::Done) => self.acknowledge(key, version),
                Ok(Invalidated::PassOn(pass)) => self.messages.push(Message::Pass {
                    node: pass.to.instance[2..].parse().unwrap(),
                    number: pass.number,
                    key,
                    mark: pass.mark,
                    version,
                }),
                Err(_) => self.invalidate(key, version),
            },
            Message::Pass {
                node,
                number,
                key,
                mark,
                version,
            } => {
                self.nodes[node].drop_received(number, KEYS[key], mark);
                self.acknowledge(key, version);
            }
            Message::Parcel { from, life, parcel } => {
                let to: usize = parcel.to.instance[2..].parse().unwrap();
                let kept = self.nodes[to].receive(
                    parcel.number,
                    &parcel.key,
                    parcel.value.clone(),
                    parcel.mark,
                    parcel.heir_life,
                );
                let outcome = match kept {
                    Put::Kept => Sent::Moved,
                    Put::OtherLife(own) => Sent::OtherLife(own),
                    _ => Sent::NotWanted,
                };
                self.answer_parcel(from, life, &parcel, outcome);
            }
            Message::Clear { node, void_through } => {
                self.nodes[node].clear(void_through);
                self.clearing.retain(|waiting| *waiting != node);
                if self.clearing.is_empty() {
                    self.deleted_through = self.deleting_through;
                }
            }
        }
    }

    fn answer_parcel(&self, from: usize, life: u32, parcel: &Parcel, outcome: Sent) {
        if self.lives[from] == life {
            self.nodes[from].sent(parcel, outcome);
        }
    }

    /// What is lost is noticed by who waits for it.
    fn lose(&mut self, which: usize) {
        let which = which % self.messages.len();
        match self.messages.remove(which) {
            Message::Invalidate { key, version, .. } | Message::Pass { key, version, .. } => {
                self.invalidate(key, version);
            }
            Message::Parcel { from, life, parcel } => {
                self.answer_parcel(from, life, &parcel, Sent::Failed);
            }
            again @ Message::Clear { .. } => self.messages.push(again),
            Message::Table { .. } | Message::Fill { .. } => {}
        }
    }

    fn send(&mut self, index: usize) {
        // The number that the senders were begun with is the node's newest.
        let number = self.nodes[index].statistics(self.now).hand_over;
        if let Next::Parcel(parcel) = self.nodes[index].parcel(number) {
            let (from, life) = (index, self.lives[index]);
            self.messages.push(Message::Parcel {
                from,
                life,
                parcel: Box::new(parcel),
            });
        }
    }

    fn restart(&mut self, index: usize) {
        self.nodes[index] = node(index, self.now);
        self.lives[index] += 1;
        // What was said to the process that ended is not heard by the next.
        self.messages
            .retain(|message| !matches!(message, Message::Table { node, .. } if *node == index));
        self.done.remove(&index);
        self.told.remove(&index);
    }

    /// Everything arrives: uploads are acknowledged, the hand-over ends, and every read is right.
    pub(crate) fn come_to_rest(&mut self) {
        for _ in 0..10_000 {
            if self.messages.is_empty() && self.coming.is_none() && self.published.0 == self.epoch {
                break;
            }
            for index in 0..NODES {
                self.send(index);
                if !self
                    .messages
                    .iter()
                    .any(|it| matches!(it, Message::Table { node, .. } if *node == index))
                {
                    self.tell(index);
                }
            }
            while !self.messages.is_empty() && self.published.0 == self.epoch {
                self.deliver(0);
                self.manage();
            }
            if !self.messages.is_empty() {
                self.deliver(0);
                self.manage();
            }
        }
        assert!(self.coming.is_none(), "the hand-over does not end");
        assert_eq!(self.published.0, self.epoch, "the table is not published");
        for key in 0..KEYS.len() {
            assert!(
                self.committed[key] <= self.acknowledged[key],
                "an upload is not answered"
            );
            self.read(key);
        }
    }
}
