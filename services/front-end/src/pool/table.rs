//! The pool's table, as the manager publishes it.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use kit::body;
use kit::client::Client;
use kit::pool::Table;
use kit::token::{self, Token};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// The manager answers a long poll after 20 s at the latest.
const POLL_TIME: Duration = Duration::from_secs(25);
/// How long a request waits for the table of this moment.
const FETCH_TIME: Duration = Duration::from_millis(400);
/// Pauses while the manager does not answer, growing.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

pub(super) struct Tables {
    http: Client,
    token: Token,
    manager: String,
    table: watch::Sender<Option<Arc<Table>>>,
    /// Since when the manager has not answered a long poll.
    silent: watch::Sender<Option<Instant>>,
    refreshed: Mutex<Instant>,
}

impl Tables {
    pub(super) fn new(manager: &str, token: &Token, http: &Client) -> Self {
        Self {
            http: http.clone(),
            token: token.clone(),
            manager: manager.to_owned(),
            table: watch::Sender::new(None),
            silent: watch::Sender::new(None),
            refreshed: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn current(&self) -> Option<Arc<Table>> {
        self.table.borrow().clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<Arc<Table>>> {
        self.table.subscribe()
    }

    pub(super) fn silence(&self) -> watch::Receiver<Option<Instant>> {
        self.silent.subscribe()
    }

    /// The epoch of the current table; every real one is above 0.
    pub(super) fn epoch(&self) -> u64 {
        self.table.borrow().as_ref().map_or(0, |table| table.epoch)
    }

    pub(super) async fn known(&self) {
        // The sender is ours: it does not go away while we wait.
        let _ = self.table.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits until the table of `epoch`, or a newer one, is known.
    pub(super) async fn reach(&self, epoch: u64) {
        let mut table = self.table.subscribe();
        let is_there =
            |table: &Option<Arc<Table>>| table.as_ref().is_some_and(|table| table.epoch >= epoch);
        // The sender is ours: it does not go away while we wait.
        let _ = table.wait_for(is_there).await;
    }

    /// Long-polls for ever.
    pub(super) async fn follow(&self) {
        let mut pause = PAUSES.0;
        loop {
            // After a silence the table of the moment, at once: a poll for a newer one would leave open
            // for how long the manager has been back.
            let after = self.silent.borrow().map_or_else(|| self.epoch(), |_| 0);
            let answered = self.ask(after, POLL_TIME).await;
            self.note(answered);
            if answered {
                pause = PAUSES.0;
            } else {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }

    fn note(&self, answered: bool) {
        self.silent.send_if_modified(|since| {
            let changed = answered == since.is_some();
            if changed {
                *since = (!answered).then(Instant::now);
            }
            changed
        });
    }

    /// Asks for the table of this moment; false when the manager does not tell.
    pub(super) async fn fetch(&self) -> bool {
        self.ask(0, FETCH_TIME).await
    }

    /// As [`Tables::fetch`], once for all who ask at the same time.
    pub(super) async fn refresh(&self) {
        let asked = Instant::now();
        let mut refreshed = self.refreshed.lock().await;
        if *refreshed < asked {
            self.fetch().await;
            *refreshed = Instant::now();
        }
    }

    async fn ask(&self, after: u64, deadline: Duration) -> bool {
        let request = Request::get(format!(
            "http://{}/internal/table?after={after}",
            self.manager
        ))
        .header(token::HEADER, self.token.header_value())
        .body(body::empty());
        let Ok(request) = request else {
            return false;
        };
        let answer = match self.http.send(request, deadline).await {
            Ok(answer) if answer.status() == StatusCode::OK => answer,
            Ok(answer) => {
                tracing::warn!(
                    status = answer.status().as_u16(),
                    "the manager gave no table"
                );
                return false;
            }
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "asking for the table"
                );
                return false;
            }
        };
        match serde_json::from_slice::<Table>(answer.body()) {
            // A manager that has not read its own table yet.
            Ok(table) if table.epoch == 0 => false,
            Ok(table) => {
                self.adopt(table);
                true
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "reading the table"
                );
                false
            }
        }
    }

    /// Answers may overtake each other: only a newer table replaces ours.
    fn adopt(&self, table: Table) {
        self.table.send_if_modified(|current| {
            let newer = current
                .as_ref()
                .is_none_or(|current| table.epoch > current.epoch);
            if newer {
                tracing::info!(
                    epoch = table.epoch,
                    nodes = table.nodes.len(),
                    "the table changed"
                );
                *current = Some(Arc::new(table));
            }
            newer
        });
    }
}
