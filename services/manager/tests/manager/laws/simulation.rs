//! A pool whose nodes, heartbeats and EC2 are simulated, around the pure core.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use catalog::{NodeRow, PoolRow, PoolState, Stage, test_support};
use jiff::Timestamp;
use kit::pool::Progress;
use manager::pool::{
    self, ANSWER_TIME, HAND_OVER_LIMIT, Instance, InstanceState, LEASE, Now, Outdated, SILENCE,
    SIZES, Seen, is_steady, may_publish, next, replacing, table,
};
use proptest::prelude::*;
use uuid::Uuid;

/// What may happen to a pool.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Wait(u64),
    Wish(u32),
    /// One heartbeat to every node; each number chooses what becomes of one.
    Beat(Vec<u8>),
    Launch,
    LaunchIsRefused,
    List,
    Die(usize),
    CutOff(usize),
    Heal,
    /// Another manager leads from now on, which has waited for so many milliseconds.
    TakeOver(u64),
    /// The blueprint wants other nodes from now on.
    Edit,
    /// The account may have no more instances than nodes are wished for, or as many as it likes.
    Limit(bool),
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (1..900_u64).prop_map(Event::Wait),
        2 => SIZES.prop_map(Event::Wish),
        8 => prop::collection::vec(any::<u8>(), 8).prop_map(Event::Beat),
        3 => Just(Event::Launch),
        1 => Just(Event::LaunchIsRefused),
        3 => Just(Event::List),
        1 => (0..8_usize).prop_map(Event::Die),
        1 => (0..8_usize).prop_map(Event::CutOff),
        1 => Just(Event::Heal),
        1 => (0..9000_u64).prop_map(Event::TakeOver),
        1 => Just(Event::Edit),
        1 => any::<bool>().prop_map(Event::Limit),
    ]
}

/// A cache node as far as leases go.
#[derive(Clone, Debug)]
struct Node {
    /// The blueprint it was launched by.
    edition: u32,
    epoch: u64,
    lease_until: Instant,
    is_cut_off: bool,
}

/// A heartbeat on its way.
#[derive(Clone, Debug)]
struct Letter {
    arrives: Instant,
    id: Uuid,
    instance: String,
    epoch: u64,
    /// The hand-over that it tells of, and what is left of it at the node.
    hand_over: Option<(u64, u64)>,
    is_answered: bool,
}

/// A pool, simulated.
pub(super) struct Simulation {
    start: Instant,
    now: Instant,
    pub(super) state: PoolState,
    pub(super) seen: Seen,
    nodes: BTreeMap<String, Node>,
    ec2: BTreeMap<String, InstanceState>,
    letters: Vec<Letter>,
    count: u128,
    edition: u32,
    is_limited: bool,
}

impl Simulation {
    pub(super) fn new() -> Self {
        let start = Instant::now();
        let pool = PoolRow {
            capacity: 1,
            ..test_support::pool()
        };
        Self {
            start,
            now: start,
            state: PoolState {
                pool,
                nodes: Vec::new(),
            },
            seen: Seen::new(start),
            nodes: BTreeMap::new(),
            ec2: BTreeMap::new(),
            letters: Vec::new(),
            count: 0,
            edition: 0,
            is_limited: false,
        }
    }

    fn clock(&self) -> Now {
        let since = self.now.duration_since(self.start);
        Now {
            instant: self.now,
            wall: Timestamp::UNIX_EPOCH + since,
        }
    }

    pub(super) fn happen(&mut self, event: &Event) {
        match event {
            Event::Wait(milliseconds) => self.wait(*milliseconds),
            Event::Wish(nodes) => self.state.pool.wanted = *nodes,
            Event::Beat(fates) => self.beat(fates),
            Event::Launch => self.launch(),
            Event::LaunchIsRefused => self.refuse_launches(),
            Event::List => self.list(),
            Event::Die(index) => self.die(*index),
            Event::CutOff(index) => {
                if let Some(node) = self.nodes.values_mut().nth(*index) {
                    node.is_cut_off = true;
                }
            }
            Event::Heal => self.heal(),
            Event::TakeOver(waited) => self.take_over(*waited),
            Event::Edit => self.edition += 1,
            Event::Limit(is_limited) => self.is_limited = *is_limited,
        }
        self.act();
    }

    /// Moves the state and publishes, as the manager does all the time; checks what must always hold.
    fn act(&mut self) {
        let before = self.state.clone();
        let clock = self.clock();
        let count = &mut self.count;
        let mut new_id = || {
            *count += 1;
            Uuid::from_u128(*count)
        };
        let after = next(&before, &self.seen, &clock, &mut new_id);
        self.check_step(&before, &after);
        self.state = after;
        self.seen.keep_only(&self.state.nodes);
        let published = self.seen.published.map_or(0, |(epoch, _)| epoch);
        let epoch = self.state.pool.epoch;
        if epoch > published && may_publish(&self.state, &self.seen, &clock) {
            self.check_publication();
            self.seen.published = Some((epoch, self.now));
        }
    }

