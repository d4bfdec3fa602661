//! The deployment's tokens: the internal one, by which its services know each other, and the one of
//! its API ([`crate::door`]).

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;

/// The header that carries the internal token.
pub const HEADER: HeaderName = HeaderName::from_static("x-bivouac-token");

/// A secret that a request shows in a header. `Debug` hides it.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// Takes a token of 16 or more visible ASCII characters.
    ///
    /// # Errors
    /// When it is shorter, or holds something a header cannot carry.
    pub fn new(token: &str) -> Result<Self, InvalidToken> {
        if token.len() < 16 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidToken);
        }
        let mut value = HeaderValue::from_str(token).map_err(|_| InvalidToken)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// Whether a request carries this token; takes the same time wherever the two differ.
    #[must_use]
    pub fn accepts(&self, headers: &HeaderMap) -> bool {
        headers
            .get(HEADER)
            .is_some_and(|given| self.is(given.as_bytes()))
    }

    /// Whether these bytes are the token; takes the same time wherever the two differ.
    #[must_use]
    pub fn is(&self, given: &[u8]) -> bool {
        given.ct_eq(self.0.as_bytes()).into()
    }

    /// The value for the header of a request of our own.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token(…)")
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is 16 or more visible ASCII characters")]
pub struct InvalidToken;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn accepts_itself_and_nothing_else() {
        let token = Token::new("0123456789abcdef").unwrap();
        let mut headers = HeaderMap::new();
        assert!(!token.accepts(&headers));
        for wrong in [
            "",
            "0123456789abcdeg",
            "0123456789abcde",
            "0123456789abcdeff",
        ] {
            headers.insert(HEADER, wrong.parse().unwrap());
            assert!(!token.accepts(&headers), "{wrong}");
        }
        headers.insert(HEADER, token.header_value());
        assert!(token.accepts(&headers));
        assert!(!format!("{token:?} {headers:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn refuses_what_is_too_short_or_cannot_be_sent() {
        assert!(Token::new("short").is_err());
        assert!(Token::new("0123456789abcdef\n").is_err());
        assert!(serde_json::from_str::<Token>(r#""""#).is_err());
    }
}
