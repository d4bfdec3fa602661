//! What happened in a rehearsal, on AWS's clock: which step ran when, what AWS was at, which calls
//! there were.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deployer_aws::AwsError;
use deployer_aws::progress::Progress;
use deployer_core::critical_path::{Span, covered, critical_path};
use deployer_core::destroy::Removal;
use deployer_core::names::TAG_RESOURCE;
use serde::Deserialize;
use teardown::Observer;

/// localcloud's clock, which is AWS's, read here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    set: Instant,
    seconds: f64,
    speed: f64,
}

impl Clock {
    /// A clock that showed these seconds then.
    pub(super) fn set(then: Instant, seconds: f64, speed: f64) -> Clock {
        Clock {
            set: then,
            seconds,
            speed,
        }
    }

    /// Seconds of AWS since localcloud started.
    pub(super) fn now(&self) -> f64 {
        self.seconds + self.set.elapsed().as_secs_f64() * self.speed
    }
}

/// What localcloud tells of a rehearsal.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    pub(super) now: f64,
    pub(super) waits: Vec<Wait>,
}

/// Something that AWS took its time for.
#[derive(Debug, Deserialize)]
pub(super) struct Wait {
    pub(super) delay: String,
    subject: String,
    tags: BTreeMap<String, String>,
    begun: f64,
    seconds: f64,
}

/// What goes on behind the back of a deployer.
const NOT_WAITED_FOR: [&str; 4] = [
    "policy-effective",
    "seen-by-id",
    "seen-by-filter",
    "credentials-there",
];

impl Wait {
    fn span(&self) -> Span {
        Span {
            begun: self.begun,
            ended: self.begun + self.seconds,
        }
    }

    /// Whether a step may have waited for it. What has tags says itself whose it is; a builder works
    /// for its image.
    fn concerns(&self, step: &str, all: &[Wait]) -> bool {
        let resource = step.split(' ').next().unwrap_or_default();
        match self.delay.as_str() {
            "interface-gone" => resource.starts_with("security-group/"),
            "profile-known" | "old-profile-forgotten" => resource.starts_with("instance/"),
            "database-role" => resource.starts_with("database/"),
            // Only an image waits for what runs on an instance.
            "instance-booted" | "recipe-done" => self
                .owner(all)
                .and_then(|owner| owner.strip_prefix("builder/"))
                .is_some_and(|image| resource.strip_prefix("image/") == Some(image)),
            delay if NOT_WAITED_FOR.contains(&delay) => false,
            _ => self
                .owner(all)
                .is_some_and(|owner| owner.replace("builder/", "image/") == resource),
        }
    }

    /// The resource that it happened to, by its tag. What has gone has none any more, and had one when
    /// it was made.
    fn owner<'a>(&'a self, all: &'a [Wait]) -> Option<&'a String> {
        let same = |other: &&Wait| other.subject == self.subject;
        let earlier = || {
            all.iter()
                .filter(same)
                .find_map(|w| w.tags.get(TAG_RESOURCE))
        };
        self.tags.get(TAG_RESOURCE).or_else(earlier)
    }
}

/// How often one action was called.
#[derive(Debug, Deserialize)]
pub(super) struct Counted {
    service: String,
    action: String,
    count: u64,
}

/// Calls by service and action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls(pub(super) BTreeMap<(String, String), u64>);

impl Calls {
    pub(super) fn of(counted: Vec<Counted>) -> Calls {
        let mut calls = BTreeMap::new();
        for one in counted {
            *calls.entry((one.service, one.action)).or_default() += one.count;
        }
        Calls(calls)
    }

    /// Those that were not made before.
    pub(super) fn since(&self, before: &Calls) -> Calls {
        let more = |(what, count): (&(String, String), &u64)| {
            let earlier = before.0.get(what).copied().unwrap_or_default();
            (*count > earlier).then(|| (what.clone(), count - earlier))
        };
        Calls(self.0.iter().filter_map(more).collect())
    }

    pub(super) fn sum(&self) -> u64 {
        self.0.values().sum()
    }
}

