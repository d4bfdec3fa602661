//! When the deployment expires, this instance helps to take it away and ends itself. It needs no
//! laptop for that, no manager and no other instance.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use aws_config::imds;
use jiff::Timestamp;
use kit::expiry::{self, Expiry, ExpiryError};
use tokio::process::Command;

use crate::Times;
use crate::order::Order;
use crate::patience::{Patience, Trouble};

/// Watches the tag that says when the deployment expires.
pub(crate) struct Watch<'a> {
    metadata: &'a imds::Client,
    times: Times,
    told: Option<Expiry>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(metadata: &'a imds::Client, times: Times) -> Self {
        Self {
            metadata,
            times,
            told: None,
        }
    }

    /// When the deployment is due, by a fresh look. A tag that is no instant is as none: an instance
    /// that serves is not given up for a slip of the pen.
    pub(crate) async fn look(&mut self) -> Option<Timestamp> {
        let metadata = self.metadata;
        let expiry = Patience::new(self.times)
            .insist("asking the metadata service for the expiry", || async {
                match expiry::read(metadata).await {
                    Err(error @ ExpiryError::Metadata(_)) => Err(Trouble {
                        cause: error.to_string(),
                        detail: kit::logging::chain(&error),
                        expected: false,
                    }),
                    answer => Ok(answer),
                }
            })
            .await;
        let expiry = expiry.unwrap_or_else(|error| {
            tracing::error!("{}", kit::logging::chain(&error));
            None
        });
        self.tell(expiry);
        expiry.map(|expiry| expiry.due(self.times.grace))
    }

    fn tell(&mut self, expiry: Option<Expiry>) {
        if self.told == expiry {
            return;
        }
        self.told = expiry;
        match expiry {
            None => tracing::info!("the deployment does not expire"),
            Some(expiry) if expiry.was_slept_through() => tracing::warn!(
                expires = %expiry.at,
                due = %expiry.due(self.times.grace),
                "the deployment expired while this instance was off: unless it is extended it goes"
            ),
            Some(expiry) => tracing::info!(expires = %expiry.at, "the deployment expires"),
        }
    }

    /// Waits until the deployment is due. The last look is never older than the decision: what was
    /// extended a moment ago lives on.
    pub(crate) async fn until_due(&mut self) -> Timestamp {
        loop {
            let now = Timestamp::now();
            let pause = match self.look().await {
                Some(due) if due <= now => return due,
                Some(due) => next_look(due.duration_since(now).unsigned_abs(), self.times),
                None => self.times.look,
            };
            tokio::time::sleep(pause).await;
        }
    }
}

/// The nearer, the sooner: each look halves what is left.
fn next_look(left: Duration, times: Times) -> Duration {
    (left / 2).clamp(times.first_wait, times.look)
}

/// How an attempt to take the deployment away went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaped {
    /// Nothing is left for this instance to do.
    Done,
    /// Something is left, or it is another instance's turn.
    NotYet,
}

/// Takes an expired deployment away, as far as it is this instance's turn.
pub(crate) struct Reaper<'a> {
    pub(crate) order: &'a Order,
    pub(crate) root: &'a Path,
    pub(crate) metadata: &'a imds::Client,
    pub(crate) times: Times,
}

impl Reaper<'_> {
    /// Takes the deployment away and powers off; comes back only if it was extended meanwhile.
    ///
    /// A database that cannot be deleted yet is tried again, since nobody else may be left to do it.
    /// After [`Times::give_up`] this instance ends all the same: what it could not do by then it
    /// never will, and it bills.
    pub(crate) async fn end(&self, watch: &mut Watch<'_>) {
        loop {
            let now = Timestamp::now();
            let Some(due) = watch.look().await.filter(|due| *due <= now) else {
                tracing::info!("the deployment was extended: it goes on");
                return;
            };
            if self.reap(due).await == Reaped::Done {
                return self.power_off().await;
            }
            if now.duration_since(due).unsigned_abs() >= self.times.give_up {
                tracing::error!(
                    "the deployment has expired and is not gone; `deploy down {}` removes the rest",
                    self.order.deployment
                );
                return self.power_off().await;
            }
            tokio::time::sleep(self.times.try_again).await;
        }
    }

    async fn reap(&self, due: Timestamp) -> Reaped {
        let instance = Patience::new(self.times)
            .insist("asking the metadata service who this is", || {
                crate::metadata::instance_id(self.metadata)
            })
            .await;
        let program = self.root.join("opt/bivouac/bin/teardown");
        let status = Command::new(&program)
            .arg("reap")
            .args(["--deployment", &self.order.deployment])
            .args(["--region", &self.order.region])
            .args(["--instance", &instance])
            .args(["--due", &due.to_string()])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .status()
            .await;
        match status {
            Ok(status) if status.success() => Reaped::Done,
            Ok(_) => Reaped::NotYet,
            Err(error) => {
                tracing::error!(path = %program.display(), "cannot be started: {error}");
                Reaped::NotYet
            }
        }
    }

    /// Ends the instance: it is launched so that powering off terminates it. Returns never.
    async fn power_off(&self) {
        let program = self.root.join("usr/sbin/poweroff");
        loop {
            tracing::info!("powering off: this instance has no more to do");
            let status = Command::new(&program).stdin(Stdio::null()).status().await;
            if let Err(error) = status {
                tracing::error!(path = %program.display(), "cannot be started: {error}");
            }
            tokio::time::sleep(self.times.look).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_looked_at_each_minute_and_more_often_near_the_end() {
        let times = Times::default();
        let seconds = |left| next_look(Duration::from_secs(left), times).as_secs();
        assert_eq!([28_800, 120, 100, 30, 2].map(seconds), [60, 60, 50, 15, 1]);
        let at_last = next_look(Duration::from_millis(1), times);
        assert_eq!(at_last, times.first_wait, "never without a pause");
    }
}
