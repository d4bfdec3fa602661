//! What only the deployment's own services may ask.

use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use kit::body::{Body, Incoming};
use kit::{reply, scaling};
use tokio_util::sync::CancellationToken;

use crate::manager::Manager;

const TABLE: &str = "/internal/table";
/// The longest wait for a newer table.
const LONG_POLL: Duration = Duration::from_secs(20);

/// Answers a path below `/internal`.
pub async fn answer<B>(
    manager: &Manager<B>,
    stopping: &CancellationToken,
    request: Request<Incoming>,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    if !manager
        .settings
        .secrets
        .internal_token
        .accepts(request.headers())
    {
        return reply::error(StatusCode::UNAUTHORIZED, "token");
    }
    match (path.trim_end_matches('/'), request.method()) {
        (TABLE, &Method::GET) => table(manager, stopping, &request).await,
        (TABLE, _) => reply::method_not_allowed(&path, "GET"),
        (scaling::PATH, &Method::GET) => crate::scaling::situation(manager).await,
        (scaling::PATH, &Method::POST) => crate::scaling::decision(manager, request).await,
        (scaling::PATH, _) => reply::method_not_allowed(&path, "GET, POST"),
        _ => {
            let message = format!("there are only {TABLE} and {}", scaling::PATH);
            reply::error(StatusCode::NOT_FOUND, &message)
        }
    }
}

/// The epoch the asker has; without one it has none.
fn after(query: &str) -> Option<u64> {
    match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after") {
        Some((_, epoch)) => epoch.parse().ok(),
        None => Some(0),
    }
}

/// The table as soon as it is newer than `after`, or as it is after a while.
async fn table<B>(
    manager: &Manager<B>,
    stopping: &CancellationToken,
    request: &Request<Incoming>,
) -> Response<Body> {
    let Some(after) = after(request.uri().query().unwrap_or_default()) else {
        return reply::error(
            StatusCode::BAD_REQUEST,
            "`after` is the epoch that is known already, a whole number",
        );
    };
    let mut published = manager.keeper.watch_published();
    let newer = published.wait_for(|table| table.epoch > after);
    tokio::select! {
        _ = tokio::time::timeout(LONG_POLL, newer) => {}
        () = stopping.cancelled() => {}
    }
    reply::json(StatusCode::OK, &*manager.keeper.published())
}
