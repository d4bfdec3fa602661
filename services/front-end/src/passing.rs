//! What belongs to the manager, passed on as it came.

use std::time::Duration;

use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use kit::body::{self, Body, Incoming};

use crate::failure::Failure;
use crate::{FrontEnd, api};

/// The manager's requests carry a few parameters at most.
const BODY_LIMIT: u64 = 64 * 1024;

/// Deleting all photos waits for the bucket to forget thousands of objects.
const ANSWER_TIME: Duration = Duration::from_secs(120);

/// Sends the request to the manager as `path`, with its query, and gives back what it answers.
pub(crate) async fn pass(
    front_end: &FrontEnd,
    path: &str,
    request: Request<Incoming>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = match body::read_limited(body, BODY_LIMIT).await {
        Ok(body) => body,
        Err(refused) => return refused.reply(path),
    };
    let query = head
        .uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let mut onward = Request::builder()
        .method(head.method)
        .uri(format!("http://{}{path}{query}", front_end.manager));
    // The manager looks at the token for itself.
    for name in [CONTENT_TYPE, AUTHORIZATION] {
        if let Some(value) = head.headers.get(&name) {
            onward = onward.header(name, value);
        }
    }
    let Ok(onward) = onward.body(body::full(body)) else {
        return api::told(&Failure::new(
            StatusCode::BAD_REQUEST,
            "the parameters in the URL cannot be read; percent-encode them",
        ));
    };
    match front_end.http.send(onward, ANSWER_TIME).await {
        Ok(answer) => returned(answer),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                path,
                "the manager does not answer"
            );
            let message = "the manager of the pool does not answer; it is restarted by itself, try again in a moment";
            api::told(&Failure::new(StatusCode::SERVICE_UNAVAILABLE, message))
        }
    }
}

/// The manager's answer without what belongs to its connection only.
fn returned(answer: Response<bytes::Bytes>) -> Response<Body> {
    let (head, body) = answer.into_parts();
    let mut response = Response::new(body::full(body));
    *response.status_mut() = head.status;
    for name in [CONTENT_TYPE, ALLOW, WWW_AUTHENTICATE] {
        if let Some(value) = head.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
