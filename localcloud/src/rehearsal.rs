//! Rehearsal: localcloud as slow, as late, as short of room and as strict as an account on AWS is.
//!
//! What takes time there takes it here, on a clock that runs `speed` times as fast; how long exactly
//! is drawn by seed from one table ([`Delay`]). What has a date (a launch time, the end of a key) keeps
//! the date of the wall clock, since whoever reads it has no other. Without a rehearsal nothing takes
//! any time and nothing is refused.

mod account;
mod delays;
mod session;
mod throttle;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::auth::{Caller, Principal};
use crate::wire::ApiError;
use throttle::Throttles;

pub use account::{AccountKind, InUse, LaunchRequested};
pub use delays::Delay;
pub use session::{SessionAction, ask as ask_session};

/// Longest list of waits that is kept to be shown.
const MOST_WAITS: usize = 10_000;

/// What is rehearsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Rehearsal {
    /// The kind of account.
    pub account: AccountKind,
    /// The same seed draws the same delays.
    pub seed: u64,
    /// How many seconds of AWS pass in one second of wall time.
    pub speed: f64,
    /// Letters of the zones that have no room for another instance.
    pub full_zones: BTreeSet<char>,
    /// Whether AWS still verifies the account, and launches nothing meanwhile.
    pub is_being_verified: bool,
}

impl Rehearsal {
    /// An account of that kind, sixty times as fast as AWS.
    #[must_use]
    pub fn of(account: AccountKind) -> Self {
        Self {
            account,
            seed: 1,
            speed: 60.0,
            full_zones: BTreeSet::new(),
            is_being_verified: false,
        }
    }
}

/// One thing that took, or takes, its time.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Wait {
    /// What took it.
    pub delay: Delay,
    /// The id or name of the thing that it happened to.
    pub subject: String,
    /// The tags that it had then.
    pub tags: BTreeMap<String, String>,
    /// When it began, in seconds of AWS since localcloud started.
    pub begun: f64,
    /// How long it takes, in seconds of AWS.
    pub seconds: f64,
}

/// Where a rehearsal is played, or none is.
#[derive(Debug)]
pub struct Stage {
    rehearsal: Option<Rehearsal>,
    stopping: CancellationToken,
    opened: Instant,
    play: Mutex<Play>,
    throttles: Mutex<Throttles>,
}

#[derive(Debug, Default)]
struct Play {
    /// How often each delay has been drawn for things of a name.
    drawn: BTreeMap<(Delay, String), u64>,
    /// Until when what is under way.
    under_way: HashMap<(Delay, String), Instant>,
    waits: VecDeque<Wait>,
    held_groups: Vec<HeldGroups>,
    /// Whether the service-linked role of RDS is there.
    has_database_role: bool,
    /// When the session of a Learner Lab began; none while there is no session.
    session_began: Option<Instant>,
    is_closed: bool,
}

/// A network interface that is still there after what it belonged to has gone.
#[derive(Debug)]
struct HeldGroups {
    region: String,
    interface: String,
    groups: Vec<String>,
    until: Instant,
}

/// A delay that has begun.
#[derive(Clone, Debug)]
pub struct Due {
    until: Option<Instant>,
    stopping: CancellationToken,
}

impl Due {
    /// Waits until the delay is over; `false` where localcloud stops before that.
    pub async fn over(self) -> bool {
        let Some(until) = self.until else {
            return true;
        };
        let sleep = tokio::time::sleep_until(until.into());
        self.stopping.run_until_cancelled(sleep).await.is_some()
    }

    /// What is left of the delay, in wall time.
    pub fn remaining(&self) -> Duration {
        self.until
            .map(|until| until.saturating_duration_since(Instant::now()))
            .unwrap_or_default()
    }
}

impl Stage {
    /// A stage for a rehearsal, or for none. Waits end early when `stopping` is cancelled.
    #[must_use]
    pub fn new(rehearsal: Option<Rehearsal>, stopping: CancellationToken) -> Self {
        let now = Instant::now();
        let play = Play {
            session_began: Some(now),
            ..Play::default()
        };
        Self {
            rehearsal,
            stopping,
            opened: now,
            play: Mutex::new(play),
            throttles: Mutex::default(),
        }
    }

