//! Static files that are part of the program: style sheets, scripts, icons.

use std::sync::OnceLock;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use sha2::{Digest, Sha256};

use crate::body::{self, Body};
use crate::reply;

/// The style sheet shared by the pages of all services; serve it as `/assets/style.css`.
pub static STYLE: Asset = Asset::new(
    "text/css; charset=utf-8",
    include_bytes!("../assets/style.css"),
);

/// A file compiled into the program.
///
/// ```
/// use kit::assets::Asset;
/// static SCRIPT: Asset = Asset::new("text/javascript; charset=utf-8", b"'use strict';");
/// let response = SCRIPT.respond(&http::HeaderMap::new());
/// assert_eq!(response.status(), 200);
/// ```
#[derive(Debug)]
pub struct Asset {
    content_type: &'static str,
    content: &'static [u8],
    tag: OnceLock<HeaderValue>,
}

impl Asset {
    /// A file of the given type.
    #[must_use]
    pub const fn new(content_type: &'static str, content: &'static [u8]) -> Self {
        Self {
            content_type,
            content,
            tag: OnceLock::new(),
        }
    }

    /// The file, or 304 to a browser that has it. Browsers ask each time, so that a new version of
    /// the program is seen at once.
    #[must_use]
    pub fn respond(&self, request: &HeaderMap) -> Response<Body> {
        let tag = self.tag();
        let known = request
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .any(|value| lists(value, tag));
        let mut response = if known {
            reply::empty(StatusCode::NOT_MODIFIED)
        } else {
            reply::with_type(StatusCode::OK, self.content_type, body::full(self.content))
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, tag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }

    fn tag(&self) -> &HeaderValue {
        self.tag.get_or_init(|| {
            let hash = hex::encode(&Sha256::digest(self.content)[..8]);
            HeaderValue::from_str(&format!("\"{hash}\""))
                .unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
        })
    }
}

/// Whether an `If-None-Match` header names the tag (RFC 9110, section 13.1.2).
fn lists(value: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(value), Ok(tag)) = (value.to_str(), tag.to_str()) else {
        return false;
    };
    value
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_has_it_gets_no_body() {
        let response = STYLE.respond(&HeaderMap::new());
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/css; charset=utf-8"
        );
        let mut headers = HeaderMap::new();
        headers.insert(
            header::IF_NONE_MATCH,
            response.headers()[header::ETAG].clone(),
        );
        let response = STYLE.respond(&headers);
        assert_eq!(response.status(), 304);
        assert_eq!(response.body().length(), Some(0));
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"other\""));
        assert_eq!(STYLE.respond(&headers).status(), 200);
    }
}