/// One run of steps.
#[derive(Debug)]
pub(super) struct Act {
    labels: Vec<String>,
    needs: Vec<Vec<usize>>,
    spans: Vec<Span>,
    begun: f64,
    ended: f64,
    /// What was waited for beside the steps, in seconds.
    pub(super) proof: f64,
    /// Why it could not be proven that nothing is left.
    pub(super) unproven: Option<String>,
}

/// A step on the critical path.
#[derive(Debug)]
pub(super) struct OnPath<'a> {
    pub(super) step: &'a str,
    /// What AWS itself took for it.
    pub(super) seconds: f64,
}

impl Act {
    pub(super) fn begin(clock: &Clock, labels: Vec<String>, needs: Vec<Vec<usize>>) -> Act {
        let now = clock.now();
        let nothing = Span {
            begun: now,
            ended: now,
        };
        Act {
            spans: vec![nothing; labels.len()],
            labels,
            needs,
            begun: now,
            ended: now,
            proof: 0.0,
            unproven: None,
        }
    }

    /// More steps, whose needs count from the first of them.
    fn extend(&mut self, now: f64, removals: &[Removal]) {
        let first = self.labels.len();
        for removal in removals {
            self.labels.push(removal.resource.clone());
            let needs = removal.needs.iter().map(|needed| needed + first);
            self.needs.push(needs.collect());
            self.spans.push(Span {
                begun: now,
                ended: now,
            });
        }
    }

    pub(super) fn started(&mut self, step: usize, now: f64) {
        if let Some(span) = self.spans.get_mut(step) {
            *span = Span {
                begun: now,
                ended: now,
            };
        }
    }

    pub(super) fn ended(&mut self, step: usize, now: f64) {
        if let Some(span) = self.spans.get_mut(step) {
            span.ended = now;
        }
    }

    pub(super) fn finished(mut self, now: f64) -> Act {
        self.ended = now;
        self
    }

    pub(super) fn unproven(mut self, why: String) -> Act {
        self.unproven = Some(why);
        self
    }

    pub(super) fn steps(&self) -> usize {
        self.labels.len()
    }

    /// How long it took, in seconds of AWS.
    pub(super) fn seconds(&self) -> f64 {
        self.ended - self.begun
    }

    /// The chain of steps for which AWS itself took longest: without a waiting deployer it would take
    /// as long.
    pub(super) fn path(&self, waits: &[Wait]) -> Vec<OnPath<'_>> {
        let own = |(label, span): (&String, &Span)| {
            let concerned = waits.iter().filter(|wait| wait.concerns(label, waits));
            covered(*span, &concerned.map(Wait::span).collect::<Vec<_>>())
        };
        let seconds: Vec<f64> = self.labels.iter().zip(&self.spans).map(own).collect();
        let on_path = |step: usize| OnPath {
            step: &self.labels[step],
            seconds: seconds[step],
        };
        let path = critical_path(&seconds, &self.needs);
        path.into_iter().map(on_path).collect()
    }
}

pub(super) fn lock(act: &Mutex<Act>) -> MutexGuard<'_, Act> {
    act.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn take(act: Mutex<Act>) -> Act {
    act.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Notes what a teardown does.
pub(super) struct Recorder<'a> {
    clock: &'a Clock,
    act: Mutex<Act>,
    first: Mutex<usize>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(clock: &'a Clock) -> Recorder<'a> {
        Recorder {
            clock,
            act: Mutex::new(Act::begin(clock, Vec::new(), Vec::new())),
            first: Mutex::new(0),
        }
    }

    pub(super) fn finished(self) -> Act {
        let now = self.clock.now();
        take(self.act).finished(now)
    }

    fn step(&self, index: usize) -> usize {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) + index
    }
}

impl Observer for Recorder<'_> {
    fn planned(&self, removals: &[Removal]) {
        let mut act = lock(&self.act);
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = act.steps();
        act.extend(self.clock.now(), removals);
    }

    fn started(&self, index: usize) {
        lock(&self.act).started(self.step(index), self.clock.now());
    }

    fn progress(&self, _: usize) -> Progress {
        Progress::silent()
    }

    fn ended(&self, index: usize, _: &Result<(), AwsError>) {
        lock(&self.act).ended(self.step(index), self.clock.now());
    }

    fn scanning(&self, _: u32, after: Duration) {
        lock(&self.act).proof += after.as_secs_f64() * self.clock.speed;
    }
}
