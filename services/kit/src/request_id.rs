//! The id that follows a request through the services, so that their logs can be put together.

use std::future::Future;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::task::futures::TaskLocalFuture;

/// The header that carries the id, in requests and in answers.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: RequestId;
}

/// A request's id: 1 to 64 letters, digits, `.`, `_` or `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's id if it sent a sane one, else a new one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        headers
            .get(HEADER)
            .filter(|value| is_sane(value.as_bytes()))
            .map_or_else(Self::random, |value| Self(value.clone()))
    }

    /// A new id: 16 hex digits.
    #[must_use]
    pub fn random() -> Self {
        let mut text = [0; 16];
        let bytes: [u8; 8] = rand::random();
        for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Self(HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("-")))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("-")
    }

    /// The id as a header's value.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Runs `work` for this request: logs and outgoing requests made inside carry the id. Wrap what
    /// you `tokio::spawn` on behalf of a request.
    pub fn scope<F: Future>(self, work: F) -> TaskLocalFuture<Self, F> {
        CURRENT.scope(self, work)
    }

    /// As [`RequestId::scope`], for what is done at once.
    pub(crate) fn scope_now<T>(self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, work)
    }
}

/// The id of the request being answered, if there is one.
#[must_use]
pub fn current() -> Option<RequestId> {
    CURRENT.try_with(Clone::clone).ok()
}

fn is_sane(id: &[u8]) -> bool {
    (1..=64).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn given(id: &str) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_str(id).unwrap());
        RequestId::of(&headers)
    }

    #[test]
    fn a_sane_id_is_kept_and_another_replaced() {
        assert_eq!(given("abc-1.2_3").as_str(), "abc-1.2_3");
        let long = "x".repeat(65);
        for bad in ["", "a b", "a\"b", long.as_str()] {
            assert_ne!(given(bad).as_str(), bad);
            assert_eq!(given(bad).as_str().len(), 16);
        }
        assert_ne!(RequestId::random(), RequestId::random());
    }

    #[tokio::test]
    async fn the_current_id_is_the_requests_own() {
        assert_eq!(current(), None);
        let id = RequestId::random();
        assert_eq!(id.clone().scope(async { current() }).await, Some(id));
    }
}
