//! The name of a photo.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// Longest key, in bytes of UTF-8 (wire contract, section 1).
pub const LONGEST: usize = 255;

/// What stays as it is in a path segment: RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A key that keeps the contract's rules: UTF-8 of 1 to 255 bytes without U+0000, any other
/// character welcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Nothing there.
    #[error("the key is empty; a key is 1 to 255 bytes of UTF-8")]
    Empty,
    /// Too many bytes.
    #[error("the key is longer than 255 bytes; a key is 1 to 255 bytes of UTF-8")]
    TooLong,
    /// Bytes that are no text.
    #[error("the key is not UTF-8; a key is 1 to 255 bytes of UTF-8")]
    NotUtf8,
    /// U+0000, which PostgreSQL's text cannot hold.
    #[error("the key contains the character U+0000; leave it out")]
    Nul,
}

impl Key {
    /// Checks the bytes a client sent as a key.
    ///
    /// # Errors
    /// When they break one of the rules; the message says which, and what would be right.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidKey> {
        match bytes.len() {
            0 => return Err(InvalidKey::Empty),
            1..=LONGEST => {}
            _ => return Err(InvalidKey::TooLong),
        }
        let text = std::str::from_utf8(bytes).map_err(|_| InvalidKey::NotUtf8)?;
        if text.contains('\0') {
            return Err(InvalidKey::Nul);
        }
        Ok(Self(text.to_owned()))
    }

    /// Reads the key out of the rest of a path: one unencoded trailing slash is dropped, the rest
    /// is percent-decoded once.
    ///
    /// # Errors
    /// As [`Key::from_bytes`].
    pub fn from_path(rest: &str) -> Result<Self, InvalidKey> {
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // Decoding makes a text shorter by a factor of three at most.
        if rest.len() > LONGEST * 3 {
            return Err(InvalidKey::TooLong);
        }
        let decoded: Vec<u8> = percent_decode(rest.as_bytes()).collect();
        Self::from_bytes(&decoded)
    }

    /// The key as it may stand in a path, as one segment.
    #[must_use]
    pub fn path_segment(&self) -> String {
        utf8_percent_encode(&self.0, SEGMENT).to_string()
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn any_text_of_1_to_255_bytes_is_a_key() {
        for text in [
            "k1",
            "test_1",
            "123",
            "with space",
            "a/b//c/",
            "../../etc/passwd",
            "'; DROP TABLE photo; --",
            "<script>alert(1)</script>",
            "\"quoted\"",
            "🏕️",
            "line\nbreak",
            "%2F",
            &"x".repeat(255),
        ] {
            assert_eq!(Key::from_bytes(text.as_bytes()).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_rule_it_breaks() {
        assert_eq!(Key::from_bytes(b""), Err(InvalidKey::Empty));
        assert_eq!(Key::from_bytes(&[b'x'; 256]), Err(InvalidKey::TooLong));
        assert_eq!(
            Key::from_bytes("é".repeat(128).as_bytes()),
            Err(InvalidKey::TooLong)
        );
        assert_eq!(Key::from_bytes(b"a\0b"), Err(InvalidKey::Nul));
        assert_eq!(Key::from_bytes(b"\xff\xfe"), Err(InvalidKey::NotUtf8));
    }

    #[test]
    fn a_path_is_decoded_once_and_one_slash_dropped() {
        let read = |rest: &str| Key::from_path(rest).map(|key| key.as_str().to_owned());
        assert_eq!(read("a%20b").unwrap(), "a b");
        assert_eq!(read("a/b/").unwrap(), "a/b");
        assert_eq!(read("a//").unwrap(), "a/");
        assert_eq!(read("a%2F").unwrap(), "a/");
        assert_eq!(read("%252F").unwrap(), "%2F");
        assert_eq!(read("a+b").unwrap(), "a+b");
        assert_eq!(read("100%").unwrap(), "100%");
        assert_eq!(read(""), Err(InvalidKey::Empty));
        assert_eq!(read("/"), Err(InvalidKey::Empty));
        assert_eq!(read("%00"), Err(InvalidKey::Nul));
        assert_eq!(read("%FF"), Err(InvalidKey::NotUtf8));
        assert_eq!(read(&"%61".repeat(255)).unwrap().len(), 255);
        assert_eq!(read(&"%61".repeat(256)), Err(InvalidKey::TooLong));
        assert_eq!(read(&"a".repeat(10_000)), Err(InvalidKey::TooLong));
    }

    #[test]
    fn every_key_survives_the_way_through_a_path() {
        for text in ["a/", "/", "..", "%", "a b?c#d", "🏕️", "\"<&'>\"", "\r\n"] {
            let key = Key::from_bytes(text.as_bytes()).unwrap();
            let segment = key.path_segment();
            assert!(!segment.contains('/') && segment.is_ascii(), "{segment}");
            assert_eq!(Key::from_path(&segment).unwrap(), key);
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_path_is_a_key_that_a_path_can_hold_or_is_refused(path in "(%[0-9a-fA-F]{2}|%|/|\\PC){0,90}") {
            if let Ok(key) = Key::from_path(&path) {
                proptest::prop_assert_eq!(Key::from_path(&key.path_segment()), Ok(key));
            }
        }
    }
}
