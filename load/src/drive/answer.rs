//! What the front-end's answers say (wire contract, section 1).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::checker::Seen;
use super::client::Answer;
use super::content::Identity;

/// Everything but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// Characters of a refusal that are kept.
const KEPT: usize = 120;

/// Where a photo is read.
pub(super) fn path(key: &str) -> String {
    format!("/api/key/{}", utf8_percent_encode(key, ENCODED))
}

/// What a read returned, or how it was refused.
pub(super) fn photo(run: u64, number: u32, key: &str, answer: &Answer) -> Result<Seen, String> {
    match answer.status {
        200 => Ok(content(key, &answer.body).map_or_else(
            || Seen::Damaged("the answer is not the contract's".to_owned()),
            |photo| Identity::recognise(run, number, &photo),
        )),
        404 => Ok(Seen::Nothing),
        _ => Err(refusal(answer)),
    }
}

/// Nothing if an upload was acknowledged, else how it was refused.
pub(super) fn stored(key: &str, answer: &Answer) -> Result<(), String> {
    let right = format!(r#"{{"success":"true","key":{}}}"#, quoted(key));
    match answer.status {
        200 if answer.body == right => Ok(()),
        200 => Err("200 with another answer than the contract's".to_owned()),
        _ => Err(refusal(answer)),
    }
}

/// The photo in `{"success":"true","key":"<key>","content":"<base64>"}`, to the byte.
fn content(key: &str, body: &[u8]) -> Option<Vec<u8>> {
    let before = format!(r#"{{"success":"true","key":{},"content":""#, quoted(key));
    let content = body.strip_prefix(before.as_bytes())?.strip_suffix(b"\"}")?;
    base64_simd::STANDARD.decode_to_vec(content).ok()
}

fn refusal(answer: &Answer) -> String {
    #[derive(Deserialize)]
    struct Failure {
        error: Problem,
    }
    #[derive(Deserialize)]
    struct Problem {
        message: String,
    }
    let message = serde_json::from_slice::<Failure>(&answer.body).map_or_else(
        |_| String::from_utf8_lossy(&answer.body).into_owned(),
        |failure| failure.error.message,
    );
    let words = message.chars().map(|character| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    });
    let message: String = words.take(KEPT).collect();
    format!("{} {message}", answer.status)
}

fn quoted(key: &str) -> String {
    serde_json::Value::from(key).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const IDENTITY: Identity = Identity {
        run: 1,
        key: 2,
        version: 3,
    };

    fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            status,
            body: body.into().into(),
        }
    }

    fn read(body: impl Into<Vec<u8>>) -> Seen {
        photo(1, 2, "a \"b\"", &answer(200, body)).unwrap()
    }

    #[test]
    fn a_photo_is_read_from_the_contracts_answer_and_no_other() {
        let mut photo = Vec::new();
        IDENTITY.write(b"picture", &mut photo);
        let encoded = base64_simd::STANDARD.encode_to_string(&photo);
        let right = format!(r#"{{"success":"true","key":"a \"b\"","content":"{encoded}"}}"#);
        assert_eq!(read(right.as_str()), Seen::Version(3));
        for wrong in [
            right.replace("true", "false"),
            right.replace("a \\\"b", "c"),
            right.replace(&encoded, &encoded[1..]),
            right.replace(&encoded, &format!("data:image/png;base64,{encoded}")),
            format!("{right}\n"),
            "{}".to_owned(),
            String::new(),
            "\u{0}".repeat(1000),
        ] {
            assert!(matches!(read(wrong.as_str()), Seen::Damaged(_)), "{wrong}");
        }
        let empty = right.replace(&encoded, "");
        assert_eq!(read(empty), Seen::Foreign);
    }

    #[test]
    fn a_refusal_is_told_in_its_own_words_on_one_line() {
        let told = r#"{"success":"false","error":{"code":503,"message":"try again"}}"#;
        let refused = photo(1, 2, "k", &answer(503, told));
        assert_eq!(refused, Err("503 try again".to_owned()));
        assert_eq!(photo(1, 2, "k", &answer(404, told)), Ok(Seen::Nothing));
        let page = format!("<html>\r\n{}", "a".repeat(1000));
        let refused = stored("k", &answer(502, page)).unwrap_err();
        assert!(refused.starts_with("502 <html>  aaa") && refused.len() < 130);
        assert_eq!(
            stored("k", &answer(500, b"\xff".to_vec())).unwrap_err(),
            "500 \u{fffd}"
        );
    }

    #[test]
    fn an_upload_is_acknowledged_by_the_contracts_answer_and_no_other() {
        let right = r#"{"success":"true","key":"k"}"#;
        assert_eq!(stored("k", &answer(200, right)), Ok(()));
        assert!(stored("other", &answer(200, right)).is_err());
        assert!(stored("k", &answer(200, "{}")).is_err());
    }

    #[test]
    fn any_key_can_stand_in_a_path() {
        assert_eq!(path("a/b c-1"), "/api/key/a%2Fb%20c-1");
    }
}
