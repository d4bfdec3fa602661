//! Runs things that depend on one another: each as soon as what it needs is done.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;

use crate::error::AwsError;

/// What becomes of the rest when one has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// Nothing more is begun; what runs is let finish.
    Stop,
    /// Whatever does not need the failed one goes on.
    GoOn,
}

/// What happened to the things, by their indices.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Done.
    pub done: BTreeSet<usize>,
    /// Failed, and why.
    pub failed: Vec<(usize, AwsError)>,
    /// Cut off while they ran.
    pub cut_off: BTreeSet<usize>,
    /// Whether it ended because it was told to stop.
    pub stopped: bool,
}

impl Outcome {
    /// Whether every thing is done.
    #[must_use]
    pub fn is_complete(&self, all: usize) -> bool {
        self.done.len() == all
    }
}

/// One running thing.
pub type Work<'a> = Pin<Box<dyn Future<Output = Result<(), AwsError>> + 'a>>;

/// How long a running call may take to finish after the user asked to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Runs all, index by index; `needs[i]` are the indices that `i` waits for. `stop` turning true
/// begins nothing more, gives what runs a moment to finish, and drops it.
pub async fn run<'a>(
    needs: &[Vec<usize>],
    after_failure: AfterFailure,
    stop: watch::Receiver<bool>,
    work: impl Fn(usize) -> Work<'a>,
) -> Outcome {
    run_with(needs, after_failure, stop, GRACE, work).await
}

async fn run_with<'a>(
    needs: &[Vec<usize>],
    after_failure: AfterFailure,
    mut stop: watch::Receiver<bool>,
    grace: Duration,
    work: impl Fn(usize) -> Work<'a>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut begun = BTreeSet::new();
    let mut running = FuturesUnordered::new();
    loop {
        let halted =
            outcome.stopped || (after_failure == AfterFailure::Stop && !outcome.failed.is_empty());
        if !halted {
            for (index, needed) in needs.iter().enumerate() {
                if !begun.contains(&index) && needed.iter().all(|n| outcome.done.contains(n)) {
                    begun.insert(index);
                    let one = work(index);
                    running.push(async move { (index, one.await) });
                }
            }
        }
        let deadline = if outcome.stopped {
            grace
        } else {
            Duration::MAX
        };
        tokio::select! {
            finished = running.next() => match finished {
                None => break,
                Some((index, Ok(()))) => drop(outcome.done.insert(index)),
                Some((index, Err(error))) => outcome.failed.push((index, error)),
            },
            true = told_to_stop(&mut stop), if !outcome.stopped => outcome.stopped = true,
            () = tokio::time::sleep(deadline) => break,
        }
    }
    let failed: BTreeSet<usize> = outcome.failed.iter().map(|(i, _)| *i).collect();
    outcome.cut_off = begun
        .into_iter()
        .filter(|i| !outcome.done.contains(i) && !failed.contains(i))
        .collect();
    outcome
}

async fn told_to_stop(stop: &mut watch::Receiver<bool>) -> bool {
    match stop.wait_for(|told| *told).await {
        Ok(_) => true,
        // Nobody is left who could say it.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Mutex;

    fn failure() -> AwsError {
        AwsError::NotReached {
            what: "it".to_owned(),
            why: "never".to_owned(),
        }
    }

    #[tokio::test]
    async fn each_begins_after_what_it_needs() {
        let order = Mutex::new(Vec::new());
        let needs = [vec![1], vec![2], vec![]];
        let (_told, stop) = watch::channel(false);
        let outcome = run(&needs, AfterFailure::Stop, stop, |i| {
            let order = &order;
            Box::pin(async move {
                order.lock().unwrap().push(i);
                Ok(())
            })
        })
        .await;
        assert!(outcome.is_complete(3));
        assert_eq!(*order.lock().unwrap(), [2, 1, 0]);
    }

    #[tokio::test]
    async fn a_failure_stops_the_rest_or_only_what_needs_it() {
        let needs = [vec![], vec![0], vec![], vec![2]];
        let work = |i| -> Work<'static> {
            Box::pin(async move { if i == 0 { Err(failure()) } else { Ok(()) } })
        };
        let (_told, stop) = watch::channel(false);
        let outcome = run(&needs, AfterFailure::GoOn, stop.clone(), work).await;
        assert_eq!(outcome.done, BTreeSet::from([2, 3]));
        assert_eq!(outcome.failed.len(), 1);
        let outcome = run(&needs, AfterFailure::Stop, stop, work).await;
        assert!(!outcome.done.contains(&1) && !outcome.done.contains(&3));
    }

    #[tokio::test]
    async fn told_to_stop_it_cuts_off_what_does_not_finish() {
        let needs = [vec![], vec![0]];
        let (told, stop) = watch::channel(false);
        told.send(true).unwrap();
        let grace = Duration::from_millis(1);
        let forever = |_| -> Work<'static> { Box::pin(std::future::pending()) };
        let outcome = run_with(&needs, AfterFailure::Stop, stop, grace, forever).await;
        assert!(outcome.stopped);
        assert_eq!(outcome.cut_off, BTreeSet::from([0]));
    }
}
