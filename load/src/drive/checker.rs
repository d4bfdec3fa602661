//! Whether what is read is what was stored: a history of each key, and a verdict on each read.

mod history;

use std::sync::{Mutex, MutexGuard, PoisonError};

use history::{BEFORE, Found, History};

/// What the bytes of a read say of themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// They are this version of the key, whole.
    Version(u64),
    /// There is no photo under the key.
    Nothing,
    /// They are not of this run.
    Foreign,
    /// They are of this run, and not what was sent; how so.
    Damaged(String),
}

/// What a read comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The version that was the newest at some moment of the read, or what was there before the run.
    Fresh,
    /// Nothing, under a key whose upload was not acknowledged before the read was sent.
    Absent,
    /// A version that was replaced before the read was sent.
    Stale {
        /// The version that was returned.
        returned: u64,
        /// One that was acknowledged, or read, before this read was sent.
        newest: u64,
    },
    /// Nothing, under a key whose upload was acknowledged before the read was sent.
    Lost,
    /// Other bytes than anybody sent; how so.
    Wrong(String),
}

/// A read that has begun.
#[derive(Debug)]
#[must_use]
pub(super) struct Begun {
    key: u32,
    at: u64,
}

/// The histories of all keys, which are numbers from 0.
#[derive(Debug)]
pub(super) struct Checker {
    keys: Vec<Mutex<History>>,
}

impl Checker {
    /// Nothing was stored yet.
    #[must_use]
    pub(super) fn new(keys: u32) -> Self {
        Self {
            keys: (0..keys).map(|_| Mutex::default()).collect(),
        }
    }

    /// An upload is about to be sent; the version that it is to carry. If it fails, it may have taken
    /// effect or not, or do so later: nothing more is to be said of it.
    pub(super) fn begin_upload(&self, key: u32) -> u64 {
        self.history(key).begin_upload()
    }

    /// An upload was answered.
    pub(super) fn acknowledge(&self, key: u32, version: u64) {
        self.history(key).acknowledge(version);
    }

    /// A read is about to be sent.
    pub(super) fn begin_read(&self, key: u32) -> Begun {
        let at = self.history(key).begin_read();
        Begun { key, at }
    }

    /// A read was not answered.
    pub(super) fn give_up(&self, Begun { key, at }: Begun) {
        self.history(key).give_up_read(at);
    }

    /// A read was answered.
    pub(super) fn judge(&self, Begun { key, at }: Begun, seen: Seen) -> Verdict {
        let mut history = self.history(key);
        let mut returned = |version| history.end_read(at, version);
        match seen {
            Seen::Version(version) => match returned(version) {
                Found::Current => Verdict::Fresh,
                Found::Outdated => Verdict::Stale {
                    returned: version,
                    newest: history.newest_at(at),
                },
                Found::Unheard => Verdict::Wrong(format!("version {version} was never sent")),
            },
            Seen::Nothing => match returned(BEFORE) {
                Found::Current => Verdict::Absent,
                Found::Outdated | Found::Unheard => Verdict::Lost,
            },
            Seen::Foreign => match returned(BEFORE) {
                Found::Current => Verdict::Fresh,
                Found::Outdated | Found::Unheard => {
                    Verdict::Wrong("the bytes are not of this run".to_owned())
                }
            },
            Seen::Damaged(how) => {
                history.give_up_read(at);
                Verdict::Wrong(how)
            }
        }
    }

    fn history(&self, key: u32) -> MutexGuard<'_, History> {
        self.keys[key as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn stored(checker: &Checker, key: u32) -> u64 {
        let version = checker.begin_upload(key);
        checker.acknowledge(key, version);
        version
    }

    fn read(checker: &Checker, seen: Seen) -> Verdict {
        let read = checker.begin_read(0);
        checker.judge(read, seen)
    }

    #[test]
    fn before_the_first_upload_anything_may_be_there() {
        let checker = Checker::new(1);
        assert_eq!(read(&checker, Seen::Nothing), Verdict::Absent);
        assert_eq!(read(&checker, Seen::Foreign), Verdict::Fresh);
        let damaged = read(&checker, Seen::Damaged("cut".to_owned()));
        assert_eq!(damaged, Verdict::Wrong("cut".to_owned()));
        assert!(matches!(
            read(&checker, Seen::Version(1)),
            Verdict::Wrong(_)
        ));
    }

    #[test]
    fn an_acknowledged_photo_is_there_and_is_the_newest() {
        let checker = Checker::new(1);
        let first = stored(&checker, 0);
        assert_eq!(read(&checker, Seen::Version(first)), Verdict::Fresh);
        assert_eq!(read(&checker, Seen::Nothing), Verdict::Lost);
        assert!(matches!(read(&checker, Seen::Foreign), Verdict::Wrong(_)));
        let second = stored(&checker, 0);
        let stale = Verdict::Stale {
            returned: first,
            newest: second,
        };
        assert_eq!(read(&checker, Seen::Version(first)), stale);
        assert_eq!(read(&checker, Seen::Version(first)), stale, "each time");
        assert_eq!(read(&checker, Seen::Version(second)), Verdict::Fresh);
    }

    #[test]
    fn a_read_that_was_under_way_may_return_either() {
        let checker = Checker::new(1);
        let first = stored(&checker, 0);
        let [one, other] = [(); 2].map(|()| checker.begin_read(0));
        let second = stored(&checker, 0);
        let judged = checker.judge(one, Seen::Version(second));
        assert_eq!(judged, Verdict::Fresh);
        let judged = checker.judge(other, Seen::Version(first));
        assert_eq!(judged, Verdict::Fresh);
    }

    #[test]
    fn an_upload_that_failed_may_have_taken_effect_and_cannot_be_undone_once_it_was_read() {
        let checker = Checker::new(1);
        let first = stored(&checker, 0);
        let failed = checker.begin_upload(0);
        assert_eq!(read(&checker, Seen::Version(first)), Verdict::Fresh);
        assert_eq!(read(&checker, Seen::Version(failed)), Verdict::Fresh);
        assert!(matches!(
            read(&checker, Seen::Version(first)),
            Verdict::Stale { .. }
        ));
    }

    #[test]
    fn of_two_uploads_at_once_either_may_win_but_for_good() {
        let checker = Checker::new(1);
        let [one, other] = [(); 2].map(|()| checker.begin_upload(0));
        checker.acknowledge(0, other);
        checker.acknowledge(0, one);
        assert_eq!(read(&checker, Seen::Version(other)), Verdict::Fresh);
        assert!(matches!(
            read(&checker, Seen::Version(one)),
            Verdict::Stale { .. }
        ));
        assert_eq!(read(&checker, Seen::Version(other)), Verdict::Fresh);
    }
}
