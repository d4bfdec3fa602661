//! The pool and its nodes, read and written as one state.

use std::time::SystemTime;

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::connection::Catalog;
use crate::error::{Cause, Error};
use crate::history::{self, Notes};

/// Which entry a full cache drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The least recently used.
    Lru,
    /// Any.
    Random,
    /// SIEVE's choice: the longest there of those not asked for lately.
    Sieve,
}

/// Who decides the pool's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A person.
    Manual,
    /// The scaler.
    Auto,
}

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is to be launched, or a launch was not answered yet.
    Launching,
    /// Its instance exists; it has no place in the table yet.
    Starting,
    /// It has a place in the table.
    Serving,
    /// It stopped answering and is left out of the table; its place is kept for it or its successor.
    Lost,
    /// The table leaves it out because the pool shrinks; requests in flight end.
    Leaving,
    /// Its instance is to be terminated.
    Ending,
}

/// The pool as wished for, and its table's epoch and length.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolRow {
    /// The pool's name in the blueprint.
    pub name: String,
    /// Changes with every write.
    pub revision: i64,
    /// The table's epoch; only grows.
    pub epoch: u64,
    /// Places in the table.
    pub size: u32,
    /// Nodes wished for.
    pub wanted: u32,
    /// The fewest nodes that may be wished for.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// Bytes of each node's cache.
    pub capacity: u64,
    /// Replacement policy of each node.
    pub policy: Policy,
    /// Who decides the size.
    pub mode: Mode,
    /// Growth factor, above 1.
    pub exp_ratio: f64,
    /// Shrink factor, between 0 and 1.
    pub shrink_ratio: f64,
    /// Miss rate above which the pool grows.
    pub max_miss: f64,
    /// Miss rate below which the pool shrinks.
    pub min_miss: f64,
    /// What the blueprint said when it was last taken in; `None` if that is not known.
    pub told: Option<Choices>,
}

/// What both the blueprint and people on the manager's page decide. What a blueprint said last is
/// kept, since only what it says anew counts against what people have set in the meantime.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Choices {
    /// Bytes of each node's cache.
    pub capacity: u64,
    /// Replacement policy of each node.
    pub policy: Policy,
    /// Who decides the size.
    pub mode: Mode,
    /// Growth factor.
    pub exp_ratio: f64,
    /// Shrink factor.
    pub shrink_ratio: f64,
    /// Miss rate above which the pool grows.
    pub max_miss: f64,
    /// Miss rate below which the pool shrinks.
    pub min_miss: f64,
}

/// A node, from the intent to launch it until its instance is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Also the client token of its RunInstances call.
    pub id: Uuid,
    /// Its EC2 instance, once there is one.
    pub instance: Option<String>,
    /// `address:port` of its service, once known.
    pub address: Option<String>,
    /// The subnet its launch names: the same call again must not differ.
    pub subnet: Option<String>,
    /// Its place in the table.
    pub place: Option<u32>,
    /// Where it is in its life.
    pub stage: Stage,
    /// Since when it is there.
    pub since: Timestamp,
}

/// The pool with all its nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolState {
    /// The pool.
    pub pool: PoolRow,
    /// Its nodes, oldest first.
    pub nodes: Vec<NodeRow>,
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Save {
    /// Written; the pool has this revision now.
    Done {
        /// To be named by the next write.
        revision: i64,
    },
    /// Somebody else wrote since the state was read: nothing was written.
    Conflict,
}

impl Catalog {
    /// Reads the pool; if there is none yet, `first` becomes it (its revision is ignored).
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn pool_or_create(&self, first: &PoolRow) -> Result<PoolState, Error> {
        self.with("read the pool", async |client| {
            let transaction = client.transaction().await?;
            create_pool(&transaction, first).await?;
            let pool = transaction
                .query_one("SELECT * FROM pool WHERE name = $1", &[&first.name])
                .await?;
            let nodes = transaction
                .query(
                    "SELECT * FROM node WHERE pool = $1 ORDER BY since, id",
                    &[&first.name],
                )
                .await?;
            transaction.commit().await?;
            Ok(PoolState {
                pool: pool_row(&pool)?,
                nodes: nodes.iter().map(node_row).collect::<Result<_, _>>()?,
            })
        })
        .await
    }

    /// Replaces the stored pool and its nodes by `state` and writes the notes, all or nothing, unless
    /// the pool was written since `state.pool.revision` was read.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn save_pool(&self, state: &PoolState, notes: &Notes) -> Result<Save, Error> {
        self.with("store the pool", async |client| {
            let transaction = client.transaction().await?;
            let Some(revision) = update_pool(&transaction, &state.pool).await? else {
                return Ok(Save::Conflict);
            };
            // Places move between nodes: with all old rows gone no order of writes can collide.
            transaction
                .execute("DELETE FROM node WHERE pool = $1", &[&state.pool.name])
                .await?;
            for node in &state.nodes {
                insert_node(&transaction, &state.pool.name, node).await?;
            }
            history::insert(&transaction, &state.pool.name, notes).await?;
            transaction.commit().await?;
            Ok(Save::Done { revision })
        })
        .await
    }
}