    /// What is rehearsed, if anything is.
    pub fn rehearsal(&self) -> Option<&Rehearsal> {
        self.rehearsal.as_ref()
    }

    /// The kind of account that is rehearsed.
    pub fn account(&self) -> Option<AccountKind> {
        self.rehearsal.as_ref().map(|rehearsal| rehearsal.account)
    }

    /// Begins a delay of a thing that has no tags.
    pub fn begin(&self, delay: Delay, subject: &str) -> Due {
        self.begin_with_tags(delay, subject, &BTreeMap::new())
    }

    /// Begins a delay: draws how long it takes, and notes it with the tags of the thing.
    pub fn begin_with_tags(
        &self,
        delay: Delay,
        subject: &str,
        tags: &BTreeMap<String, String>,
    ) -> Due {
        let Some(rehearsal) = &self.rehearsal else {
            return Due {
                until: None,
                stopping: self.stopping.clone(),
            };
        };
        let now = Instant::now();
        let mut play = self.lock();
        // Ids are another each time; a name stays, and with it what is drawn, in whatever order.
        let name = tags.get("Name").cloned().unwrap_or_default();
        let count = play.drawn.entry((delay, name.clone())).or_default();
        let drawn = draw(rehearsal.seed, delay, &name, *count);
        *count += 1;
        let until = now + drawn.div_f64(rehearsal.speed);
        play.under_way.retain(|_, until| *until > now);
        play.under_way.insert((delay, subject.to_owned()), until);
        if play.waits.len() == MOST_WAITS {
            play.waits.pop_front();
        }
        play.waits.push_back(Wait {
            delay,
            subject: subject.to_owned(),
            tags: tags.clone(),
            begun: self.opened.elapsed().as_secs_f64() * rehearsal.speed,
            seconds: drawn.as_secs_f64(),
        });
        Due {
            until: Some(until),
            stopping: self.stopping.clone(),
        }
    }

    /// Whether a delay of that thing has begun and is not over.
    pub fn is_under_way(&self, delay: Delay, subject: &str) -> bool {
        if self.rehearsal.is_none() {
            return false;
        }
        let key = (delay, subject.to_owned());
        let play = self.lock();
        play.under_way
            .get(&key)
            .is_some_and(|until| *until > Instant::now())
    }

    /// A new thing of EC2's: it is not found by its id for some seconds, nor by a filter for longer.
    pub fn hide(&self, id: &str) {
        if self.rehearsal.is_some() {
            let _by_id = self.begin(Delay::SeenById, id);
            let _by_filter = self.begin(Delay::SeenByFilter, id);
        }
    }

    /// Whether a thing exists that calls with its id do not find yet.
    pub fn is_unseen(&self, id: &str) -> bool {
        self.is_under_way(Delay::SeenById, id)
    }

    /// Whether a thing exists that listings do not show yet.
    pub fn is_unlisted(&self, id: &str) -> bool {
        self.is_under_way(Delay::SeenByFilter, id)
    }

    /// An instance or a database has gone, and its interface stays for a while in its groups.
    pub fn leave_interface(&self, region: &str, interface: &str, groups: &[String]) {
        if let Some(until) = self.begin(Delay::InterfaceGone, interface).until {
            self.lock().held_groups.push(HeldGroups {
                region: region.to_owned(),
                interface: interface.to_owned(),
                groups: groups.to_vec(),
                until,
            });
        }
    }

    /// The interfaces that have outlived what they belonged to and are in a group.
    pub fn interfaces_in(&self, region: &str, group: &str) -> Vec<String> {
        if self.rehearsal.is_none() {
            return Vec::new();
        }
        let now = Instant::now();
        let mut play = self.lock();
        play.held_groups.retain(|held| held.until > now);
        play.held_groups
            .iter()
            .filter(|held| held.region == region && held.groups.iter().any(|id| id == group))
            .map(|held| held.interface.clone())
            .collect()
    }

    /// Whether this is the first database of the account: RDS then makes its own role first, and
    /// refuses the call meanwhile.
    pub fn makes_database_role(&self) -> bool {
        if self.rehearsal.is_none() {
            return false;
        }
        let mut play = self.lock();
        if play.has_database_role {
            return self.is_role_of_databases_under_way(&play);
        }
        play.has_database_role = true;
        drop(play);
        let _due = self.begin(Delay::DatabaseRole, "AWSServiceRoleForRDS");
        true
    }

