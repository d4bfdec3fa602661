//! The pool's state as this process holds it: read by everybody at once, changed by one at a time,
//! and only after the database has it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use catalog::{By, Catalog, Decision, Notes, PoolState, Save};
use jiff::Timestamp;
use kit::pool::Table;
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};

use crate::blueprint::Version;
use crate::history;
use crate::pool::Seen;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// This process does not lead the pool (yet, or any more).
    #[error("this manager does not lead the pool at the moment")]
    NotLeading,
    /// The deployer has not said yet what the pool should be.
    #[error("what the blueprint says of the pool has not been read yet")]
    NoBlueprint,
    /// The database.
    #[error("could not store the change")]
    Catalog(#[from] catalog::Error),
}

/// Holder of the pool's state. Clones are the same keeper.
#[derive(Clone)]
pub struct Keeper(Arc<Inner>);

struct Inner {
    catalog: Catalog,
    name: String,
    blueprint: watch::Sender<Option<Arc<Version>>>,
    state: watch::Sender<Option<Arc<PoolState>>>,
    published: watch::Sender<Arc<Table>>,
    hold: watch::Sender<Option<String>>,
    changing: AsyncMutex<()>,
    seen: Mutex<Seen>,
    stir: Notify,
}

impl Keeper {
    /// Of the pool called `name`. Holds nothing until [`Keeper::load`].
    #[must_use]
    pub fn new(catalog: Catalog, name: String) -> Self {
        Self(Arc::new(Inner {
            catalog,
            name,
            blueprint: watch::Sender::new(None),
            state: watch::Sender::new(None),
            published: watch::Sender::new(Arc::new(Table::default())),
            hold: watch::Sender::new(None),
            changing: AsyncMutex::new(()),
            seen: Mutex::new(Seen::new(Instant::now())),
            stir: Notify::new(),
        }))
    }

    /// The database.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// The name of the pool.
    #[must_use]
    pub fn pool_name(&self) -> &str {
        &self.0.name
    }

    /// What the blueprint says of the pool, once it was read.
    #[must_use]
    pub fn blueprint(&self) -> Option<Arc<Version>> {
        self.0.blueprint.borrow().clone()
    }

    /// Notes what the blueprint says from now on.
    pub fn set_blueprint(&self, version: Arc<Version>) {
        self.0.blueprint.send_replace(Some(version));
        self.stir();
    }

    /// To wait for a blueprint.
    #[must_use]
    pub fn watch_blueprint(&self) -> watch::Receiver<Option<Arc<Version>>> {
        self.0.blueprint.subscribe()
    }

    /// The state as stored; `None` before the first [`Keeper::load`] and while somebody else leads.
    #[must_use]
    pub fn state(&self) -> Option<Arc<PoolState>> {
        self.0.state.borrow().clone()
    }

    /// To wait for changes of the state.
    #[must_use]
    pub fn watch_state(&self) -> watch::Receiver<Option<Arc<PoolState>>> {
        self.0.state.subscribe()
    }

    /// The table that front-ends were told of, and to wait for the next.
    #[must_use]
    pub fn watch_published(&self) -> watch::Receiver<Arc<Table>> {
        self.0.published.subscribe()
    }

    /// The published table.
    #[must_use]
    pub fn published(&self) -> Arc<Table> {
        self.0.published.borrow().clone()
    }

    /// What was observed. Hold it briefly.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why no node can be launched at the moment, if so.
    #[must_use]
    pub fn hold(&self) -> Option<String> {
        self.0.hold.borrow().clone()
    }

    /// Notes why no node can be launched, or that one can.
    pub fn set_hold(&self, reason: Option<String>) {
        self.0.hold.send_if_modified(|hold| {
            let changed = *hold != reason;
            *hold = reason;
            changed
        });
    }

    /// Wakes those who act on the state, as something was observed.
    pub fn stir(&self) {
        self.0.stir.notify_one();
    }

    /// Waits until [`Keeper::stir`].
    pub async fn stirred(&self) {
        self.0.stir.notified().await;
    }

    /// Begins to lead as a new process does: somebody else may have led in between, so neither what
    /// was seen of the nodes nor the table published here says how they stand.
    pub fn begin(&self) {
        self.seen().lead(Instant::now());
        self.0.published.send_replace(Arc::new(Table::default()));
    }