    fn check_step(&self, before: &PoolState, after: &PoolState) {
        assert!(after.pool.epoch >= before.pool.epoch, "an epoch shrank");
        if table(before).nodes != table(after).nodes {
            assert!(
                after.pool.epoch > before.pool.epoch,
                "a table without an epoch"
            );
        }
        assert_eq!(after.pool.wanted, before.pool.wanted);
        assert!(after.pool.size <= *SIZES.end());
        self.check_hand_over(before, after);
        let placed: Vec<_> = after.nodes.iter().filter_map(|node| node.place).collect();
        let places: BTreeSet<_> = placed.iter().collect();
        assert_eq!(placed.len(), places.len(), "two nodes at one place");
        assert!(placed.iter().all(|place| *place < after.pool.size));
        for node in &after.nodes {
            let was = before.nodes.iter().find(|old| old.id == node.id);
            let served = was.is_some_and(|old| old.stage == Stage::Serving);
            let place = was.and_then(|old| old.place).unwrap_or(u32::MAX);
            if served && node.stage == Stage::Leaving && place < after.pool.size {
                // A manager that was started meanwhile goes on with what another has begun.
                let is_begun = before.pool.coming.is_some();
                let is_outdated = self.seen.outdated(node).is_some();
                assert!(is_begun || is_outdated, "replaced for nothing");
                let mut empty = pool::empty_places(after);
                empty.retain(|empty| !(self.seen.is_full && *empty == place));
                assert!(empty.is_empty(), "a place is empty for a replacement");
                let leaving = |node: &&NodeRow| node.stage == Stage::Leaving;
                assert_eq!(after.nodes.iter().filter(leaving).count(), 1);
            }
            if served && node.stage == Stage::Lost {
                let is_silent = self.seen.silence(node.id, self.now) >= SILENCE;
                assert!(
                    is_silent || self.seen.is_ending(node),
                    "left out for nothing"
                );
            }
        }
    }

    /// What was handed over counts for one table only: the next one after that for which it was begun.
    fn check_hand_over(&self, before: &PoolState, after: &PoolState) {
        let (was, is) = (&before.pool, &after.pool);
        assert!(is.hand_over >= was.hand_over, "a number shrank");
        if is.coming.is_some() && is.coming != was.coming {
            assert!(is.hand_over > was.hand_over, "two hand-overs of one number");
            let published = self.seen.published.map(|(epoch, _)| epoch);
            assert_eq!(published, Some(is.epoch), "begun before everybody knows");
        }
        if is.coming.is_some() {
            assert_eq!(table(before).nodes, table(after).nodes);
        }
        if is.epoch == was.epoch {
            assert!(is.taken == was.taken || is.taken == 0);
        } else if is.taken > 0 {
            assert_eq!((is.taken, is.epoch), (was.hand_over, was.epoch + 1));
            let coming = was.coming.as_ref().expect("nothing was handed over");
            for node in after.nodes.iter().filter(|it| it.stage == Stage::Serving) {
                let place = node.place.unwrap() as usize;
                assert_eq!(coming.nodes[place], Some(node.id));
            }
            let age = self
                .clock()
                .wall
                .duration_since(coming.since)
                .unsigned_abs();
            let served = |it: &&NodeRow| it.stage == Stage::Serving;
            for node in before.nodes.iter().filter(served) {
                let is_done = self.seen.has_handed_over(node.id, is.taken);
                assert!(is_done || age >= HAND_OVER_LIMIT, "not done");
            }
        }
    }

    /// The promise to front-ends: from now on nobody serves by an older table.
    fn check_publication(&self) {
        let epoch = self.state.pool.epoch;
        for (instance, node) in &self.nodes {
            let serves = node.lease_until > self.now;
            assert!(
                !serves || node.epoch == epoch,
                "{instance} serves epoch {} while {epoch} is published",
                node.epoch
            );
        }
    }

