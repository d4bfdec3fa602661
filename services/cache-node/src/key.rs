//! Keys as they stand in a path.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The longest key, in bytes of UTF-8.
const LONGEST: usize = 255;

/// The key that `written` stands for: percent-encoded UTF-8 (RFC 3986, section 2.1), decoded once.
/// A key that is written plainly is not copied. `None` unless it is 1 to 255 bytes without U+0000.
#[must_use]
pub fn decode(written: &str) -> Option<Cow<'_, str>> {
    let key = if written.contains('%') {
        if !has_whole_escapes(written.as_bytes()) {
            return None;
        }
        percent_decode_str(written).decode_utf8().ok()?
    } else {
        Cow::Borrowed(written)
    };
    let allowed = (1..=LONGEST).contains(&key.len()) && !key.contains('\0');
    allowed.then_some(key)
}

fn has_whole_escapes(written: &[u8]) -> bool {
    written
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'%')
        .all(|(place, _)| {
            written
                .get(place + 1..place + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_decoded_once() {
        assert_eq!(decode("test_1").as_deref(), Some("test_1"));
        assert_eq!(decode("a%2Fb/c%20d").as_deref(), Some("a/b/c d"));
        assert_eq!(decode("%2541").as_deref(), Some("%41"));
        assert_eq!(decode("%F0%9F%93%B7").as_deref(), Some("📷"));
        assert_eq!(decode(&"%41".repeat(255)).map(|key| key.len()), Some(255));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = "%41".repeat(256);
        for bad in [
            "",
            "%",
            "%4",
            "%zz",
            "a%",
            "%FF",
            "%C3",
            "%00",
            "a%00b",
            long.as_str(),
        ] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
