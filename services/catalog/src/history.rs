//! What happened to the pool: changes of its configuration, and the decisions of the scaler. Both are
//! written in the transaction of the pool that they tell of ([`Catalog::save_pool`]).

use std::time::SystemTime;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::connection::Catalog;
use crate::error::{Cause, Error};
use crate::pool::{known, place, signed, time, timestamp};

/// So many rows of a kind are kept for each pool, the newest; a day and a half of decisions.
const KEPT: i64 = 2000;

/// Who asked for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A person, on the manager's pages.
    Page,
    /// A client, by `configure_cache`.
    Api,
    /// Who edited the blueprint.
    Blueprint,
    /// The scaler.
    Scaler,
}

/// One value of the pool's configuration that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: By,
    /// Which value, by its name in `configure_cache`.
    pub what: String,
    /// What it was, as `configure_cache` says it.
    pub from: String,
    /// What it is since.
    pub to: String,
}

/// What the scaler found the pool to be doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalerState {
    /// It is as wished, and a whole minute was measured since.
    Steady,
    /// It is not as wished yet.
    Resizing,
    /// It is as wished; no whole minute was measured since.
    Cooling,
}

/// What the scaler did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It made the pool larger.
    Grew,
    /// It made the pool smaller.
    Shrank,
    /// It left the pool as it is.
    Held,
}

/// One tick of the scaler.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// What the pool was doing.
    pub state: ScalerState,
    /// What was done.
    pub outcome: Outcome,
    /// Why, for people.
    pub reason: String,
    /// Nodes wished for until then.
    pub size: u32,
    /// Nodes wished for since; `size` when held.
    pub to: u32,
    /// Misses by lookups in the minute judged, if one was and had lookups.
    pub rate: Option<f64>,
    /// Lookups in the minute judged.
    pub lookups: Option<u64>,
    /// Start of the minute judged.
    pub minute: Option<Timestamp>,
}

/// What is to be noted together with a change of the pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notes {
    /// The values of the configuration that changed.
    pub changes: Vec<Change>,
    /// The scaler's tick.
    pub decision: Option<Decision>,
}

impl Notes {
    /// Whether there is nothing to note.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.decision.is_none()
    }
}

impl Catalog {
    /// The newest changes of the pool's configuration, newest first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn changes(&self, pool: &str, limit: u32) -> Result<Vec<Change>, Error> {
        self.with("read the changes of the pool", async |client| {
            let query = "SELECT * FROM pool_change WHERE pool = $1 ORDER BY id DESC LIMIT $2";
            let statement = client.prepare_cached(query).await?;
            let rows = client
                .query(&statement, &[&pool, &i64::from(limit)])
                .await?;
            rows.iter().map(change).collect()
        })
        .await
    }

    /// The newest decisions of the scaler, newest first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn decisions(&self, pool: &str, limit: u32) -> Result<Vec<Decision>, Error> {
        let query = "SELECT * FROM decision WHERE pool = $1 ORDER BY id DESC LIMIT $2";
        self.read_decisions(query, pool, limit).await
    }

    /// The newest decisions that resized the pool, newest first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn resizes(&self, pool: &str, limit: u32) -> Result<Vec<Decision>, Error> {
        let query = "SELECT * FROM decision WHERE pool = $1 AND outcome <> 'held'
                     ORDER BY id DESC LIMIT $2";
        self.read_decisions(query, pool, limit).await
    }

    async fn read_decisions(
        &self,
        query: &str,
        pool: &str,
        limit: u32,
    ) -> Result<Vec<Decision>, Error> {
        self.with("read the scaler's decisions", async |client| {
            let statement = client.prepare_cached(query).await?;
            let rows = client
                .query(&statement, &[&pool, &i64::from(limit)])
                .await?;
            rows.iter().map(decision).collect()
        })
        .await
    }
}

