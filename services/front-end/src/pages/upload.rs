//! The upload form of the pages. A browser without JavaScript ends on the photo's page, or where it
//! sent the form from with what went wrong; the script asks for JSON and says so itself.

use http::header::CONTENT_TYPE;
use http::{Method, Response};
use kit::body::{Body, Incoming};
use kit::reply;

use super::access::Access;
use super::query::Query;
use super::{Visit, show_gallery, show_single};
use crate::api;
use crate::failure::Failure;
use crate::form;
use crate::key::Key;

/// Answers `/upload`.
pub(super) async fn uploaded(visit: &Visit<'_>, mut body: Incoming) -> Response<Body> {
    if visit.request.method() != Method::POST {
        return reply::redirect("/");
    }
    let query = visit.request.uri().query();
    let replaced = query.and_then(|query| query.strip_prefix("replace="));
    let replaced = replaced.and_then(|key| Key::from_path(key).ok());
    let stored = store(visit, &mut body, replaced.clone()).await;
    drop(body);
    match stored {
        Ok(key) if visit.wants_json() => api::uploaded(&key),
        Ok(key) => reply::redirect(&format!("/view/{}", key.path_segment())),
        Err(failure) if visit.wants_json() => api::told(&failure),
        Err(failure) => shown(visit, replaced.as_ref(), &failure).await,
    }
}

/// The page that the form was on, with what went wrong.
async fn shown(visit: &Visit<'_>, replaced: Option<&Key>, failure: &Failure) -> Response<Body> {
    let problem = Some(failure.message.as_str());
    let shown = match replaced {
        Some(key) => show_single(visit, key, failure.status, problem).await,
        None => show_gallery(visit, &Query::default(), failure.status, problem).await,
    };
    // With the database away there is no page to show the problem on.
    shown.unwrap_or_else(|_| visit.trouble(failure))
}

/// Stores the form's photo under the key it replaces, the key that was typed, or the file's name.
async fn store(
    visit: &Visit<'_>,
    body: &mut Incoming,
    replaced: Option<Key>,
) -> Result<Key, Failure> {
    let front_end = visit.front_end;
    let form = form::read(
        visit.headers().get(CONTENT_TYPE),
        body,
        front_end.upload_limit,
        &front_end.folder,
    )
    .await?;
    Access::check_form(visit.csrf.as_deref(), form.csrf.as_deref())?;
    let typed = form.key.filter(|key| !key.is_empty());
    let key = match (replaced, typed, form.file_name) {
        (Some(key), _, _) => key,
        (None, Some(typed), _) => Key::from_bytes(&typed)?,
        (None, None, name) => Key::from_bytes(name.unwrap_or_default().as_bytes())?,
    };
    front_end.store_photo(key.clone(), form.file).await?;
    Ok(key)
}
