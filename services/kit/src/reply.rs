//! Answers in the shapes that the contracts and the pages need.

use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;

use crate::body::{self, Body};

/// A JSON answer.
pub fn json<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(bytes) => with_type(status, "application/json", body::full(bytes)),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "writing an answer as JSON"
            );
            self::error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the answer could not be written",
            )
        }
    }
}

/// `{"error":"<what>"}`, the shape of internal endpoints.
#[must_use]
pub fn error(status: StatusCode, what: &str) -> Response<Body> {
    let text = serde_json::json!({ "error": what }).to_string();
    with_type(status, "application/json", body::full(text))
}

/// The contract's failure: `{"success":"false","error":{"code":404,"message":"…"}}`.
#[must_use]
pub fn failure(status: StatusCode, message: &str) -> Response<Body> {
    let text = failure_text(status, message);
    with_type(status, "application/json", body::full(text))
}

/// The text of [`failure`].
pub(crate) fn failure_text(status: StatusCode, message: &str) -> String {
    let message = serde_json::Value::from(message);
    format!(
        r#"{{"success":"false","error":{{"code":{},"message":{message}}}}}"#,
        status.as_u16()
    )
}

/// [`failure`] below `/api`, [`error`] elsewhere.
#[must_use]
pub fn failure_at(path: &str, status: StatusCode, message: &str) -> Response<Body> {
    if path == "/api" || path.starts_with("/api/") {
        failure(status, message)
    } else {
        error(status, message)
    }
}

/// A page. It may load scripts, styles and images from its own origin only (and images it makes
/// itself), is never framed, never cached.
#[must_use]
pub fn html(status: StatusCode, page: String) -> Response<Body> {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
        img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; form-action 'self'; \
        base-uri 'none'; frame-ancestors 'none'";
    let mut response = with_type(status, "text/html; charset=utf-8", body::full(page));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// 303 See Other: after a form, go and read `location`.
#[must_use]
pub fn redirect(location: &str) -> Response<Body> {
    let Ok(location) = HeaderValue::from_str(location) else {
        return error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the redirect's address is not a header",
        );
    };
    let mut response = empty(StatusCode::SEE_OTHER);
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// An answer without a body.
#[must_use]
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = status;
    response
}

/// Any body with its type; browsers are told not to guess another.
#[must_use]
pub fn with_type(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// 405 in the shape of `path`, naming what is allowed, such as `"POST"` or `"GET, HEAD"`.
#[must_use]
pub fn method_not_allowed(path: &str, allow: &'static str) -> Response<Body> {
    let message = format!("this path takes {allow} only");
    let mut response = failure_at(path, StatusCode::METHOD_NOT_ALLOWED, &message);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use http_body_util::BodyExt;

    use super::*;

    async fn text(response: Response<Body>) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_contracts_failure_is_written_to_the_byte() {
        let response = failure_at("/api/nothing", StatusCode::NOT_FOUND, "no \"such\" path");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(
            text(response).await,
            r#"{"success":"false","error":{"code":404,"message":"no \"such\" path"}}"#
        );
        let response = failure_at("/apiary", StatusCode::NOT_FOUND, "x");
        assert_eq!(text(response).await, r#"{"error":"x"}"#);
    }

    #[test]
    fn a_refused_method_names_what_is_allowed() {
        let response = method_not_allowed("/api/upload", "POST");
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()[header::ALLOW], "POST");
    }

    #[test]
    fn a_redirect_cannot_smuggle_a_header() {
        assert_eq!(redirect("/a\r\nset-cookie: x=1").status(), 500);
        assert_eq!(redirect("/login").headers()[header::LOCATION], "/login");
    }
}