/// Writes the notes, and forgets the oldest rows that are too many.
pub(crate) async fn insert(
    transaction: &Transaction<'_>,
    pool: &str,
    notes: &Notes,
) -> Result<(), Cause> {
    for change in &notes.changes {
        insert_change(transaction, pool, change).await?;
    }
    if !notes.changes.is_empty() {
        prune(transaction, "pool_change", "true", pool).await?;
    }
    if let Some(decision) = &notes.decision {
        insert_decision(transaction, pool, decision).await?;
        // A resize is remembered for longer than the many ticks that held.
        prune(transaction, "decision", "outcome = 'held'", pool).await?;
        prune(transaction, "decision", "outcome <> 'held'", pool).await?;
    }
    Ok(())
}

async fn insert_change(
    transaction: &Transaction<'_>,
    pool: &str,
    change: &Change,
) -> Result<(), Cause> {
    transaction
        .execute(
            "INSERT INTO pool_change (pool, at, by, what, before, after)
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                &pool,
                &SystemTime::from(change.at),
                &change.by.as_str(),
                &change.what,
                &change.from,
                &change.to,
            ],
        )
        .await?;
    Ok(())
}

async fn insert_decision(
    transaction: &Transaction<'_>,
    pool: &str,
    decision: &Decision,
) -> Result<(), Cause> {
    transaction
        .execute(
            "INSERT INTO decision (pool, at, state, outcome, reason, size, goes_to,
                                   rate, lookups, minute)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &[
                &pool,
                &SystemTime::from(decision.at),
                &decision.state.as_str(),
                &decision.outcome.as_str(),
                &decision.reason,
                &place(decision.size),
                &place(decision.to),
                &decision.rate,
                &decision.lookups.map(signed),
                &decision.minute.map(SystemTime::from),
            ],
        )
        .await?;
    Ok(())
}

async fn prune(
    transaction: &Transaction<'_>,
    table: &str,
    which: &str,
    pool: &str,
) -> Result<(), Cause> {
    let delete = format!(
        "DELETE FROM {table} WHERE pool = $1 AND {which} AND id <=
           (SELECT id FROM {table} WHERE pool = $1 AND {which} ORDER BY id DESC OFFSET $2 LIMIT 1)"
    );
    transaction.execute(&delete, &[&pool, &KEPT]).await?;
    Ok(())
}

fn change(row: &Row) -> Result<Change, Cause> {
    Ok(Change {
        at: timestamp(row, "at")?,
        by: known("who asked for a change", row.get("by"), By::parse)?,
        what: row.get("what"),
        from: row.get("before"),
        to: row.get("after"),
    })
}

fn decision(row: &Row) -> Result<Decision, Cause> {
    Ok(Decision {
        at: timestamp(row, "at")?,
        state: known("a scaler's state", row.get("state"), ScalerState::parse)?,
        outcome: known("a scaler's outcome", row.get("outcome"), Outcome::parse)?,
        reason: row.get("reason"),
        size: row.get::<_, i32>("size").unsigned_abs(),
        to: row.get::<_, i32>("goes_to").unsigned_abs(),
        rate: row.get("rate"),
        lookups: row.get::<_, Option<i64>>("lookups").map(i64::unsigned_abs),
        minute: row
            .get::<_, Option<SystemTime>>("minute")
            .map(time)
            .transpose()?,
    })
}

impl By {
    /// As stored, and as people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Api => "api",
            Self::Blueprint => "blueprint",
            Self::Scaler => "scaler",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Page, Self::Api, Self::Blueprint, Self::Scaler]
            .into_iter()
            .find(|by| by.as_str() == text)
    }
}

impl ScalerState {
    /// As stored, and as people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Resizing => "resizing",
            Self::Cooling => "cooling",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Steady, Self::Resizing, Self::Cooling]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

impl Outcome {
    /// As stored, and as people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grew => "grew",
            Self::Shrank => "shrank",
            Self::Held => "held",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Grew, Self::Shrank, Self::Held]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }
}
