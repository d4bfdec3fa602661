//! The contract's endpoints that belong to the manager.

use catalog::{By, Mode, PoolRow};
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use kit::body::{Body, Incoming};
use kit::reply;

use crate::bucket::Bucket;
use crate::caches;
use crate::keeper::ChangeError;
use crate::manager::Manager;
use crate::photos::{self, DeleteError, Deleted};
use crate::reconcile::chain;
use crate::status::choices;
use crate::wish::{Refused, Wish, megabytes, policy_name};

const STARTING: &str = "the manager is not ready yet; try again in a moment";
const DATABASE: &str = "the database cannot be reached at the moment; try again in a moment";

/// Why a wish was not granted.
#[derive(Debug, thiserror::Error)]
pub enum WishError {
    /// It is wrong.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be stored.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The scaler decides the size.
    #[error(
        "the mode is auto: the scaler decides how many nodes there are; switch to mode manual, also \
         in the same call (mode=manual&numNodes=2)"
    )]
    Auto,
    /// The size has changed since the page was made.
    #[error("the pool was changed to {0} nodes in the meantime; nothing was changed by this")]
    Raced(u32),
    /// The configuration has changed since the page was made.
    #[error("the configuration was changed in the meantime; nothing was changed by this")]
    Outdated,
    /// Stored, but not every node knows yet.
    #[error("stored; {0}, it is told as soon as it answers")]
    NotEverywhere(#[from] caches::CachesError),
}

/// Answers a path below `/api`.
pub async fn answer<B: Bucket>(manager: &Manager<B>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().trim_end_matches('/').to_owned();
    let known = ["delete_all", "configure_cache", "getNumNodes", "getRate"];
    let Some(name) = path
        .strip_prefix("/api/")
        .filter(|name| known.contains(name))
    else {
        let message = format!(
            "there is nothing here; the manager answers {}",
            known.join(", ")
        );
        return reply::failure(StatusCode::NOT_FOUND, &message);
    };
    if request.method() != Method::POST {
        return reply::method_not_allowed("/api", "POST");
    }
    let query = request.uri().query().unwrap_or_default();
    match name {
        "delete_all" => delete_all(manager).await,
        "configure_cache" => configure_cache(manager, query, &request).await,
        "getNumNodes" => number_of_nodes(manager),
        _ => rate(manager, query).await,
    }
}

/// The contract's success; its fields come in the contract's order.
fn success(fields: &str) -> Response<Body> {
    let body = format!(r#"{{"success":"true"{fields}}}"#);
    reply::with_type(StatusCode::OK, "application/json", kit::body::full(body))
}

async fn delete_all<B: Bucket>(manager: &Manager<B>) -> Response<Body> {
    match delete_photos(manager).await {
        Ok(_) => success(""),
        Err(error) => {
            tracing::warn!(error = chain(&error), "deleting all photos");
            reply::failure(StatusCode::SERVICE_UNAVAILABLE, &deletion_failure(&error))
        }
    }
}

async fn delete_photos<B: Bucket>(manager: &Manager<B>) -> Result<Deleted, DeleteError> {
    let (keeper, nodes) = (&manager.keeper, &manager.nodes);
    photos::delete_all(keeper, nodes, &manager.bucket, |_| ()).await
}

/// A failed deletion in words for the person who asked for it.
#[must_use]
pub fn deletion_failure(error: &DeleteError) -> String {
    match error {
        DeleteError::Catalog(_) => format!("{error}: {DATABASE}"),
        _ => error.to_string(),
    }
}

async fn configure_cache<B: Bucket>(
    manager: &Manager<B>,
    query: &str,
    request: &Request<Incoming>,
) -> Response<Body> {
    if query.is_empty() && !request.body().is_end_stream() {
        let message = "parameters go into the URL, such as ?numNodes=2; the body is not read";
        return reply::failure(StatusCode::BAD_REQUEST, message);
    }
    let granted = match Wish::from_query(query) {
        Ok(wish) => grant(manager, By::Api, &wish, &Expected::Anything).await,
        Err(refused) => Err(refused.into()),
    };
    if let Err(error) = granted {
        return wish_failure(&error);
    }
    let Some(state) = manager.keeper.state() else {
        return reply::failure(StatusCode::SERVICE_UNAVAILABLE, STARTING);
    };
    let pool = &state.pool;
    success(&format!(
        r#","mode":"{}","numNodes":{},"cacheSize":{},"policy":"{}""#,
        pool.mode.as_str(),
        pool.wanted,
        megabytes(pool.capacity),
        policy_name(pool.policy)
    ))
}

/// What somebody has seen of the pool who wishes: if it is another by now, nothing is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing of it matters.
    Anything,
    /// How many nodes were wished for.
    Size(u32),
    /// All that can be chosen, as [`told_choices`].
    Choices(String),
}

