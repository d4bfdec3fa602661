//! What the overview's forms do.

use http::{Request, Response, StatusCode};
use kit::body::{Body, Incoming};
use kit::reply;
use kit::session::SessionId;

use super::form::Form;
use super::overview::{self, Typed};
use super::{Notice, login};
use crate::api::{self, WishError};
use crate::bucket::Bucket;
use crate::caches;
use crate::manager::Manager;
use crate::photos;
use crate::reconcile::chain;
use crate::wish::Wish;

/// Says something on the overview, after the form.
fn done<B>(manager: &Manager<B>, session: &SessionId, text: impl Into<String>) -> Response<Body> {
    manager.pages.say_next(session, Notice::good(text));
    reply::redirect("/")
}

/// Grows or shrinks the pool, from the size that the page showed.
pub(super) async fn size<B: Bucket>(
    manager: &Manager<B>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (session, form) = match login::checked(manager, request).await {
        Ok(checked) => checked,
        Err(answer) => return answer,
    };
    let outcome = resize(manager, &form).await;
    match outcome {
        Ok(to) => done(
            manager,
            &session,
            format!("The pool goes to {}.", nodes(to)),
        ),
        Err(error) => refused(manager, &session, &error, Typed::default()).await,
    }
}

async fn resize<B: Bucket>(manager: &Manager<B>, form: &Form) -> Result<u32, WishError> {
    let wish = Wish::from_pairs([("numNodes", form.field("to"))])?;
    let from = form.field("from").parse().ok();
    api::grant(manager, &wish, from).await?;
    Ok(form.field("to").parse().unwrap_or_default())
}

fn nodes(count: u32) -> String {
    if count == 1 {
        "1 node".to_owned()
    } else {
        format!("{count} nodes")
    }
}

/// Sets capacity and policy of all nodes.
pub(super) async fn configuration<B: Bucket>(
    manager: &Manager<B>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (session, form) = match login::checked(manager, request).await {
        Ok(checked) => checked,
        Err(answer) => return answer,
    };
    let pairs = [
        ("cacheSize", form.field("cacheSize")),
        ("policy", form.field("policy")),
    ];
    let granted = match Wish::from_pairs(pairs) {
        Ok(wish) => api::grant(manager, &wish, None).await,
        Err(refused) => Err(refused.into()),
    };
    match granted {
        Ok(()) => done(
            manager,
            &session,
            "All nodes have the new capacity and policy.",
        ),
        Err(error) => {
            let typed = Typed {
                capacity: Some(form.field("cacheSize").to_owned()),
                policy: Some(form.field("policy").to_owned()),
                capacity_problem: Some(api::wish_message(&error)),
                ..Typed::default()
            };
            refused(manager, &session, &error, typed).await
        }
    }
}

/// Empties all caches.
pub(super) async fn clear<B: Bucket>(
    manager: &Manager<B>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (session, _) = match login::checked(manager, request).await {
        Ok(checked) => checked,
        Err(answer) => return answer,
    };
    match caches::clear(&manager.keeper, &manager.nodes).await {
        Ok(()) => done(manager, &session, "All caches are empty."),
        Err(error) => {
            tracing::warn!(error = chain(&error), "clearing the caches");
            let text = format!("Not every cache could be cleared: {error}. Clear again.");
            unavailable(manager, &session, text).await
        }
    }
}

/// Deletes all data, if the deployment's name was typed.
pub(super) async fn delete<B: Bucket>(
    manager: &Manager<B>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (session, form) = match login::checked(manager, request).await {
        Ok(checked) => checked,
        Err(answer) => return answer,
    };
    let name = &manager.settings.deployment;
    if form.field("name") != name {
        let typed = Typed {
            name: Some(form.field("name").to_owned()),
            name_problem: Some(format!(
                "Nothing was deleted: type {name} to delete all data."
            )),
            ..Typed::default()
        };
        return overview::show(manager, &session, StatusCode::BAD_REQUEST, None, typed).await;
    }
    match photos::delete_all(&manager.keeper, &manager.nodes, &manager.bucket).await {
        Ok(()) => done(manager, &session, "All photos are deleted."),
        Err(error) => {
            tracing::warn!(error = chain(&error), "deleting all photos");
            let text = api::deletion_failure(&error);
            unavailable(manager, &session, text).await
        }
    }
}

/// The overview, with what could not be done now.
async fn unavailable<B: Bucket>(
    manager: &Manager<B>,
    session: &SessionId,
    text: String,
) -> Response<Body> {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    overview::show(
        manager,
        session,
        status,
        Some(Notice::bad(text)),
        Typed::default(),
    )
    .await
}

async fn refused<B: Bucket>(
    manager: &Manager<B>,
    session: &SessionId,
    error: &WishError,
    typed: Typed,
) -> Response<Body> {
    // What belongs to a field is said there.
    let is_said = typed.capacity_problem.is_some();
    let notice = (!is_said).then(|| Notice::bad(api::wish_message(error)));
    overview::show(manager, session, api::wish_status(error), notice, typed).await
}
