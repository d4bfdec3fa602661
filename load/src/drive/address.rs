//! Where a service answers, and what is shown to it.

use std::fmt;
use std::str::FromStr;

use http::Uri;

use crate::token::Token;

/// `http://host:port`, and the token that is sent there if its API is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    token: Option<Token>,
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address such as http://127.78.0.16:5000")]
pub struct NoAddress(String);

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let none = || NoAddress(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| none())?;
        let is_plain = uri.scheme_str() == Some("http") && matches!(uri.path(), "/" | "");
        let host = uri.host().filter(|host| !host.is_empty());
        match (host, uri.query()) {
            (Some(host), None) if is_plain => Ok(Self {
                host: host.to_owned(),
                port: uri.port_u16().unwrap_or(80),
                token: None,
            }),
            _ => Err(none()),
        }
    }
}

impl Address {
    /// The same address, to which each request shows that token.
    #[must_use]
    pub fn with_token(self, token: Option<Token>) -> Self {
        Self { token, ..self }
    }

    pub(crate) fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// `host:port`.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "http://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let address: Address = "http://127.78.0.16:5000/".parse().unwrap();
        assert_eq!(address.to_string(), "http://127.78.0.16:5000");
        let named: Address = "http://ec2-3-4.amazonaws.com".parse().unwrap();
        assert_eq!(named.authority(), "ec2-3-4.amazonaws.com:80");
        for none in [
            "",
            "127.0.0.1:5000",
            "https://127.0.0.1",
            "http://127.0.0.1/api",
            "http://127.0.0.1?a=b",
            "http://",
            "http:///",
            "http://a b",
        ] {
            let refused = none.parse::<Address>().unwrap_err().to_string();
            assert!(refused.contains("such as http://"), "{none}: {refused}");
        }
    }
}
