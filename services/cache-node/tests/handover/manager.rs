//! The few rules that the manager keeps.

use kit::pool::{HandOver, Member, Place};

use crate::world::{KEYS, Message, NODES, World, name};

impl World {
    pub(crate) fn tell(&mut self, index: usize) {
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

    pub(crate) fn deliver_table(&mut self, index: usize, place: Place) {
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
    pub(crate) fn wish(&mut self, choice: usize) {
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

    pub(crate) fn manage(&mut self) {
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
    pub(crate) fn clear(&mut self) {
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
