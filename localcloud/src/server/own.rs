//! What localcloud answers in its own name: health, shutdown, what roles did, the
//! caller's address, the CA.

use std::net::SocketAddr;

use http::{Method, StatusCode, header};
use subtle::ConstantTimeEq as _;

use crate::cloud::Cloud;
use crate::connections::Request;
use crate::wire::{Response, response};

const PREFIX: &str = "/_localcloud/";

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

/// Answers a request to localcloud itself.
pub(super) fn answer(cloud: &Cloud, peer: SocketAddr, request: &Request) -> Response {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/checkip") => text(StatusCode::OK, format!("{}\n", peer.ip())),
        (&Method::GET, "/_localcloud/health") => health(cloud),
        (&Method::GET, "/_localcloud/ca.pem") => authority(cloud),
        (&Method::POST, "/_localcloud/shutdown") => shutdown(cloud, request),
        (&Method::GET, "/_localcloud/roles") => roles(cloud, request),
        (
            _,
            "/_localcloud/health"
            | "/_localcloud/ca.pem"
            | "/_localcloud/roles"
            | "/_localcloud/shutdown",
        ) => text(
            StatusCode::METHOD_NOT_ALLOWED,
            "use GET for health, ca.pem and roles, POST for shutdown\n",
        ),
        _ => text(
            StatusCode::NOT_FOUND,
            "localcloud has /_localcloud/health, /_localcloud/ca.pem, /_localcloud/roles, /_localcloud/shutdown and /checkip\n",
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

/// What roles have, did and were refused; for the account's owner.
fn roles(cloud: &Cloud, request: &Request) -> Response {
    if !is_from_owner(cloud, request) {
        return who_are_you();
    }
    json(StatusCode::OK, &serde_json::json!(cloud.access.report()))
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
    if !is_from_owner(cloud, request) {
        return who_are_you();
    }
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
