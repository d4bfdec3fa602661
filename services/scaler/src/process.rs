//! The scaler as a process: a tick a minute, each by itself. It keeps nothing between ticks but what
//! it has said, so that it can be killed anywhere.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kit::logging::chain;
use kit::scaling::{Decision, Mode};
use tokio_util::sync::CancellationToken;

use crate::decide::decide;
use crate::figures::Figures;
use crate::manager::{Manager, ManagerError};

/// When in the minute a tick is: just after the minute that ended 90 s before may be judged.
pub const PHASE: SignedDuration = SignedDuration::from_secs(31);

/// The scaler.
pub struct Scaler {
    manager: Manager,
    figures: Figures,
    tick: Duration,
    mode: Option<Mode>,
    trouble: Option<String>,
}

impl Scaler {
    /// One that decides every `tick`.
    #[must_use]
    pub fn new(manager: Manager, figures: Figures, tick: Duration) -> Self {
        Self {
            manager,
            figures,
            tick,
            mode: None,
            trouble: None,
        }
    }

    /// Ticks until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let pause = until_next(Timestamp::now(), self.tick);
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            // A tick that is cut off is one whose decision was stored whole or not at all.
            tokio::select! {
                () = shutdown.cancelled() => return,
                ticked = self.tick(Timestamp::now()) => self.note(ticked),
            }
        }
    }

    async fn tick(&mut self, now: Timestamp) -> Result<(), ManagerError> {
        let situation = self.manager.situation().await?;
        self.note_mode(situation.mode);
        if situation.mode == Mode::Manual {
            return Ok(());
        }
        let window = self.figures.read(now).await;
        let decision = decide(&situation, &window, now);
        self.manager.tell(&decision).await?;
        say(&decision);
        Ok(())
    }

    fn note_mode(&mut self, mode: Mode) {
        if self.mode.replace(mode) != Some(mode) {
            match mode {
                Mode::Auto => tracing::info!("mode auto: the scaler decides the pool's size"),
                Mode::Manual => tracing::info!("mode manual: people decide the pool's size"),
            }
        }
    }

    /// Says each trouble once, until it goes well again or the trouble is another. What is refused
    /// concerns one decision and is said each time.
    fn note(&mut self, ticked: Result<(), ManagerError>) {
        match ticked {
            Ok(()) => {
                if self.trouble.take().is_some() {
                    tracing::info!("the manager answers again");
                }
            }
            Err(refused @ ManagerError::Refused(_)) => tracing::info!("{refused}"),
            Err(error) => {
                let trouble = chain(&error);
                if self.trouble.as_ref() != Some(&trouble) {
                    tracing::warn!("no decision: {trouble}");
                    self.trouble = Some(trouble);
                }
            }
        }
    }
}

fn say(decision: &Decision) {
    tracing::info!(
        size = decision.size,
        to = decision.to,
        rate = decision.rate,
        lookups = decision.lookups,
        minute = decision.minute.map(tracing::field::display),
        "{}",
        decision.reason
    );
}

/// How long it is until the next tick: those are [`PHASE`] after whole multiples of `tick`, so that
/// scalers that start anew tick when the one before would have.
#[must_use]
pub fn until_next(now: Timestamp, tick: Duration) -> Duration {
    let tick = i128::try_from(tick.as_nanos()).unwrap_or(i128::MAX).max(1);
    let passed = (now - PHASE).as_nanosecond().rem_euclid(tick);
    Duration::from_nanos(u64::try_from(tick - passed).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ticks_are_at_the_same_second_of_every_minute() {
        let minute = Duration::from_secs(60);
        for (now, seconds) in [
            ("10:00:31", 60),
            ("10:00:32", 59),
            ("10:00:30", 1),
            ("10:01:30", 1),
            ("10:00:00", 31),
        ] {
            let now: Timestamp = format!("2026-01-01T{now}Z").parse().unwrap();
            assert_eq!(until_next(now, minute), Duration::from_secs(seconds));
        }
    }

    #[test]
    fn a_tick_of_no_length_does_not_stop_the_clock() {
        let pause = until_next(Timestamp::UNIX_EPOCH, Duration::ZERO);
        assert_eq!(pause, Duration::from_nanos(1));
    }
}
