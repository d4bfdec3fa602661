//! The wire contract, section 1: everything below `/api`.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use kit::body::{self, Body, Incoming};
use kit::reply;
use serde::Serialize;

use crate::failure::Failure;
use crate::form::{self, FormError};
use crate::key::Key;
use crate::served::Served;
use crate::{FrontEnd, passing};

/// What a path below `/api` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint<'a> {
    Upload,
    ListKeys,
    /// The rest of the path, still encoded.
    Key(&'a str),
    /// Served by the manager under this path.
    Managers(&'static str),
}

/// The paths that the manager serves.
const MANAGERS: [&str; 4] = [
    "/api/delete_all",
    "/api/configure_cache",
    "/api/getNumNodes",
    "/api/getRate",
];

fn endpoint(path: &str) -> Option<Endpoint<'_>> {
    if let Some(rest) = path.strip_prefix("/api/key/") {
        return Some(Endpoint::Key(rest));
    }
    match path.strip_suffix('/').unwrap_or(path) {
        "/api/upload" => Some(Endpoint::Upload),
        "/api/list_keys" => Some(Endpoint::ListKeys),
        "/api/key" => Some(Endpoint::Key("")),
        path => MANAGERS
            .into_iter()
            .find(|known| *known == path)
            .map(Endpoint::Managers),
    }
}

#[derive(Serialize)]
struct Uploaded<'a> {
    success: &'static str,
    key: &'a str,
}

#[derive(Serialize)]
struct Keys {
    success: &'static str,
    keys: Vec<String>,
}

/// Answers a request whose path is below `/api`.
pub(crate) async fn answer(
    front_end: &Arc<FrontEnd>,
    request: Request<Incoming>,
) -> Response<Body> {
    if let Err(refused) = front_end.door.check(request.headers()) {
        return refused.reply();
    }
    let path = request.uri().path().to_owned();
    let Some(endpoint) = endpoint(&path) else {
        return told(&Failure::new(StatusCode::NOT_FOUND, unknown(&path)));
    };
    if request.method() != Method::POST {
        return reply::method_not_allowed(&path, "POST");
    }
    if let Err(foreign) = kit::origin::check(&request) {
        return told(&Failure::new(StatusCode::FORBIDDEN, foreign.to_string()));
    }
    let answered = match endpoint {
        Endpoint::Managers(path) => return passing::pass(front_end, path, request).await,
        Endpoint::Upload => upload(front_end, request).await,
        Endpoint::ListKeys => list_keys(front_end, &request).await,
        Endpoint::Key(rest) => key(front_end, &request, rest).await,
    };
    answered.unwrap_or_else(|failure| told(&failure))
}

async fn upload(
    front_end: &Arc<FrontEnd>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    refuse_parameters(&request)?;
    let (head, mut body) = request.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE);
    let form = form::read(
        content_type,
        &mut body,
        front_end.upload_limit,
        &front_end.folder,
    )
    .await?;
    let key = Key::from_bytes(&form.key.ok_or(FormError::Missing("key"))?)?;
    front_end.store_photo(key.clone(), form.file).await?;
    Ok(uploaded(&key))
}

/// The contract's answer to an upload.
pub(crate) fn uploaded(key: &Key) -> Response<Body> {
    let uploaded = Uploaded {
        success: "true",
        key: key.as_str(),
    };
    reply::json(StatusCode::OK, &uploaded)
}

async fn list_keys(
    front_end: &FrontEnd,
    request: &Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    refuse_parameters(request)?;
    let keys = front_end.store.catalog()?.keys().await?;
    Ok(reply::json(
        StatusCode::OK,
        &Keys {
            success: "true",
            keys,
        },
    ))
}

async fn key(
    front_end: &FrontEnd,
    request: &Request<Incoming>,
    rest: &str,
) -> Result<Response<Body>, Failure> {
    refuse_parameters(request)?;
    let key = Key::from_path(rest)?;
    let Served { photo, outcome, .. } = front_end.store.photo(&key).await?;
    let answer = body::full(Bytes::from(photo.answer(&key)));
    let mut response = reply::with_type(StatusCode::OK, "application/json", answer);
    outcome.tell(response.headers_mut());
    Ok(response)
}

fn refuse_parameters(request: &Request<Incoming>) -> Result<(), Failure> {
    match request.uri().query() {
        None | Some("") => Ok(()),
        Some(_) => Err(Failure::new(
            StatusCode::BAD_REQUEST,
            "this path takes no parameters in the URL; upload takes a form, list_keys nothing, and key the key in its path",
        )),
    }
}

fn unknown(path: &str) -> String {
    let shown: String = path.chars().take(100).collect();
    format!(
        "there is no {shown}; there are /api/upload, /api/list_keys, /api/key/<key>, /api/delete_all, /api/configure_cache, /api/getNumNodes and /api/getRate, each by POST"
    )
}

/// A failure in the contract's shape.
pub(crate) fn told(failure: &Failure) -> Response<Body> {
    reply::failure(failure.status, &failure.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_same_with_a_slash_at_its_end_and_nothing_else_is() {
        assert_eq!(endpoint("/api/upload"), Some(Endpoint::Upload));
        assert_eq!(endpoint("/api/list_keys/"), Some(Endpoint::ListKeys));
        assert_eq!(endpoint("/api/key/a/b/"), Some(Endpoint::Key("a/b/")));
        assert_eq!(endpoint("/api/key"), Some(Endpoint::Key("")));
        assert_eq!(
            endpoint("/api/getRate/"),
            Some(Endpoint::Managers("/api/getRate"))
        );
        for path in [
            "/api",
            "/api/",
            "/api/uploads",
            "/api//upload",
            "/api/upload//",
            "/API/upload",
            "/api/getnumnodes",
        ] {
            assert_eq!(endpoint(path), None, "{path}");
        }
    }
}
