//! Logging in and out.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use http::header::{HeaderValue, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use kit::body::{Body, Incoming};
use kit::server::{CLIENT, Peer};
use kit::session::SessionId;
use kit::token::Token;
use kit::words::sentence;
use kit::{csrf, reply};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::form::Form;
use super::visit::Visit;
use super::{Notice, SESSION_LIFETIME};
use crate::manager::Manager;
use crate::reconcile::chain;

const DATABASE: &str =
    "The database cannot be reached at the moment, and sessions are kept there. Try again soon.";

/// The session of somebody who has logged in.
///
/// # Errors
/// The answer for everybody else: the login page, or that nobody can be recognised at the moment.
pub(super) async fn signed_in<B>(
    manager: &Manager<B>,
    headers: &HeaderMap,
) -> Result<SessionId, Response<Body>> {
    let Some(session) = manager.pages.sessions.read(headers) else {
        return Err(reply::redirect("/login"));
    };
    match manager
        .keeper
        .catalog()
        .session_is_open(session.as_str())
        .await
    {
        Ok(true) => Ok(session),
        Ok(false) => Err(reply::redirect("/login")),
        Err(error) => Err(database(manager, headers, &error)),
    }
}

fn database<B>(
    manager: &Manager<B>,
    headers: &HeaderMap,
    error: &catalog::Error,
) -> Response<Body> {
    tracing::warn!(error = chain(error), "looking after sessions");
    manager
        .pages
        .problem(headers, StatusCode::SERVICE_UNAVAILABLE, DATABASE)
}

/// The login page, for those who have not logged in.
pub(super) async fn page<B>(manager: &Manager<B>, headers: &HeaderMap) -> Response<Body> {
    if signed_in(manager, headers).await.is_ok() {
        return reply::redirect("/");
    }
    form(manager, headers, StatusCode::OK, None)
}

/// The login form. Its token belongs to a session that means nothing yet, so that no other site can
/// send the form in a browser's name.
fn form<B>(
    manager: &Manager<B>,
    headers: &HeaderMap,
    status: StatusCode,
    problem: Option<&str>,
) -> Response<Body> {
    let pages = &manager.pages;
    let (visitor, cookie) = match pages.sessions.read(headers) {
        Some(visitor) => (visitor, None),
        None => {
            let begun = pages.sessions.begin();
            (begun.id, Some(begun.cookie))
        }
    };
    let content = json!({
        "title": "Log in",
        "token": csrf::token(&pages.key, &visitor),
        "problem": problem,
    });
    let mut response = pages.page(status, "login", headers, content);
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Answers the login form.
pub(super) async fn log_in<B>(
    manager: &Manager<B>,
    head: &Parts,
    body: Incoming,
) -> Response<Body> {
    let headers = &head.headers;
    let fields = match Form::read(body).await {
        Ok(fields) => fields,
        Err((status, message)) => {
            return manager.pages.problem(headers, status, &sentence(&message));
        }
    };
    let pages = &manager.pages;
    let visitor = pages.sessions.read(headers);
    if !visitor.is_some_and(|visitor| fields.is_ours(&pages.key, &visitor)) {
        let problem = "The form was too old, or the browser keeps no cookies. Try once more.";
        return form(manager, headers, StatusCode::FORBIDDEN, Some(problem));
    }
    let now = Instant::now();
    let from = address(head, &manager.settings.secrets.internal_token);
    if let Some(wait) = pages.tries.wait(from, now) {
        return wait_first(manager, headers, wait);
    }
    let right = manager.settings.secrets.manager_password.expose();
    let given = fields.exact("password");
    if !bool::from(given.as_bytes().ct_eq(right.as_bytes())) {
        pages.tries.wrong(from, now);
        tracing::warn!(%from, "a wrong password for the manager's pages");
        let problem = "That is not the password.";
        return form(manager, headers, StatusCode::UNAUTHORIZED, Some(problem));
    }
    let begun = pages.sessions.begin();
    let opened = manager
        .keeper
        .catalog()
        .open_session(begun.id.as_str(), SESSION_LIFETIME);
    match opened.await {
        Ok(()) => redirect_with_cookie("/", begun.cookie),
        Err(error) => database(manager, headers, &error),
    }
}

/// Where a request came from: a front-end of ours says for whom it asks. Those of which it is not known
/// share an address.
fn address(head: &Parts, internal_token: &Token) -> IpAddr {
    let client = head.headers.get(CLIENT).and_then(|it| it.to_str().ok());
    if let Some(client) = client.and_then(|client| client.parse().ok())
        && internal_token.accepts(&head.headers)
    {
        return client;
    }
    let peer = head.extensions.get::<Peer>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(address)| *address)
}

fn wait_first<B>(manager: &Manager<B>, headers: &HeaderMap, wait: Duration) -> Response<Body> {
    let seconds = wait.as_secs() + 1;
    let problem = format!("Too many wrong passwords. Try again in {seconds} s.");
    let status = StatusCode::TOO_MANY_REQUESTS;
    let mut response = form(manager, headers, status, Some(&problem));
    response
        .headers_mut()
        .insert(http::header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Ends the session.
pub(super) async fn log_out<B>(visit: &Visit<'_, B>) -> Response<Body> {
    let manager = visit.manager;
    let catalog = manager.keeper.catalog();
    match catalog.close_session(visit.session.as_str()).await {
        Ok(()) => redirect_with_cookie("/login", manager.pages.sessions.end()),
        Err(error) => database(manager, visit.headers, &error),
    }
}

fn redirect_with_cookie(location: &str, cookie: HeaderValue) -> Response<Body> {
    let mut response = reply::redirect(location);
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}

/// Reads a form of ours.
///
/// # Errors
/// The answer to any other.
pub(super) async fn read_form<B>(
    visit: &Visit<'_, B>,
    body: Incoming,
) -> Result<Form, Response<Body>> {
    let pages = &visit.manager.pages;
    let form = Form::read(body)
        .await
        .map_err(|(status, message)| pages.problem(visit.headers, status, &sentence(&message)))?;
    if form.is_ours(&pages.key, &visit.session) {
        return Ok(form);
    }
    pages.say_next(
        &visit.session,
        Notice::bad("The form was too old; nothing was changed. Do it again here."),
    );
    Err(pages.problem(
        visit.headers,
        StatusCode::FORBIDDEN,
        "This form was not made by this page for you, or is too old. Nothing was changed.",
    ))
}
