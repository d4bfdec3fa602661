//! Sessions of people: a random id in a cookie that is signed, so that an invented or expired one is
//! refused without asking the store. What a session means is kept by the service, under its id.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use http::header::{self, HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use sha2::Sha256;

/// For how long somebody stays logged in to the manager's pages.
pub const MANAGER_LIFETIME: Duration = Duration::from_secs(8 * 3600);

/// The key that signs cookies and CSRF tokens: 32 bytes, in the settings as 64 hex digits.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// Reads 64 hex digits.
    ///
    /// # Errors
    /// When they are not.
    pub fn from_hex(text: &str) -> Result<Self, InvalidKey> {
        let mut key = [0; 32];
        hex::decode_to_slice(text, &mut key).map_err(|_| InvalidKey)?;
        Ok(Self(key))
    }

    /// HMAC-SHA-256 (RFC 2104) over `purpose` and `message`; the purpose keeps a signature made for
    /// one thing from being taken for another.
    pub(crate) fn mac(&self, purpose: &str, message: &str) -> Hmac<Sha256> {
        // A key shorter than a block is padded with zeros (RFC 2104, section 2).
        let mut block = [0_u8; 64];
        block[..32].copy_from_slice(&self.0);
        Hmac::<Sha256>::new(&block.into())
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(message)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Key(…)")
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_hex(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session key is 64 hex digits")]
pub struct InvalidKey;

/// The id of a session: 32 hex digits of random. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// A new id.
    #[must_use]
    pub fn random() -> Self {
        Self(hex::encode(rand::random::<[u8; 16]>()))
    }

    /// The id as the store keeps it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SessionId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SessionId(…)")
    }
}

/// A session that was just begun.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Its id, for the store.
    pub id: SessionId,
    /// When it ends.
    pub expires: Timestamp,
    /// The value of the `set-cookie` header that gives it to the browser.
    pub cookie: HeaderValue,
}

/// Begins sessions and recognises them again.
#[derive(Debug, Clone)]
pub struct Sessions {
    key: Key,
    cookie: &'static str,
    lifetime: Duration,
}

impl Sessions {
    /// Sessions in a cookie called `cookie` that end after `lifetime`. The cookie is `HttpOnly` and
    /// `SameSite=Strict`; it is not `Secure`, because the pages are served over plain HTTP.
    #[must_use]
    pub fn new(key: Key, cookie: &'static str, lifetime: Duration) -> Self {
        Self {
            key,
            cookie,
            lifetime,
        }
    }

    /// The sessions of the manager's pages, which the front-end's know too where they need a login: a
    /// browser sends a cookie to every port of a host.
    #[must_use]
    pub fn of_the_manager(key: Key) -> Self {
        Self::new(key, "bivouac-manager", MANAGER_LIFETIME)
    }

    /// Begins a session. Always do so at login: an id from before it may be known to somebody else.
    #[must_use]
    pub fn begin(&self) -> Begun {
        self.begin_at(Timestamp::now())
    }

    fn begin_at(&self, now: Timestamp) -> Begun {
        let id = SessionId::random();
        let expires = now.saturating_add(self.lifetime).unwrap_or(Timestamp::MAX);
        let signed = format!("{}.{}", id.0, expires.as_second());
        let signature = hex::encode(self.key.mac("session", &signed).finalize().into_bytes());
        let cookie = format!(
            "{}={signed}.{signature}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict",
            self.cookie,
            self.lifetime.as_secs()
        );
        Begun {
            id,
            expires,
            cookie: header_value(&cookie),
        }
    }

    /// The session that a request carries, if it is ours and has not ended.
    #[must_use]
    pub fn read(&self, headers: &HeaderMap) -> Option<SessionId> {
        self.read_at(headers, Timestamp::now())
    }

    fn read_at(&self, headers: &HeaderMap, now: Timestamp) -> Option<SessionId> {
        cookies(headers, self.cookie).find_map(|value| {
            let (signed, signature) = value.rsplit_once('.')?;
            let mut tag = [0; 32];
            hex::decode_to_slice(signature, &mut tag).ok()?;
            self.key.mac("session", signed).verify_slice(&tag).ok()?;
            let (id, expires) = signed.split_once('.')?;
            let alive = expires.parse::<i64>().ok()? > now.as_second();
            alive.then(|| SessionId(id.to_owned()))
        })
    }

    /// The value of the `set-cookie` header that takes the session from the browser.
    #[must_use]
    pub fn end(&self) -> HeaderValue {
        header_value(&format!(
            "{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict",
            self.cookie
        ))
    }
}

fn header_value(text: &str) -> HeaderValue {
    // Names are ours and the rest is hex and digits.
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The values of all cookies called `name` (RFC 6265, section 4.2: a browser may send several).
fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(given, _)| *given == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn sessions(key: &str) -> Sessions {
        Sessions::new(
            Key::from_hex(&key.repeat(64)).unwrap(),
            "bivouac",
            Duration::from_secs(60),
        )
    }

    fn sent_back(cookie: &HeaderValue) -> HeaderMap {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("other=1; {pair}").parse().unwrap());
        headers
    }

    #[test]
    fn a_browser_is_recognised_until_the_session_ends() {
        let sessions = sessions("a");
        let now = Timestamp::UNIX_EPOCH;
        let begun = sessions.begin_at(now);
        let headers = sent_back(&begun.cookie);
        assert_eq!(sessions.read_at(&headers, now).unwrap(), begun.id);
        assert_eq!(sessions.read_at(&headers, begun.expires), None);
        let attributes = begun.cookie.to_str().unwrap();
        assert!(attributes.contains("HttpOnly") && attributes.contains("SameSite=Strict"));
        assert_eq!(sessions.read_at(&sent_back(&sessions.end()), now), None);
    }

    #[test]
    fn an_invented_cookie_is_refused() {
        let sessions = sessions("a");
        let begun = sessions.begin();
        assert_eq!(
            super::tests::sessions("b").read(&sent_back(&begun.cookie)),
            None
        );
        let text = begun.cookie.to_str().unwrap();
        for forged in [
            "bivouac=",
            "bivouac=..",
            "bivouac=a.9999999999.00",
            &text.replace('.', "0."),
        ] {
            let forged = HeaderValue::from_str(forged).unwrap();
            assert_eq!(sessions.read(&sent_back(&forged)), None, "{forged:?}");
        }
        assert!(Key::from_hex("abc").is_err());
    }

    #[test]
    fn a_signature_is_hmac_sha256() {
        // RFC 4231 has no case with our prefix; this value is Python's hmac module's.
        let key = Key::from_hex(&"0b".repeat(32)).unwrap();
        let tag = hex::encode(key.mac("session", "Hi There").finalize().into_bytes());
        assert_eq!(tag, include_str!("../tests/hmac.txt").trim());
    }
}
