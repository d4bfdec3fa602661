//! What localcloud answers in its own name: health, shutdown, what roles did, which calls there were,
//! the rehearsal and its sessions, the caller's address, the CA.

use std::net::SocketAddr;

use http::{Method, StatusCode, header};
use subtle::ConstantTimeEq as _;

use crate::cloud::Cloud;
use crate::connections::Request;
use crate::faults::NoPlan;
use crate::rehearsal::{AccountKind, SessionAction};
use crate::wire::{Response, response};

const PREFIX: &str = "/_localcloud/";
const SHUTDOWN: &str = "/_localcloud/shutdown";

/// Whether a request is for localcloud itself. No bucket's name begins with an underscore; a bucket
/// called `checkip` is reached by signed requests.
pub(super) fn is_for_us(request: &Request) -> bool {
    let path = request.uri().path();
    path.starts_with(PREFIX)
        || (path == "/checkip"
            && request.method() == Method::GET
            && request.uri().query().is_none()
            && !request.headers().contains_key(header::AUTHORIZATION))
}

/// Whether the answer tells what is left in the account.
pub(super) fn is_about_what_is_left(request: &Request) -> bool {
    request.uri().path() == SHUTDOWN
}

/// Answers a request to localcloud itself.
pub(super) fn answer(cloud: &Cloud, peer: SocketAddr, request: &Request) -> Response {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/checkip") => text(StatusCode::OK, format!("{}\n", peer.ip())),
        (&Method::GET, "/_localcloud/health") => health(cloud),
        (&Method::GET, "/_localcloud/ca.pem") => authority(cloud),
        (method, path) => match for_owner(method, path) {
            Some(answer) if is_from_owner(cloud, request) => answer(cloud, request),
            Some(_) => who_are_you(),
            None => no_such_request(path),
        },
    }
}

/// What answers a request that only the account's owner may make.
fn for_owner(method: &Method, path: &str) -> Option<fn(&Cloud, &Request) -> Response> {
    Some(match (method, path) {
        (&Method::POST, SHUTDOWN) => shutdown,
        (&Method::GET, "/_localcloud/roles") => roles,
        (&Method::GET, "/_localcloud/faults") => faults,
        (&Method::POST, "/_localcloud/faults") => follow,
        (&Method::GET, "/_localcloud/calls") => calls,
        (&Method::GET, "/_localcloud/rehearsal") => rehearsal,
        (&Method::POST, "/_localcloud/session/end") => {
            |cloud, _| session(cloud, SessionAction::End)
        }
        (&Method::POST, "/_localcloud/session/start") => {
            |cloud, _| session(cloud, SessionAction::Start)
        }
        _ => return None,
    })
}

fn no_such_request(path: &str) -> Response {
    match path {
        "/_localcloud/health"
        | "/_localcloud/ca.pem"
        | "/_localcloud/roles"
        | "/_localcloud/faults"
        | "/_localcloud/calls"
        | "/_localcloud/rehearsal"
        | "/_localcloud/session/end"
        | "/_localcloud/session/start"
        | SHUTDOWN => text(
            StatusCode::METHOD_NOT_ALLOWED,
            "use GET for health, ca.pem, roles, faults, calls and rehearsal, POST for faults, session and shutdown\n",
        ),
        _ => text(
            StatusCode::NOT_FOUND,
            "localcloud has /_localcloud/health, /_localcloud/ca.pem, /_localcloud/roles, /_localcloud/faults, /_localcloud/calls, /_localcloud/rehearsal, /_localcloud/session/end, /_localcloud/session/start, /_localcloud/shutdown and /checkip\n",
        ),
    }
}

fn health(cloud: &Cloud) -> Response {
    json(
        StatusCode::OK,
        &serde_json::json!({
            "status": "ok",
            "pid": std::process::id(),
            "home": cloud.context.home.path(),
        }),
    )
}

fn authority(cloud: &Cloud) -> Response {
    match std::fs::read(cloud.context.home.join("ca.pem")) {
        Ok(pem) => response(StatusCode::OK, "application/x-pem-file", pem),
        Err(error) => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("cannot read ca.pem: {error}\n"),
        ),
    }
}

/// What roles have, did and were refused.
fn roles(cloud: &Cloud, _: &Request) -> Response {
    json(StatusCode::OK, &serde_json::json!(cloud.access.report()))
}

/// What has come of the plan of faults.
fn faults(cloud: &Cloud, _: &Request) -> Response {
    json(
        StatusCode::OK,
        &serde_json::json!(cloud.context.faults.report()),
    )
}

/// Follows another plan of faults, which stands in the query.
fn follow(cloud: &Cloud, request: &Request) -> Response {
    match request.uri().query().map(str::parse).transpose() {
        Ok(plan) => {
            cloud.context.faults.follow(plan);
            faults(cloud, request)
        }
        Err(error) => {
            let error: NoPlan = error;
            text(StatusCode::BAD_REQUEST, format!("{error}\n"))
        }
    }
}

/// How often each action was called, and by whom.
fn calls(cloud: &Cloud, _: &Request) -> Response {
    json(
        StatusCode::OK,
        &serde_json::json!(cloud.context.calls.counted()),
    )
}

/// What is rehearsed, and what has taken how long.
fn rehearsal(cloud: &Cloud, _: &Request) -> Response {
    match cloud.context.stage.report() {
        serde_json::Value::Null => not_rehearsed(),
        report => json(StatusCode::OK, &report),
    }
}

/// Ends or starts the session of a Learner Lab.
fn session(cloud: &Cloud, action: SessionAction) -> Response {
    if cloud.context.stage.account() != Some(AccountKind::LearnerLab) {
        return text(
            StatusCode::CONFLICT,
            "only a rehearsed Learner Lab has sessions: localcloud serve --rehearse --account learner-lab\n",
        );
    }
    cloud.context.stage.turn_session(action);
    let ec2 = std::sync::Arc::clone(&cloud.ec2);
    cloud
        .context
        .tasks
        .spawn(async move { ec2.turn_all(action).await });
    json(
        StatusCode::OK,
        &serde_json::json!({"session": action.name()}),
    )
}

fn not_rehearsed() -> Response {
    text(
        StatusCode::CONFLICT,
        "nothing is rehearsed: start it with localcloud serve --rehearse\n",
    )
}

fn is_from_owner(cloud: &Cloud, request: &Request) -> bool {
    let expected = format!(
        "Bearer {}",
        cloud.context.credentials.root().secret_access_key
    );
    request
        .headers()
        .get(header::AUTHORIZATION)
        .is_some_and(|given| bool::from(given.as_bytes().ct_eq(expected.as_bytes())))
}

fn who_are_you() -> Response {
    text(
        StatusCode::UNAUTHORIZED,
        "send the header `authorization: Bearer <secret access key>`; it is in endpoint.json\n",
    )
}

fn shutdown(cloud: &Cloud, request: &Request) -> Response {
    let left = cloud.remaining();
    if request.uri().query() == Some("if-empty") && !left.is_empty() {
        return json(
            StatusCode::CONFLICT,
            &serde_json::json!({"status": "not-empty", "remaining": left}),
        );
    }
    cloud.context.stopping.cancel();
    json(
        StatusCode::OK,
        &serde_json::json!({"status": "stopping", "pid": std::process::id()}),
    )
}

fn text(status: StatusCode, body: impl Into<String>) -> Response {
    response(status, "text/plain; charset=utf-8", body.into())
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    response(status, "application/json", value.to_string())
}
