//! The door of what is below `/api`: open, or closed to whoever does not show the deployment's API
//! token, as the blueprint says.

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde::Deserialize;

use crate::body::Body;
use crate::reply;
use crate::token::Token;

/// What the blueprint says, under `"api"` in the settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// Whoever reaches the port may use it.
    #[default]
    Open,
    /// Whoever shows the token may use it.
    Token,
}

/// The token that the settings call for is not among the secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the settings say `api: token`, and there is no `api-token` among the secrets")]
pub struct NoToken;

/// The door as it stands.
#[derive(Debug, Clone)]
pub enum Door {
    /// Open.
    Open,
    /// Closed to all who do not show this token.
    Token(Token),
}

/// Why somebody was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No token came.
    #[error(
        "this API takes a token; send the header \"Authorization: Bearer <token>\", which `deploy output <name> --show-token` prints"
    )]
    Missing,
    /// The header is there and is something else.
    #[error(
        "the header Authorization is not \"Bearer <token>\": the word Bearer, a space, and the token that `deploy output <name> --show-token` prints"
    )]
    NotBearer,
    /// It is another token.
    #[error(
        "this is not the token of this deployment's API (nor is the manager's password); `deploy output <name> --show-token` prints it"
    )]
    Wrong,
}

impl Door {
    /// The door that the settings call for.
    ///
    /// # Errors
    /// When it is to be closed and there is no token to open it.
    pub fn new(api: Api, token: Option<&Token>) -> Result<Self, NoToken> {
        match api {
            Api::Open => Ok(Self::Open),
            Api::Token => token.cloned().map(Self::Token).ok_or(NoToken),
        }
    }

    /// Lets a request in, or says why not.
    ///
    /// # Errors
    /// When the door is closed and the request does not show the token (RFC 6750, section 2.1).
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let Self::Token(token) = self else {
            return Ok(());
        };
        let mut given = headers.get_all(http::header::AUTHORIZATION).iter();
        let given = match (given.next(), given.next()) {
            (None, _) => return Err(Refused::Missing),
            (Some(given), None) => bearer(given).ok_or(Refused::NotBearer)?,
            (Some(_), Some(_)) => return Err(Refused::NotBearer),
        };
        if token.is(given) {
            Ok(())
        } else {
            Err(Refused::Wrong)
        }
    }
}

/// What stands behind the scheme, whose case does not matter (RFC 9110, section 11.1).
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = value.as_bytes().split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| rest.trim_ascii())
}

impl Refused {
    /// 401 in the contract's shape.
    #[must_use]
    pub fn reply(self) -> Response<Body> {
        let challenge = match self {
            Self::Missing => r#"Bearer realm="bivouac""#,
            Self::NotBearer => r#"Bearer realm="bivouac", error="invalid_request""#,
            Self::Wrong => r#"Bearer realm="bivouac", error="invalid_token""#,
        };
        let mut response = reply::failure(StatusCode::UNAUTHORIZED, &self.to_string());
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        response
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use http::header::AUTHORIZATION;

    use super::*;

    const TOKEN: &str = "0123456789abcdefghij";

    fn closed() -> Door {
        Door::new(Api::Token, Some(&Token::new(TOKEN).unwrap())).unwrap()
    }

    fn with(lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    #[test]
    fn whoever_shows_the_token_is_let_in_and_nobody_else() {
        let check = |line: &[u8]| closed().check(&with(&[line]));
        for right in ["Bearer ", "bearer ", "BEARER   "] {
            assert_eq!(
                check(format!("{right}{TOKEN}").as_bytes()),
                Ok(()),
                "{right}"
            );
        }
        for wrong in [
            "Bearer ",
            "Bearer 0123456789abcdefghi",
            "Bearer 0123456789abcdefghijk",
            "Bearer 0123456789abcdefghiJ",
            "Bearer \"0123456789abcdefghij\"",
            "Bearer 0123456789abcdefghij, x",
            "Bearer Bearer 0123456789abcdefghij",
        ] {
            assert_eq!(check(wrong.as_bytes()), Err(Refused::Wrong), "{wrong}");
        }
        let huge = format!("Bearer {}", TOKEN.repeat(10_000));
        assert_eq!(check(huge.as_bytes()), Err(Refused::Wrong));
        for other in [
            &b""[..],
            b"Bearer",
            TOKEN.as_bytes(),
            b"Basic YTpi",
            b"Bear\xe9r x",
        ] {
            assert_eq!(check(other), Err(Refused::NotBearer), "{other:?}");
        }
        assert_eq!(closed().check(&HeaderMap::new()), Err(Refused::Missing));
    }

    #[test]
    fn one_of_two_tokens_is_none() {
        let right = format!("Bearer {TOKEN}");
        let headers = with(&[right.as_bytes(), b"Bearer x"]);
        assert_eq!(closed().check(&headers), Err(Refused::NotBearer));
    }

    #[test]
    fn an_open_door_asks_for_nothing_and_a_closed_one_needs_a_token() {
        let open = Door::new(Api::Open, None).unwrap();
        assert_eq!(open.check(&with(&[b"nonsense"])), Ok(()));
        assert_eq!(Door::new(Api::Token, None).unwrap_err(), NoToken);
        assert!(!format!("{:?}", closed()).contains(TOKEN));
    }

    #[test]
    fn a_refusal_says_what_would_be_right_and_repeats_no_token() {
        let response = Refused::Wrong.reply();
        assert_eq!(response.status(), 401);
        assert_eq!(
            response.headers()[WWW_AUTHENTICATE],
            r#"Bearer realm="bivouac", error="invalid_token""#
        );
        assert!(
            Refused::Missing
                .to_string()
                .contains("Authorization: Bearer")
        );
    }
}
