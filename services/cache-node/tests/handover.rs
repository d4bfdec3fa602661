//! The law of handing over: whatever is delayed, overtaken, lost or restarted, no node serves a photo
//! older than the newest that was acknowledged, once the table says that it may answer.
//!
//! Nodes are real, the network is a bag from which messages are drawn in any order, and the manager is
//! the few rules that it keeps (docs/ARCHITECTURE.md, "The pool").

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

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
use kit::pool::{Configuration, HandOver, Member, Place, Policy, Progress};
use proptest::prelude::*;

const KEYS: [&str; 4] = ["k1", "k2", "a", "b"];
const NODES: usize = 4;
const CAPACITY: u64 = 1 << 20;

#[derive(Clone, Debug)]
enum Event {
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

fn event() -> impl Strategy<Value = Event> {
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
enum Message {
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

struct World {
    now: Instant,
    nodes: Vec<Arc<Node>>,
    lives: Vec<u32>,
    messages: Vec<Message>,
    /// The newest committed version of each key, and the newest that was acknowledged. 0 is none.
    committed: [u64; KEYS.len()],
    acknowledged: [u64; KEYS.len()],
    /// The newest version from before the newest deletion of everything, and before the newest that
    /// has been answered.
    deleting_through: u64,
    deleted_through: u64,
    newest_version: u64,
    // The manager.
    epoch: u64,
    revision: u64,
    table: Vec<usize>,
    coming: Option<Vec<usize>>,
    hand_over: u64,
    taken: u64,
    told: BTreeMap<usize, u64>,
    done: BTreeMap<usize, Progress>,
    published: (u64, Vec<usize>),
    clearing: Vec<usize>,
}

fn node(index: usize, now: Instant) -> Arc<Node> {
    let configuration = Configuration {
        capacity: CAPACITY,
        policy: Policy::Lru,
    };
    Arc::new(Node::new(name(index), configuration, now))
}

fn name(index: usize) -> String {
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
    fn new() -> Self {
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

    fn happen(&mut self, event: &Event) {
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

    fn owner(table: &[usize], key: usize) -> usize {
        table[placement::owner(KEYS[key], table.len()).unwrap()]
    }

    fn upload(&mut self, key: usize) {
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
    fn read(&mut self, key: usize) {
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

    fn deliver(&mut self, which: usize) {
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

    // The manager's rules.

    fn tell(&mut self, index: usize) {
        let Some(position) = self.table.iter().position(|node| *node == index) else {
            return;
        };
        let member = |index: &usize| {
            Some(Member {
                instance: name(*index),
                address: name(*index),
            })
        };
        let place = Place {
            instance: Some(name(index)),
            epoch: self.epoch,
            revision: self.revision,
            position,
            nodes: self.table.len(),
            lease_ms: 2000,
            taken: self.taken,
            hand_over: self.coming.as_ref().map(|nodes| HandOver {
                number: self.hand_over,
                nodes: nodes.iter().map(member).collect(),
            }),
        };
        self.messages.push(Message::Table { node: index, place });
    }

    fn deliver_table(&mut self, index: usize, place: Place) {
        let epoch = place.epoch;
        if let Ok(adopted) = self.nodes[index].adopt(place, self.now) {
            let told = self.told.entry(index).or_default();
            *told = epoch.max(*told);
            if let Some(progress) = adopted.progress {
                self.done.insert(index, progress);
            }
        }
    }

    /// Any table of any of the nodes; a newer wish ends the hand-over that is under way.
    fn wish(&mut self, choice: usize) {
        self.revision += 1;
        if self.coming.take().is_some()
            || self.published.0 != self.epoch
            || !self.clearing.is_empty()
        {
            return;
        }
        let length = 1 + choice % NODES;
        let first = choice / NODES;
        let coming: Vec<usize> = (0..length).map(|place| (first + place) % NODES).collect();
        if coming == self.table {
            return;
        }
        if choice.is_multiple_of(7) {
            // A node is lost: another table without a hand-over.
            self.change(coming, 0);
            return;
        }
        self.hand_over += 1;
        self.coming = Some(coming);
        self.done.clear();
    }

    fn change(&mut self, table: Vec<usize>, taken: u64) {
        self.epoch += 1;
        self.revision += 1;
        self.table = table;
        self.taken = taken;
        self.coming = None;
    }

    fn manage(&mut self) {
        let number = self.hand_over;
        let is_done = |index: &usize| {
            let progress = self.done.get(index);
            progress.is_some_and(|it| it.number == number && it.left == 0)
        };
        if self.table.iter().all(is_done)
            && let Some(coming) = self.coming.take()
        {
            self.change(coming, number);
        }
        // Nodes that left the table hold leases: here they are told at once, as if these had run out.
        let everybody_knows = self
            .table
            .iter()
            .all(|index| self.told.get(index) == Some(&self.epoch));
        if everybody_knows && self.published.0 < self.epoch {
            self.taken = 0;
            self.revision += 1;
            self.published = (self.epoch, self.table.clone());
        }
    }

    /// Rows first, then every node that anybody may be reading or that is handed something.
    fn clear(&mut self) {
        if !self.clearing.is_empty() {
            return;
        }
        self.committed = [0; KEYS.len()];
        self.acknowledged = [0; KEYS.len()];
        self.deleting_through = self.newest_version;
        let mut nodes: Vec<usize> = self.published.1.clone();
        nodes.extend(&self.table);
        nodes.extend(self.coming.iter().flatten());
        nodes.sort_unstable();
        nodes.dedup();
        for node in &nodes {
            self.messages.push(Message::Clear {
                node: *node,
                void_through: self.hand_over,
            });
        }
        self.clearing = nodes;
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_node_serves_what_is_older_than_what_was_acknowledged(
        events in prop::collection::vec(event(), 1..200)
    ) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
        world.come_to_rest();
    }
}

impl World {
    /// Everything arrives: uploads are acknowledged, the hand-over ends, and every read is right.
    fn come_to_rest(&mut self) {
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

#[test]
fn what_is_handed_over_is_there_in_the_next_table() {
    let mut world = World::new();
    for key in 0..KEYS.len() {
        world.upload(key);
        world.deliver(0);
        world.read(key);
        world.deliver(0);
    }
    world.hand_over = 1;
    world.revision += 1;
    world.coming = Some(vec![0, 1, 2]);
    world.come_to_rest();
    assert_eq!(world.table, [0, 1, 2]);
    for (key, name) in KEYS.into_iter().enumerate() {
        let owner = World::owner(&world.table, key);
        let found = world.nodes[owner].get(name, world.epoch, world.now);
        assert!(matches!(found, Ok(Lookup::Hit(_))), "{}: {found:?}", name);
    }
    let items: u64 = world
        .nodes
        .iter()
        .map(|node| node.statistics(world.now).items)
        .sum();
    assert_eq!(items, KEYS.len() as u64, "old owners drop what moved");
}