    /// What the manager before has sent may still arrive; nobody hears the answer.
    fn take_over(&mut self, waited: u64) {
        self.seen = Seen::new(self.now - Duration::from_millis(waited));
        self.seen.lead(self.now);
        for letter in &mut self.letters {
            letter.is_answered = false;
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        let end = self.now + Duration::from_millis(milliseconds);
        self.letters.sort_by_key(|letter| letter.arrives);
        while self
            .letters
            .first()
            .is_some_and(|letter| letter.arrives <= end)
        {
            let letter = self.letters.remove(0);
            self.now = self.now.max(letter.arrives);
            self.deliver(&letter);
            self.act();
        }
        self.now = end;
    }

    fn deliver(&mut self, letter: &Letter) {
        let Some(node) = self.nodes.get_mut(&letter.instance) else {
            return;
        };
        if letter.epoch < node.epoch {
            return;
        }
        node.epoch = letter.epoch;
        node.lease_until = self.now + LEASE;
        if letter.is_answered {
            self.seen
                .heartbeat_answered(letter.id, letter.epoch, self.now);
            if let Some((number, left)) = letter.hand_over {
                let progress = Progress {
                    number,
                    left,
                    ..Progress::default()
                };
                self.seen.progressed(letter.id, progress);
            }
        }
    }

    fn beat(&mut self, fates: &[u8]) {
        let rows = self.state.nodes.clone();
        for (index, row) in rows.iter().enumerate() {
            let Some(instance) = row.instance.clone().filter(|_| row.address.is_some()) else {
                continue;
            };
            let fate = fates[index % fates.len()];
            let is_reachable = self
                .nodes
                .get(&instance)
                .is_some_and(|node| !node.is_cut_off);
            match row.stage {
                Stage::Serving | Stage::Leaving => self.write_to(row.id, instance, fate),
                Stage::Starting | Stage::Lost if is_reachable => {
                    let is_fit =
                        row.stage == Stage::Starting || self.seen.lease_is_over(row.id, self.now);
                    self.seen.answered(row.id, self.now);
                    self.seen.set_ready(row.id, is_fit, self.now);
                }
                Stage::Starting | Stage::Lost => self.seen.set_ready(row.id, false, self.now),
                _ => {}
            }
        }
    }

    /// Sends a heartbeat; the one before must have been answered or given up.
    fn write_to(&mut self, id: Uuid, instance: String, fate: u8) {
        if self.letters.iter().any(|letter| letter.id == id) {
            return;
        }
        let before = self.seen.heartbeat_sent(id, ANSWER_TIME, self.now);
        let Some(node) = self.nodes.get(&instance) else {
            self.seen.heartbeat_refused(id, before);
            return;
        };
        let arrives = self.now + ANSWER_TIME * u32::from(fate) / 255;
        let (is_lost, is_answered) = match (node.is_cut_off, fate % 8) {
            (true, 0..4) | (false, 0) => (true, false),
            (true, _) | (false, 1) => (false, false),
            (false, _) => (false, true),
        };
        if !is_lost {
            self.letters.push(Letter {
                arrives,
                id,
                instance,
                epoch: self.state.pool.epoch,
                hand_over: pool::hand_over(&self.state)
                    .map(|hand_over| (hand_over.number, u64::from(fate % 16 == 3))),
                is_answered,
            });
        }
    }

    fn launch(&mut self) {
        for row in &mut self.state.nodes {
            let is_full = self.is_limited && self.nodes.len() >= self.state.pool.wanted as usize;
            if row.stage == Stage::Launching {
                self.seen.is_full = is_full;
            }
            if row.stage == Stage::Launching && !is_full {
                self.count += 1;
                let instance = format!("i-{}", self.count);
                let node = Node {
                    edition: self.edition,
                    epoch: 0,
                    lease_until: self.now,
                    is_cut_off: false,
                };
                self.nodes.insert(instance.clone(), node);
                self.ec2.insert(instance.clone(), InstanceState::Running);
                row.address = Some(instance.clone());
                row.instance = Some(instance);
                row.subnet = Some("subnet".to_owned());
                row.stage = Stage::Starting;
            }
        }
        let ending = self
            .state
            .nodes
            .iter()
            .filter(|row| row.stage == Stage::Ending);
        let ended: Vec<_> = ending.filter_map(|row| row.instance.clone()).collect();
        for instance in ended {
            self.nodes.remove(&instance);
            self.ec2.insert(instance, InstanceState::Terminated);
        }
    }

    fn refuse_launches(&mut self) {
        for row in &mut self.state.nodes {
            if row.stage == Stage::Launching {
                self.count += 1;
                row.id = Uuid::from_u128(self.count);
            }
        }
    }

    fn list(&mut self) {
        let listed = self.ec2.iter().map(|(id, state)| {
            let instance = Instance {
                state: *state,
                address: Some(id.clone()),
                token: None,
                outdated: self
                    .nodes
                    .get(id)
                    .and_then(|node| (node.edition < self.edition).then_some(Outdated::Image)),
            };
            (id.clone(), instance)
        });
        let listed = listed.collect();
        self.seen.listed(listed, &self.edition.to_string());
    }

    fn die(&mut self, index: usize) {
        if let Some(instance) = self.nodes.keys().nth(index).cloned() {
            self.nodes.remove(&instance);
            self.ec2.insert(instance, InstanceState::Terminated);
        }
    }

    fn heal(&mut self) {
        for node in self.nodes.values_mut() {
            node.is_cut_off = false;
        }
    }

    /// Nothing fails any more: the pool comes to what is wished for.
    pub(super) fn settle(&mut self) {
        self.happen(&Event::Heal);
        for _ in 0..600 {
            for event in [
                Event::Launch,
                Event::List,
                Event::Beat(vec![7, 15, 23, 31]),
                Event::Wait(500),
            ] {
                self.happen(&event);
            }
            let published = self.seen.published.map(|(epoch, _)| epoch);
            let is_judged = self.seen.judged == Some(self.edition.to_string());
            if is_steady(&self.state)
                && is_judged
                && replacing(&self.state, &self.seen).is_none()
                && published == Some(self.state.pool.epoch)
            {
                let wanted = self.state.pool.wanted as usize;
                assert_eq!(self.nodes.len(), wanted, "instances left over");
                let old = self.nodes.values().find(|node| node.edition < self.edition);
                assert!(old.is_none(), "an outdated node is left");
                return;
            }
        }
        panic!("the pool does not settle: {:#?}", self.state);
    }
}