    fn is_role_of_databases_under_way(&self, play: &Play) -> bool {
        let key = (Delay::DatabaseRole, "AWSServiceRoleForRDS".to_owned());
        let until = play.under_way.get(&key);
        until.is_some_and(|until| *until > Instant::now())
    }

    /// Refuses a call for the sake of the account: it comes too often, its credentials are over, or
    /// the kind of account does not allow it.
    ///
    /// # Errors
    /// What AWS answers.
    pub fn admit(&self, caller: &Caller, action: &str) -> Result<(), ApiError> {
        let Some(rehearsal) = &self.rehearsal else {
            return Ok(());
        };
        let service = caller.service.as_str();
        let is_person = caller.principal == Principal::Root;
        if is_person && !self.is_in_session() {
            return Err(account::expired(service));
        }
        let seconds = self.opened.elapsed().as_secs_f64() * rehearsal.speed;
        let mut throttles = self
            .throttles
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        throttles.admit(service, &caller.region, action, seconds)?;
        drop(throttles);
        rehearsal.account.admit(caller, action)
    }

    /// Every wait so far, the oldest first.
    pub fn waits(&self) -> Vec<Wait> {
        self.lock().waits.iter().cloned().collect()
    }

    /// All that a person or a program may want to know of the rehearsal.
    pub fn report(&self) -> serde_json::Value {
        let Some(rehearsal) = &self.rehearsal else {
            return serde_json::Value::Null;
        };
        serde_json::json!({
            "account": rehearsal.account.name(),
            "seed": rehearsal.seed,
            "speed": rehearsal.speed,
            "now": self.opened.elapsed().as_secs_f64() * rehearsal.speed,
            "waits": self.waits(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Play> {
        self.play.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The n-th draw of a delay for things of that name: evenly between its shortest and its longest.
fn draw(seed: u64, delay: Delay, name: &str, count: u64) -> Duration {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(delay.name());
    hash.update(name);
    hash.update(count.to_be_bytes());
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
    let share = f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX);
    let (shortest, longest) = delay.seconds();
    Duration::from_secs_f64(shortest + share * (longest - shortest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stage(seed: u64) -> Stage {
        let rehearsal = Rehearsal {
            seed,
            ..Rehearsal::of(AccountKind::Paid)
        };
        Stage::new(Some(rehearsal), CancellationToken::new())
    }

    fn played(stage: &Stage) -> Vec<(Delay, String, f64)> {
        for subject in ["a", "b"] {
            for delay in Delay::ALL {
                let _due = stage.begin(delay, subject);
            }
        }
        let waits = stage.waits().into_iter();
        waits.map(|w| (w.delay, w.subject, w.seconds)).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_delays_and_another_draws_others() {
        assert_eq!(played(&stage(7)), played(&stage(7)));
        assert_ne!(played(&stage(7)), played(&stage(8)));
    }

    #[test]
    fn a_draw_lies_within_its_bounds() {
        for delay in Delay::ALL {
            let (shortest, longest) = delay.seconds();
            for count in 0..200 {
                let drawn = draw(3, delay, "", count).as_secs_f64();
                assert!((shortest..=longest).contains(&drawn), "{delay:?} {drawn}");
            }
        }
    }

    #[tokio::test]
    async fn without_a_rehearsal_nothing_takes_time() {
        let stage = Stage::new(None, CancellationToken::new());
        let due = stage.begin(Delay::DatabaseCreated, "d");
        assert_eq!(due.remaining(), Duration::ZERO);
        assert!(due.over().await);
        stage.hide("i-1");
        assert!(!stage.is_unseen("i-1") && !stage.makes_database_role());
        assert!(stage.waits().is_empty());
    }

    #[tokio::test]
    async fn a_wait_ends_with_localcloud() {
        let stopping = CancellationToken::new();
        let rehearsal = Rehearsal {
            speed: 1.0,
            ..Rehearsal::of(AccountKind::Paid)
        };
        let stage = Stage::new(Some(rehearsal), stopping.clone());
        let due = stage.begin(Delay::DatabaseCreated, "d");
        stopping.cancel();
        assert!(!due.over().await);
    }
}
