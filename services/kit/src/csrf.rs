//! Tokens that show a form was made by us for this session.

use hmac::Mac;
use subtle::ConstantTimeEq;

use crate::session::{Key, SessionId};

/// The name of the form field (and, with `x-`, of the header) that carries the token.
pub const FIELD: &str = "csrf-token";

/// The token for forms of `session`.
#[must_use]
pub fn token(key: &Key, session: &SessionId) -> String {
    hex::encode(key.mac("csrf", session.as_str()).finalize().into_bytes())
}

/// Whether `given` is the token of `session`; takes the same time wherever the two differ.
#[must_use]
pub fn verify(key: &Key, session: &SessionId, given: &str) -> bool {
    let mut tag = [0; 32];
    hex::decode_to_slice(given, &mut tag).is_ok()
        && key.mac("csrf", session.as_str()).verify_slice(&tag).is_ok()
}

/// Whether the two are one token; takes the same time wherever they differ.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_token_is_good_for_its_session_only() {
        let key = Key::from_hex(&"ab".repeat(32)).unwrap();
        let (mine, other) = (SessionId::random(), SessionId::random());
        let given = token(&key, &mine);
        assert!(verify(&key, &mine, &given));
        assert!(!verify(&key, &other, &given));
        assert!(!verify(&key, &mine, ""));
        assert!(!verify(&key, &mine, &given[1..]));
    }
}