impl Expected {
    fn check(&self, pool: &PoolRow) -> Result<(), WishError> {
        match self {
            Self::Size(size) if *size != pool.wanted => Err(WishError::Raced(pool.wanted)),
            Self::Choices(seen) if *seen != told_choices(pool) => Err(WishError::Outdated),
            _ => Ok(()),
        }
    }
}

/// What can be chosen of a pool, as a text that tells one choice from another.
#[must_use]
pub fn told_choices(pool: &PoolRow) -> String {
    serde_json::to_string(&choices(pool)).unwrap_or_default()
}

/// Stores somebody's wish and tells the nodes what concerns them, if the pool is as expected.
///
/// # Errors
/// When the wish is refused or not stored, or not every node could be told.
pub async fn grant<B: Bucket>(
    manager: &Manager<B>,
    by: By,
    wish: &Wish,
    expected: &Expected,
) -> Result<(), WishError> {
    manager
        .keeper
        .change_for(by, |state| {
            expected.check(&state.pool)?;
            if state.pool.mode == Mode::Auto && wish.is_resize_by_hand() {
                return Err(WishError::Auto);
            }
            let mut next = state.clone();
            next.pool = wish.grant(&state.pool)?;
            Ok::<_, WishError>(next)
        })
        .await?;
    if wish.concerns_nodes() {
        caches::configure(&manager.keeper, &manager.nodes).await?;
    }
    Ok(())
}

/// The status that goes with an ungranted wish.
#[must_use]
pub fn wish_status(error: &WishError) -> StatusCode {
    match error {
        WishError::Refused(_) => StatusCode::BAD_REQUEST,
        WishError::Auto | WishError::Raced(_) | WishError::Outdated => StatusCode::CONFLICT,
        WishError::Change(error) => change_status(error),
        WishError::NotEverywhere(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The status that goes with a change that was not stored.
#[must_use]
pub fn change_status(error: &ChangeError) -> StatusCode {
    match error {
        ChangeError::Catalog(error) if !error.is_unavailable() => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// An ungranted wish in words.
#[must_use]
pub fn wish_message(error: &WishError) -> String {
    match error {
        WishError::Change(change) => {
            if !matches!(change, ChangeError::NotLeading) {
                tracing::warn!(error = chain(change), "storing a wish");
            }
            change_message(change)
        }
        _ => error.to_string(),
    }
}

/// A change that was not stored, in words.
#[must_use]
pub fn change_message(error: &ChangeError) -> String {
    match error {
        ChangeError::NotLeading => STARTING.to_owned(),
        _ => DATABASE.to_owned(),
    }
}

fn wish_failure(error: &WishError) -> Response<Body> {
    reply::failure(wish_status(error), &wish_message(error))
}

fn number_of_nodes<B: Bucket>(manager: &Manager<B>) -> Response<Body> {
    match manager.keeper.state() {
        Some(state) => success(&format!(r#","numNodes":{}"#, state.pool.wanted)),
        None => reply::failure(StatusCode::SERVICE_UNAVAILABLE, STARTING),
    }
}

async fn rate<B: Bucket>(manager: &Manager<B>, query: &str) -> Response<Body> {
    let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let which = match parameters.as_slice() {
        [(name, value)] if name == "rate" && (value == "miss" || value == "hit") => value.as_ref(),
        _ => {
            let message = "getRate takes one parameter in the URL: rate=miss or rate=hit";
            return reply::failure(StatusCode::BAD_REQUEST, message);
        }
    };
    if manager.keeper.state().is_none() {
        return reply::failure(StatusCode::SERVICE_UNAVAILABLE, STARTING);
    }
    let counts = caches::last_minute(&manager.keeper, &manager.nodes).await;
    let part = if which == "hit" {
        counts.hits
    } else {
        counts.misses
    };
    success(&format!(
        r#","rate":"{which}","value":{}"#,
        serde_json::Value::from(fraction(part, counts.lookups))
    ))
}

/// `part` of `whole`; 0 of nothing.
#[must_use]
pub fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
