//! What the scaler is told, and what becomes of its decisions.

use catalog::{Mode, PoolRow};
use http::{Request, Response, StatusCode};
use kit::body::{self, Body, Incoming};
use kit::{reply, scaling};

use crate::api;
use crate::keeper::{ChangeError, Keeper};
use crate::manager::Manager;
use crate::pool;
use crate::reconcile::chain;

mod wire;

/// How many changes of the configuration the scaler is told of.
const CHANGES: u32 = 100;
/// The longest decision that is read, in bytes.
const LONGEST_DECISION: u64 = 64 * 1024;

/// Why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// People decide by now.
    #[error("the mode is manual: people decide the size")]
    Manual,
    /// It was made for another size.
    #[error("the pool was changed to {0} nodes in the meantime")]
    Raced(u32),
    /// The blueprint does not allow it.
    #[error("{to} nodes are not possible; the blueprint gives this pool {min} to {max}")]
    Bounds {
        /// Asked for.
        to: u32,
        /// The fewest.
        min: u32,
        /// The most.
        max: u32,
    },
    /// It could not be stored.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

/// Answers what the scaler decides by.
pub async fn situation<B>(manager: &Manager<B>) -> Response<Body> {
    match read(&manager.keeper).await {
        Ok(situation) => reply::json(StatusCode::OK, &situation),
        Err(error) => failure(&error),
    }
}

async fn read(keeper: &Keeper) -> Result<scaling::Situation, ChangeError> {
    let state = keeper.state().ok_or(ChangeError::NotLeading)?;
    let is_published = keeper.published().epoch >= state.pool.epoch;
    let catalog = keeper.catalog();
    let name = keeper.pool_name();
    let recent = catalog
        .decisions(name, count(scaling::RECENT_DECISIONS))
        .await?;
    let resizes = catalog
        .resizes(name, count(scaling::RECENT_RESIZES))
        .await?;
    let changes = catalog.changes(name, CHANGES).await?;
    Ok(scaling::Situation {
        mode: wire::mode(state.pool.mode),
        policy: wire::policy(&state.pool),
        pool: scaling::Pool {
            size: state.pool.wanted,
            min: state.pool.min,
            max: state.pool.max,
            serving: pool::serving(&state),
            is_steady: pool::is_steady(&state) && is_published,
            hold: keeper.hold(),
        },
        decisions: wire::decisions(recent, resizes),
        changes: changes.iter().rev().map(wire::change).collect(),
    })
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Takes a decision of the scaler: stores it and, if it says so, the new size.
pub async fn decision<B>(manager: &Manager<B>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let text = match body::read_limited(request.into_body(), LONGEST_DECISION).await {
        Ok(text) => text,
        Err(refused) => return refused.reply(&path),
    };
    let decision: scaling::Decision = match serde_json::from_slice(&text) {
        Ok(decision) => decision,
        Err(error) => return wrong(&format!("this is no decision: {error}")),
    };
    if !decision.is_sound() {
        return wrong("this decision contradicts itself");
    }
    match take(&manager.keeper, &decision).await {
        Ok(()) => reply::empty(StatusCode::NO_CONTENT),
        Err(DecisionError::Change(error)) => failure(&error),
        Err(refused) => reply::error(StatusCode::CONFLICT, &refused.to_string()),
    }
}

/// In one transaction, and under the lock that a person's wish takes too: a decision that was made
/// before the mode was switched, or for another size, comes too late.
async fn take(keeper: &Keeper, decision: &scaling::Decision) -> Result<(), DecisionError> {
    let row = wire::stored(decision);
    keeper
        .decide(row, |state| {
            let mut next = state.clone();
            next.pool.wanted = wanted(&state.pool, decision)?;
            Ok::<_, DecisionError>(next)
        })
        .await?;
    Ok(())
}

fn wanted(pool: &PoolRow, decision: &scaling::Decision) -> Result<u32, DecisionError> {
    let scaling::Decision { size, to, .. } = *decision;
    if pool.mode != Mode::Auto {
        return Err(DecisionError::Manual);
    }
    if pool.wanted != size {
        return Err(DecisionError::Raced(pool.wanted));
    }
    let (min, max) = (pool.min, pool.max);
    if to != size && !(min..=max).contains(&to) {
        return Err(DecisionError::Bounds { to, min, max });
    }
    Ok(to)
}

fn wrong(message: &str) -> Response<Body> {
    reply::error(StatusCode::BAD_REQUEST, message)
}

fn failure(error: &ChangeError) -> Response<Body> {
    tracing::warn!(error = chain(error), "answering the scaler");
    reply::error(api::change_status(error), &api::change_message(error))
}
