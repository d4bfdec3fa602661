//! What the overview's forms do.

use catalog::By;
use http::{Request, Response, StatusCode};
use kit::body::{Body, Incoming};
use kit::reply;
use kit::words::sentence;

use super::Notice;
use super::form::Form;
use super::login::{self, Sent};
use super::overview::{self, Typed};
use crate::api::{self, WishError};
use crate::bucket::Bucket;
use crate::caches;
use crate::manager::Manager;
use crate::photos;
use crate::reconcile::chain;
use crate::wish::{LARGEST_CACHE, Wish};

/// Says something on the overview, after the form.
fn done<B>(manager: &Manager<B>, sent: &Sent, text: impl Into<String>) -> Response<Body> {
    manager.pages.say_next(&sent.session, Notice::good(text));
    reply::redirect("/")
}

/// Grows or shrinks the pool, from the size that the page showed.
pub(super) async fn size<B: Bucket>(
    manager: &Manager<B>,
    request: Request<Incoming>,
) -> Response<Body> {
    let sent = match login::checked(manager, request).await {
        Ok(sent) => sent,
        Err(answer) => return answer,
    };
    let outcome = resize(manager, &sent.form).await;
    match outcome {
        Ok(to) => done(manager, &sent, format!("The pool goes to {}.", nodes(to))),
        Err(error) => refused(manager, &sent, &error, Typed::default()).await,
    }
}

async fn resize<B: Bucket>(manager: &Manager<B>, form: &Form) -> Result<u32, WishError> {
    let wish = Wish::from_pairs([("numNodes", form.field("to"))])?;
    let from = form.field("from").parse().ok();
    api::grant(manager, By::Page, &wish, from).await?;
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
    let sent = match login::checked(manager, request).await {
        Ok(sent) => sent,
        Err(answer) => return answer,
    };
    let pairs = [
        ("cacheSize", sent.form.field("cacheSize")),
        ("policy", sent.form.field("policy")),
    ];
    let granted = match Wish::from_pairs(pairs) {
        Ok(wish) => api::grant(manager, By::Page, &wish, None).await,
        Err(refused) => Err(refused.into()),
    };
    match granted {
        Ok(()) => done(
            manager,
            &sent,
            "All nodes have the new capacity and policy.",
        ),
        Err(error) => {
            let typed = Typed {
                capacity: Some(sent.form.field("cacheSize").to_owned()),
                policy: Some(sent.form.field("policy").to_owned()),
                capacity_problem: Wish::from_pairs([pairs[0]])
                    .is_err()
                    .then(|| format!("Give a whole number from 1 to {LARGEST_CACHE}.")),
                ..Typed::default()
            };
            refused(manager, &sent, &error, typed).await
        }
    }
}

/// Empties all caches.
pub(super) async fn clear<B: Bucket>(
    manager: &Manager<B>,
    request: Request<Incoming>,
) -> Response<Body> {
    let sent = match login::checked(manager, request).await {
        Ok(sent) => sent,
        Err(answer) => return answer,
    };
    match caches::clear(&manager.keeper, &manager.nodes).await {
        Ok(()) => done(manager, &sent, "All caches are empty."),
        Err(error) => {
            tracing::warn!(error = chain(&error), "clearing the caches");
            let text = format!("Not every cache could be cleared: {error}. Clear again.");
            unavailable(manager, &sent, text).await
        }
    }
}

/// Deletes all data, if the deployment's name was typed.
pub(super) async fn delete<B: Bucket>(
    manager: &Manager<B>,
    request: Request<Incoming>,
) -> Response<Body> {
    let sent = match login::checked(manager, request).await {
        Ok(sent) => sent,
        Err(answer) => return answer,
    };
    let name = &manager.settings.deployment;
    if sent.form.field("name") != name {
        let typed = Typed {
            name: Some(sent.form.field("name").to_owned()),
            name_problem: Some(format!(
                "Nothing was deleted: type {name} to delete all data."
            )),
            ..Typed::default()
        };
        let status = StatusCode::BAD_REQUEST;
        return shown(manager, &sent, status, None, typed).await;
    }
    match photos::delete_all(&manager.keeper, &manager.nodes, &manager.bucket).await {
        Ok(()) => done(manager, &sent, "All photos are deleted."),
        Err(error) => {
            tracing::warn!(error = chain(&error), "deleting all photos");
            let text = api::deletion_failure(&error);
            unavailable(manager, &sent, text).await
        }
    }
}

/// The overview, with what could not be done now.
async fn unavailable<B: Bucket>(manager: &Manager<B>, sent: &Sent, text: String) -> Response<Body> {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let notice = Some(Notice::bad(text));
    shown(manager, sent, status, notice, Typed::default()).await
}

async fn refused<B: Bucket>(
    manager: &Manager<B>,
    sent: &Sent,
    error: &WishError,
    typed: Typed,
) -> Response<Body> {
    // What belongs to a field is said there.
    let is_said = typed.capacity_problem.is_some();
    let notice = (!is_said).then(|| Notice::bad(sentence(&api::wish_message(error))));
    shown(manager, sent, api::wish_status(error), notice, typed).await
}

async fn shown<B: Bucket>(
    manager: &Manager<B>,
    sent: &Sent,
    status: StatusCode,
    notice: Option<Notice>,
    typed: Typed,
) -> Response<Body> {
    overview::show(manager, &sent.headers, &sent.session, status, notice, typed).await
}
