//! One key as a register: which versions its readers may still be given.
//!
//! Every upload is a value of its own, so that the history of a key can be judged exactly (Gibbons and
//! Korach, "Testing Shared Memories", SIAM Journal on Computing 26, 1997): version a came before
//! version b if something was done with a (its upload, or a read that returned it) that ended before
//! something done with b began. No order explains a history in which two versions came before each
//! other; in any other history there is one.

use std::collections::BTreeMap;

/// What a key is before this run has stored anything under it.
pub(super) const BEFORE: u64 = 0;

/// From how many versions on those that nobody may return any more are looked for.
const TIDY_FROM: usize = 8;

/// What was done with one version, by the key's own clock.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// When the first of it had ended; `u64::MAX` before that. An upload without an answer may take
    /// effect at any time.
    first_end: u64,
    /// When the last of it began.
    last_start: u64,
}

impl Span {
    fn came_before(self, other: Self) -> bool {
        self.first_end < other.last_start
    }

    fn contradicts(self, other: Self) -> bool {
        self.came_before(other) && other.came_before(self)
    }

    fn with_read(self, start: u64, end: u64) -> Self {
        Self {
            first_end: self.first_end.min(end),
            last_start: self.last_start.max(start),
        }
    }
}

/// What a read that returned some version shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The version may have been the newest at some moment of the read.
    Current,
    /// It was replaced before the read began.
    Outdated,
    /// It was never uploaded.
    Unheard,
}

/// What is known of one key.
#[derive(Debug)]
pub(super) struct History {
    clock: u64,
    newest: u64,
    versions: BTreeMap<u64, Span>,
    /// When the reads in flight began.
    reading: Vec<u64>,
    /// How many versions there may be before they are tidied.
    tidy_at: usize,
}

impl Default for History {
    fn default() -> Self {
        let before = Span {
            first_end: 0,
            last_start: 0,
        };
        Self {
            clock: 0,
            newest: BEFORE,
            versions: BTreeMap::from([(BEFORE, before)]),
            reading: Vec::new(),
            tidy_at: TIDY_FROM,
        }
    }
}

impl History {
    /// An upload begins; the version that it is.
    pub(super) fn begin_upload(&mut self) -> u64 {
        let start = self.tick();
        self.newest += 1;
        let span = Span {
            first_end: u64::MAX,
            last_start: start,
        };
        self.versions.insert(self.newest, span);
        self.newest
    }

    /// The upload of a version was answered.
    pub(super) fn acknowledge(&mut self, version: u64) {
        let end = self.tick();
        if let Some(span) = self.versions.get_mut(&version) {
            span.first_end = span.first_end.min(end);
        }
        self.tidy();
    }

    /// A read begins; when it does, to be given back at its end.
    pub(super) fn begin_read(&mut self) -> u64 {
        let start = self.tick();
        self.reading.push(start);
        start
    }

    /// A read has returned a version. One that is wrong leaves the history as it was, so that each
    /// wrong read counts once.
    pub(super) fn end_read(&mut self, start: u64, version: u64) -> Found {
        self.give_up_read(start);
        let end = self.tick();
        if version > self.newest {
            return Found::Unheard;
        }
        let Some(span) = self.versions.get(&version) else {
            return Found::Outdated;
        };
        let span = span.with_read(start, end);
        if self.contradicted(version, span) {
            return Found::Outdated;
        }
        self.versions.insert(version, span);
        self.tidy();
        Found::Current
    }

    /// A read has ended without an answer.
    pub(super) fn give_up_read(&mut self, start: u64) {
        if let Some(place) = self.reading.iter().position(|begun| *begun == start) {
            self.reading.swap_remove(place);
        }
    }

    /// The newest version that was in effect by `moment`.
    pub(super) fn newest_at(&self, moment: u64) -> u64 {
        let in_effect =
            |(version, span): (&u64, &Span)| (span.first_end < moment).then_some(*version);
        self.versions
            .iter()
            .filter_map(in_effect)
            .max()
            .unwrap_or(BEFORE)
    }

    fn contradicted(&self, version: u64, span: Span) -> bool {
        self.versions
            .iter()
            .any(|(other, its)| *other != version && span.contradicts(*its))
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Forgets versions that no read, in flight or later, may return. What they rule out is ruled out
    /// by those that replaced them.
    fn tidy(&mut self) {
        if self.versions.len() < self.tidy_at {
            return;
        }
        let earliest = self.reading.iter().copied().min().unwrap_or(self.clock + 1);
        let outdated = |(version, span): (&u64, &Span)| {
            let read = span.with_read(earliest, self.clock + 1);
            self.contradicted(*version, read).then_some(*version)
        };
        let outdated: Vec<u64> = self.versions.iter().filter_map(outdated).collect();
        for version in outdated {
            self.versions.remove(&version);
        }
        self.tidy_at = TIDY_FROM.max(self.versions.len() * 2);
    }
}

#[cfg(test)]
mod tests;
