//! Refusing requests that a page of somebody else made a browser send.

use http::header::{self, HeaderMap};
use http::{Method, Request};

/// The request comes from a foreign page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this request comes from a page of another site; open this service's own page instead")]
pub struct ForeignOrigin;

/// Lets a request pass that changes nothing (GET, HEAD, OPTIONS), that no browser sent (no `Origin`
/// and no `Sec-Fetch-Site`), or that a page of this very host and port sent.
///
/// # Errors
/// When a page of another origin, or one without an origin, made the browser send it.
pub fn check<B>(request: &Request<B>) -> Result<(), ForeignOrigin> {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) {
        return Ok(());
    }
    let headers = request.headers();
    if is_our_own_site(headers) && is_our_own_origin(headers) {
        Ok(())
    } else {
        Err(ForeignOrigin)
    }
}

/// <https://www.w3.org/TR/fetch-metadata/>: `none` is the person at the address bar.
fn is_our_own_site(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_none_or(|site| ["same-origin", "none"].iter().any(|own| site == own))
}

/// RFC 6454, section 7: `Origin: null` is a page without an origin.
fn is_our_own_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    match (origin, host) {
        (Some((_, origin)), Some(host)) => origin.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn post(headers: &[(&str, &str)]) -> Result<(), ForeignOrigin> {
        let mut request = Request::post("/api/upload").header("host", "10.0.0.1:5000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap())
    }

    #[test]
    fn programs_and_our_own_pages_pass() {
        assert!(post(&[]).is_ok());
        assert!(post(&[("origin", "http://10.0.0.1:5000")]).is_ok());
        assert!(
            post(&[
                ("origin", "http://10.0.0.1:5000"),
                ("sec-fetch-site", "same-origin")
            ])
            .is_ok()
        );
        let get = Request::get("/")
            .header("origin", "http://elsewhere")
            .body(())
            .unwrap();
        assert!(check(&get).is_ok());
    }

    #[test]
    fn pages_of_others_do_not() {
        for headers in [
            [("origin", "http://elsewhere.example")],
            [("origin", "http://10.0.0.1:5001")],
            [("origin", "null")],
            [("sec-fetch-site", "cross-site")],
            [("sec-fetch-site", "same-site")],
        ] {
            assert_eq!(post(&headers), Err(ForeignOrigin), "{headers:?}");
        }
    }
}