async fn create_pool(transaction: &Transaction<'_>, first: &PoolRow) -> Result<(), Cause> {
    transaction
        .execute(
            "INSERT INTO pool (name, epoch, size, wanted, capacity, policy, mode,
                               exp_ratio, shrink_ratio, max_miss, min_miss, fewest, most, told)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             ON CONFLICT (name) DO NOTHING",
            &[
                &first.name,
                &signed(first.epoch),
                &place(first.size),
                &place(first.wanted),
                &signed(first.capacity),
                &first.policy.as_str(),
                &first.mode.as_str(),
                &first.exp_ratio,
                &first.shrink_ratio,
                &first.max_miss,
                &first.min_miss,
                &place(first.min),
                &place(first.max),
                &text(first.told.as_ref()),
            ],
        )
        .await?;
    Ok(())
}

async fn update_pool(transaction: &Transaction<'_>, pool: &PoolRow) -> Result<Option<i64>, Cause> {
    let row = transaction
        .query_opt(
            "UPDATE pool SET revision = revision + 1, epoch = $3, size = $4, wanted = $5,
                    capacity = $6, policy = $7, mode = $8, exp_ratio = $9, shrink_ratio = $10,
                    max_miss = $11, min_miss = $12, fewest = $13, most = $14, told = $15
             WHERE name = $1 AND revision = $2 RETURNING revision",
            &[
                &pool.name,
                &pool.revision,
                &signed(pool.epoch),
                &place(pool.size),
                &place(pool.wanted),
                &signed(pool.capacity),
                &pool.policy.as_str(),
                &pool.mode.as_str(),
                &pool.exp_ratio,
                &pool.shrink_ratio,
                &pool.max_miss,
                &pool.min_miss,
                &place(pool.min),
                &place(pool.max),
                &text(pool.told.as_ref()),
            ],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}

async fn insert_node(
    transaction: &Transaction<'_>,
    pool: &str,
    node: &NodeRow,
) -> Result<(), Cause> {
    let since = SystemTime::from(node.since);
    transaction
        .execute(
            "INSERT INTO node (id, pool, instance, address, subnet, place, stage, since)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                &node.id.to_string(),
                &pool,
                &node.instance,
                &node.address,
                &node.subnet,
                &node.place.map(place),
                &node.stage.as_str(),
                &since,
            ],
        )
        .await?;
    Ok(())
}

fn pool_row(row: &Row) -> Result<PoolRow, Cause> {
    Ok(PoolRow {
        name: row.get("name"),
        revision: row.get("revision"),
        epoch: row.get::<_, i64>("epoch").unsigned_abs(),
        size: row.get::<_, i32>("size").unsigned_abs(),
        wanted: row.get::<_, i32>("wanted").unsigned_abs(),
        min: row.get::<_, i32>("fewest").unsigned_abs(),
        max: row.get::<_, i32>("most").unsigned_abs(),
        capacity: row.get::<_, i64>("capacity").unsigned_abs(),
        policy: known("a policy", row.get("policy"), Policy::parse)?,
        mode: known("a mode", row.get("mode"), Mode::parse)?,
        exp_ratio: row.get("exp_ratio"),
        shrink_ratio: row.get("shrink_ratio"),
        max_miss: row.get("max_miss"),
        min_miss: row.get("min_miss"),
        // What an older program wrote and this one cannot read counts as not known.
        told: row
            .get::<_, Option<String>>("told")
            .and_then(|told| serde_json::from_str(&told).ok()),
    })
}

fn text(told: Option<&Choices>) -> Option<String> {
    told.and_then(|told| serde_json::to_string(told).ok())
}

fn node_row(row: &Row) -> Result<NodeRow, Cause> {
    Ok(NodeRow {
        id: known("a node's id", row.get("id"), |id| id.parse().ok())?,
        instance: row.get("instance"),
        address: row.get("address"),
        subnet: row.get("subnet"),
        place: row.get::<_, Option<i32>>("place").map(i32::unsigned_abs),
        stage: known("a node's stage", row.get("stage"), Stage::parse)?,
        since: timestamp(row, "since")?,
    })
}

pub(crate) fn known<T>(
    what: &'static str,
    value: String,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Cause> {
    parse(&value).ok_or(Cause::Unknown { what, value })
}

pub(crate) fn timestamp(row: &Row, column: &str) -> Result<Timestamp, Cause> {
    time(row.get(column))
}

pub(crate) fn time(time: SystemTime) -> Result<Timestamp, Cause> {
    Timestamp::try_from(time).map_err(|error| Cause::Unknown {
        what: "a time",
        value: error.to_string(),
    })
}

/// PostgreSQL's integers are signed; no count of ours comes near their limits.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn place(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

impl Policy {
    /// As stored, and as nodes are told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lru => "lru",
            Self::Random => "random",
            Self::Sieve => "sieve",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Lru, Self::Random, Self::Sieve]
            .into_iter()
            .find(|policy| policy.as_str() == text)
    }
}

impl Mode {
    /// As stored, and as clients say it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Auto => "auto",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Manual, Self::Auto]
            .into_iter()
            .find(|mode| mode.as_str() == text)
    }
}

impl Stage {
    const ALL: [Self; 6] = [
        Self::Launching,
        Self::Starting,
        Self::Serving,
        Self::Lost,
        Self::Leaving,
        Self::Ending,
    ];

    /// As stored, and as people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Launching => "launching",
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Lost => "lost",
            Self::Leaving => "leaving",
            Self::Ending => "ending",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text)
    }
}