    /// Reads the state from the database, or makes the first one.
    ///
    /// # Errors
    /// When the database cannot be asked, or the blueprint has not been read yet.
    pub async fn load(&self) -> Result<(), ChangeError> {
        let _changing = self.0.changing.lock().await;
        self.read().await
    }

    async fn read(&self) -> Result<(), ChangeError> {
        let version = self.blueprint().ok_or(ChangeError::NoBlueprint)?;
        let first = version.blueprint.first(self.pool_name());
        let state = self.0.catalog.pool_or_create(&first).await?;
        self.0.state.send_replace(Some(Arc::new(state)));
        Ok(())
    }

    /// Stops holding a state: somebody else leads.
    pub async fn unload(&self) {
        let _changing = self.0.changing.lock().await;
        self.0.state.send_replace(None);
    }

    /// Changes the state as the manager does by itself: what it changes of the configuration is the
    /// blueprint's word. As [`Keeper::change_for`] otherwise.
    ///
    /// # Errors
    /// As [`Keeper::change_for`].
    pub async fn change<E: From<ChangeError>>(
        &self,
        change: impl FnOnce(&PoolState) -> Result<PoolState, E>,
    ) -> Result<Arc<PoolState>, E> {
        self.change_for(By::Blueprint, change).await
    }

    /// Changes the state for somebody: `change` makes the new one from the current one, or an error.
    /// It is stored before anybody sees it, together with what of the configuration has changed.
    /// Answers the state as it is then.
    ///
    /// # Errors
    /// What `change` refuses, and when the state could not be stored; then it is as before.
    pub async fn change_for<E: From<ChangeError>>(
        &self,
        by: By,
        change: impl FnOnce(&PoolState) -> Result<PoolState, E>,
    ) -> Result<Arc<PoolState>, E> {
        self.store(by, None, change).await
    }

    /// Changes the state as the scaler has decided, and stores its decision with that.
    ///
    /// # Errors
    /// As [`Keeper::change_for`]; then the decision is not stored either.
    pub async fn decide<E: From<ChangeError>>(
        &self,
        decision: Decision,
        change: impl FnOnce(&PoolState) -> Result<PoolState, E>,
    ) -> Result<Arc<PoolState>, E> {
        self.store(By::Scaler, Some(decision), change).await
    }

    async fn store<E: From<ChangeError>>(
        &self,
        by: By,
        decision: Option<Decision>,
        change: impl FnOnce(&PoolState) -> Result<PoolState, E>,
    ) -> Result<Arc<PoolState>, E> {
        let _changing = self.0.changing.lock().await;
        let current = self.state().ok_or(ChangeError::NotLeading)?;
        let mut next = change(&current)?;
        if next == *current && decision.is_none() {
            return Ok(current);
        }
        let notes = Notes {
            changes: history::changes(&current.pool, &next.pool, by, Timestamp::now()),
            decision,
        };
        match self.0.catalog.save_pool(&next, &notes).await {
            Ok(Save::Done { revision }) => next.pool.revision = revision,
            Ok(Save::Conflict) => {
                self.0.state.send_replace(None);
                return Err(ChangeError::NotLeading.into());
            }
            Err(error) => {
                self.recover(&error).await;
                return Err(ChangeError::Catalog(error).into());
            }
        }
        let next = Arc::new(next);
        self.0.state.send_replace(Some(next.clone()));
        self.stir();
        Ok(next)
    }

    /// Waits until the change that is being made, if any, is stored and seen.
    pub async fn settled(&self) {
        let _changing = self.0.changing.lock().await;
    }

    /// A write whose answer was lost may have been done: only the database can tell. Until it does,
    /// nobody acts.
    async fn recover(&self, error: &catalog::Error) {
        if !error.is_unavailable() {
            return;
        }
        if let Err(error) = self.read().await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "reading the pool again"
            );
        }
    }

    /// Tells front-ends of a table.
    pub fn publish(&self, table: Table) {
        self.seen().published = Some((table.epoch, Instant::now()));
        self.0.published.send_replace(Arc::new(table));
    }
}
