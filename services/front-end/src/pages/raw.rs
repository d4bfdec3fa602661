//! `/photos/<key>`: the bytes themselves, for the pages and for saving.

use std::convert::Infallible;
use std::time::Instant;

use futures::stream;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use kit::body::{self, Body};
use kit::reply;

use super::Visit;
use crate::failure::Failure;
use crate::image::Kind;
use crate::key::Key;
use crate::served::{self, Served};
use crate::spool;

/// The photo of a key. Its tag is the MD5 of its bytes, so that a browser which has them is spared
/// them, and none is ever told to keep an old photo.
pub(super) async fn photo(visit: &Visit<'_>, rest: &str) -> Result<Response<Body>, Failure> {
    let (store, headers) = (&visit.front_end.store, visit.headers());
    let is_head = visit.request.method() == Method::HEAD;
    let asked = Instant::now();
    let key = Key::from_path(rest)?;
    if is_head || headers.contains_key(header::IF_NONE_MATCH) {
        match store.row(&key).await {
            Ok(row) => {
                let kind = Kind::of_content_type(&row.content_type);
                let tag = row.etag.as_deref().unwrap_or_default();
                if knows(headers, tag) {
                    let mut response = reply::empty(StatusCode::NOT_MODIFIED);
                    served::tell_unchanged(asked.elapsed(), response.headers_mut());
                    return Ok(described(response, kind, tag));
                }
                if is_head {
                    let mut response = described(reply::empty(StatusCode::OK), kind, tag);
                    response
                        .headers_mut()
                        .insert(header::CONTENT_LENGTH, row.size.into());
                    return Ok(response);
                }
            }
            Err(failure) if failure.status == StatusCode::NOT_FOUND || is_head => {
                return Err(failure);
            }
            // Without the catalog a node may still have it.
            Err(_) => {}
        }
    }
    let Served {
        photo,
        outcome,
        took,
    } = store.photo(&key).await?;
    let tag = spool::digest(photo.chunks());
    let pieces: Vec<_> = photo
        .chunks()
        .iter()
        .map(|chunk| Ok::<_, Infallible>(chunk.clone()))
        .collect();
    let mut response = Response::new(body::stream(stream::iter(pieces)));
    let told = response.headers_mut();
    told.insert(header::CONTENT_LENGTH, photo.length().into());
    outcome.tell_all(took, told);
    Ok(described(response, photo.kind(), &tag))
}

fn knows(headers: &HeaderMap, tag: &str) -> bool {
    let listed = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let ours = format!("\"{tag}\"");
    !tag.is_empty()
        && listed
            .unwrap_or_default()
            .split(',')
            .any(|one| one.trim().trim_start_matches("W/") == ours)
}

/// What a browser has to know. The bytes are a stranger's: it may show them as an image, but run
/// nothing in them and guess no other type; what is no image it saves.
fn described(mut response: Response<Body>, kind: Kind, tag: &str) -> Response<Body> {
    const POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:";
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(kind.content_type()),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        headers.insert(header::ETAG, tag);
    }
    if !kind.is_image() {
        headers.insert(
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment"),
        );
    }
    response
}
