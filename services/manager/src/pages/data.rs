//! The page of the data: what is stored, clearing the caches, deleting everything.

use std::time::Duration;

use http::{Response, StatusCode};
use kit::body::Body;
use kit::words::{grouped, sentence, size};
use serde_json::{Value, json};

use super::form::Form;
use super::visit::Visit;
use super::{Notice, told};
use crate::bucket::Bucket;
use crate::caches;
use crate::deletion::{self, Stage};
use crate::manager::Manager;
use crate::photos::{Deleted, PREFIX};
use crate::reconcile::chain;

/// How long the answer to the form waits for the deletion: most are over by then.
const PATIENCE: Duration = Duration::from_secs(2);

/// What somebody typed to confirm, which was not right.
struct Typed<'a> {
    name: &'a str,
    problem: String,
}

/// The page.
pub(super) async fn page<B: Bucket>(visit: &Visit<'_, B>) -> Response<Body> {
    visit.page("data", content(visit, None).await)
}

/// How far a deletion is, for the script.
pub(super) fn part<B>(visit: &Visit<'_, B>) -> Response<Body> {
    visit.part(
        "deletion",
        &json!({ "deletion": deletion_shown(visit.manager) }),
    )
}

async fn content<B: Bucket>(visit: &Visit<'_, B>, typed: Option<Typed<'_>>) -> Value {
    let manager = visit.manager;
    let (photos, objects) = tokio::join!(photos_shown(manager), objects_shown(manager));
    json!({
        "title": "Data",
        "section": "data",
        "photos": photos,
        "objects": objects,
        "deletion": deletion_shown(manager),
        "name": typed.as_ref().map(|typed| typed.name),
        "name_problem": typed.map(|typed| typed.problem),
    })
}

/// What PostgreSQL has; null when it does not say.
async fn photos_shown<B: Bucket>(manager: &Manager<B>) -> Value {
    match manager.keeper.catalog().stored().await {
        Ok(stored) => json!({
            "count": grouped(stored.photos.photos),
            "bytes": size(stored.photos.bytes),
            "orphans": grouped(stored.orphans),
            "database": size(stored.database_bytes),
        }),
        Err(error) => {
            tracing::warn!(error = chain(&error), "counting what is stored");
            Value::Null
        }
    }
}

/// What the bucket has; null when it does not say.
async fn objects_shown<B: Bucket>(manager: &Manager<B>) -> Value {
    match manager.bucket.list(PREFIX).await {
        Ok(objects) => json!({
            "count": grouped(objects.len() as u64),
            "bytes": size(objects.iter().map(|object| object.bytes).sum()),
        }),
        Err(error) => {
            tracing::warn!(error = chain(&error), "counting the bucket's objects");
            Value::Null
        }
    }
}

fn deletion_shown<B>(manager: &Manager<B>) -> Value {
    match manager.deletion.stage() {
        Stage::None => json!({ "is_running": false, "said": null }),
        Stage::Running(progress) => json!({
            "is_running": true,
            "is_known": progress.objects > 0,
            "objects": progress.objects,
            "removed": progress.removed,
            "said": format!(
                "{} of {} objects removed",
                grouped(progress.removed),
                grouped(progress.objects)
            ),
        }),
        Stage::Ended { at, outcome } => json!({
            "is_running": false,
            "time": at.to_string(),
            "moment": told::moment(at),
            "tone": if outcome.is_ok() { "good" } else { "bad" },
            "said": outcome.map_or_else(|problem| sentence(&problem), result),
        }),
    }
}

/// Empties all caches.
pub(super) async fn clear<B: Bucket>(visit: &Visit<'_, B>) -> Response<Body> {
    let manager = visit.manager;
    match caches::clear(&manager.keeper, &manager.nodes).await {
        Ok(()) => visit.on_to("/data", Notice::good("All caches are empty.")),
        Err(error) => {
            tracing::warn!(error = chain(&error), "clearing the caches");
            let text = format!("Not every cache could be cleared: {error}. Clear again.");
            let content = content(visit, None).await;
            let status = StatusCode::SERVICE_UNAVAILABLE;
            visit.page_saying(status, "data", content, Some(Notice::bad(text)))
        }
    }
}

/// Deletes all data, if the deployment's name was typed.
pub(super) async fn delete<B: Bucket>(visit: &Visit<'_, B>, form: &Form) -> Response<Body> {
    let name = &visit.manager.settings.deployment;
    let typed = form.field("name");
    if typed != name {
        let problem = format!("Nothing was deleted: type {name} to delete all data.");
        let typed = Typed {
            name: typed,
            problem,
        };
        let content = content(visit, Some(typed)).await;
        return visit.page_saying(StatusCode::BAD_REQUEST, "data", content, None);
    }
    deletion::begin(visit.manager);
    let ended = visit.manager.deletion.ended();
    match tokio::time::timeout(PATIENCE, ended).await {
        Ok(Stage::Ended { outcome: Ok(_), .. }) => {
            visit.on_to("/data", Notice::good("All photos are deleted."))
        }
        // The page says what went wrong, or how far it is.
        Ok(Stage::Ended { .. }) => {
            let content = content(visit, None).await;
            visit.page_saying(StatusCode::SERVICE_UNAVAILABLE, "data", content, None)
        }
        Ok(Stage::None | Stage::Running(_)) | Err(_) => kit::reply::redirect("/data"),
    }
}

fn result(deleted: Deleted) -> String {
    let count = |count: u64, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{} {many}", grouped(count)),
    };
    let photos = count(deleted.photos, "photo", "photos");
    let objects = count(deleted.objects, "object", "objects");
    format!("Deleted {photos} in the database and {objects} in the bucket. All caches are empty.")
}
