//! Deleting all data from the page: it goes on when the page is closed, says how far it is, and what
//! came of it.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::api;
use crate::bucket::Bucket;
use crate::manager::Manager;
use crate::photos::{self, Deleted, Progress};
use crate::reconcile::chain;

/// How the deletion is that somebody asked for last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Nobody has asked for one.
    #[default]
    None,
    /// At work.
    Running(Progress),
    /// It is over.
    Ended {
        /// Since when.
        at: Timestamp,
        /// What was deleted; or what was not, in words.
        outcome: Result<Deleted, String>,
    },
}

/// The deletion that is at work, or was last.
#[derive(Debug, Default)]
pub struct Deletion(watch::Sender<Stage>);

impl Deletion {
    /// How it is.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.0.borrow().clone()
    }

    /// Waits until it is not at work any more.
    pub async fn ended(&self) -> Stage {
        let mut stage = self.0.subscribe();
        let ended = stage
            .wait_for(|stage| !matches!(stage, Stage::Running(_)))
            .await;
        ended.map_or(Stage::None, |stage| stage.clone())
    }

    /// Whether one could begin, and has: one at a time.
    fn begin(&self) -> bool {
        self.0.send_if_modified(|stage| {
            let may_begin = !matches!(stage, Stage::Running(_));
            if may_begin {
                *stage = Stage::Running(Progress::default());
            }
            may_begin
        })
    }
}

/// Begins to delete all data, unless that is at work already.
pub fn begin<B: Bucket>(manager: &Arc<Manager<B>>) {
    if manager.deletion.begin() {
        let manager = manager.clone();
        tokio::spawn(async move {
            let ended = run(&manager).await;
            manager.deletion.0.send_replace(ended);
        });
    }
}

async fn run<B: Bucket>(manager: &Manager<B>) -> Stage {
    let tell = |progress| {
        manager.deletion.0.send_replace(Stage::Running(progress));
    };
    let (keeper, nodes) = (&manager.keeper, &manager.nodes);
    let deleted = photos::delete_all(keeper, nodes, &manager.bucket, tell).await;
    Stage::Ended {
        at: Timestamp::now(),
        outcome: deleted.map_err(|error| {
            tracing::warn!(error = chain(&error), "deleting all photos");
            api::deletion_failure(&error)
        }),
    }
}
