//! The token of a deployment whose API is closed.

use std::str::FromStr;

use http::HeaderValue;

/// What `Authorization` says where the blueprint says `api: token`. It is never printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(HeaderValue);

/// A text that no header can carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token is printable ASCII, as `deploy output NAME --show-token` prints it")]
pub struct NoToken;

impl FromStr for Token {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let value = HeaderValue::from_str(&format!("Bearer {text}"));
        let mut value = value.ok().filter(|_| is_plain).ok_or(NoToken)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl Token {
    /// The value of the header.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_is_a_header_and_is_not_printed() {
        let token: Token = "s3cret".parse().unwrap();
        assert_eq!(token.header(), "Bearer s3cret");
        assert!(!format!("{token:?}").contains("s3cret"));
        for none in ["", "a b", "line\n", "é"] {
            assert_eq!(none.parse::<Token>(), Err(NoToken), "{none}");
        }
    }
}
