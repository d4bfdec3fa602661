#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;

use http_body::Frame;
use http_body_util::StreamBody;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::image::Kind;
use crate::spool::Content;

const LIMIT: u64 = 3_000_000;
const TYPE: &str = "multipart/form-data; boundary=XX";

/// One part; `head` is what follows `form-data` in its disposition.
fn part(head: &str, content: &[u8]) -> Vec<u8> {
    let mut part = format!("--XX\r\nContent-Disposition: form-data{head}\r\n\r\n").into_bytes();
    part.extend_from_slice(content);
    part.extend_from_slice(b"\r\n");
    part
}

fn whole(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut body = parts.concat();
    body.extend_from_slice(b"--XX--\r\n");
    body
}

async fn read_as(content_type: Option<&str>, body: &[u8], step: usize) -> Result<Form, FormError> {
    let home = TempDir::new().unwrap();
    let folder = Folder::open(home.path()).unwrap();
    let chunks: Vec<_> = body
        .chunks(step)
        .map(|chunk| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(chunk))))
        .collect();
    let mut stream = StreamBody::new(futures::stream::iter(chunks));
    let content_type = content_type.map(|text| HeaderValue::from_str(text).unwrap());
    read(content_type.as_ref(), &mut stream, LIMIT, &folder).await
}

async fn read_body(body: &[u8]) -> Result<Form, FormError> {
    read_as(Some(TYPE), body, 8192).await
}

async fn message(body: &[u8]) -> String {
    read_body(body).await.unwrap_err().to_string()
}

fn key() -> Vec<u8> {
    part("; name=\"key\"", b"k1")
}

fn file() -> Vec<u8> {
    part("; name=\"file\"; filename=\"file\"", b"GIF89a\x01\0\x01\0")
}

#[tokio::test]
async fn parts_come_in_any_order_and_in_any_pieces() {
    for body in [whole(&[key(), file()]), whole(&[file(), key()])] {
        for step in [1, 2, 7, 100_000] {
            let form = read_as(Some(TYPE), &body, step).await.unwrap();
            assert_eq!(form.key.as_deref(), Some(&b"k1"[..]));
            assert_eq!((form.file.length(), form.file.kind()), (10, Kind::Gif));
            assert_eq!(form.file_name.as_deref(), Some("file"));
        }
    }
}

#[tokio::test]
async fn a_file_without_a_name_and_a_key_with_a_type_are_as_good() {
    let bare = part("; name=\"file\"", b"bytes");
    let typed = b"--XX\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-disposition: form-data; name=\"key\"\r\n\r\n\xc3\xa9\r\n";
    let form = read_body(&whole(&[typed.to_vec(), bare])).await.unwrap();
    assert_eq!(form.key.as_deref(), Some("é".as_bytes()));
    assert_eq!((form.file_name, form.file.kind()), (None, Kind::Other));
}

#[tokio::test]
async fn file_names_of_any_kind_are_taken() {
    for name in [
        "",
        "../a %22b%22.png",
        "a \\\"b\\\".png",
        "фото 写真 📷.png",
        "name=key",
    ] {
        let named = part(&format!("; name=\"file\"; filename=\"{name}\""), b"bytes");
        let form = read_body(&whole(&[named, key()])).await.unwrap();
        assert_eq!(form.file_name, Some(name.replace("\\\"", "\"")));
    }
}

#[tokio::test]
async fn other_parts_are_read_and_forgotten() {
    let other = part("; name=\"submit\"", &[b'x'; 100_000]);
    let nameless = part("", b"x");
    read_body(&whole(&[other.clone(), key(), nameless, file(), other]))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_missing_or_twice_is_named() {
    let form = read_body(&whole(&[file()])).await.unwrap();
    assert_eq!(form.key, None);
    assert!(
        message(&whole(&[key()]))
            .await
            .starts_with("the part \"file\" is missing; send")
    );
    assert!(
        message(b"--XX--\r\n")
            .await
            .starts_with("the part \"file\" is missing")
    );
    assert!(
        message(&whole(&[key(), file(), key()]))
            .await
            .starts_with("the part \"key\" is there more than once")
    );
    assert!(
        message(&whole(&[key(), file(), file()]))
            .await
            .starts_with("the part \"file\" is there more than once")
    );
    let empty = part("; name=\"file\"; filename=\"\"", b"");
    assert!(
        message(&whole(&[key(), empty]))
            .await
            .starts_with("the part \"file\" is empty")
    );
}

#[tokio::test]
async fn a_body_that_ends_early_is_refused_wherever_it_ends() {
    let body = whole(&[key(), file()]);
    let end = body.len() - "--\r\n".len();
    for cut in 1..end {
        let refused = read_body(&body[..cut]).await.unwrap_err();
        assert!(matches!(refused, FormError::Truncated), "{cut}: {refused}");
    }
    read_body(&body[..body.len() - 2]).await.unwrap();
    assert!(matches!(read_body(b"").await, Err(FormError::Truncated)));
}

#[tokio::test]
async fn a_content_type_that_is_no_form_is_told_what_would_be_right() {
    let body = whole(&[key(), file()]);
    for content_type in [None, Some("application/json"), Some("text"), Some("")] {
        let refused = read_as(content_type, &body, 99).await.unwrap_err();
        assert!(
            matches!(refused, FormError::NotMultipart),
            "{content_type:?}: {refused}"
        );
    }
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        &long,
    ] {
        let refused = read_as(Some(content_type), &body, 99).await.unwrap_err();
        assert!(
            matches!(refused, FormError::NoBoundary),
            "{content_type}: {refused}"
        );
    }
}

#[tokio::test]
async fn keys_that_break_a_rule_are_refused() {
    for (key, rule) in [
        (&[b'x'; 10_000][..], "longer than 255"),
        (b"a\0b", "U+0000"),
        (b"\xff", "UTF-8"),
    ] {
        let refused = message(&whole(&[part("; name=\"key\"", key), file()])).await;
        assert!(refused.contains(rule), "{refused}");
    }
}

#[tokio::test]
async fn a_file_of_the_limit_fits_and_one_more_byte_does_not() {
    let fits = part("; name=\"file\"", &vec![1; 3_000_000]);
    let form = read_body(&whole(&[fits, key()])).await.unwrap();
    assert_eq!(form.file.length(), LIMIT);
    assert!(matches!(form.file.content(), Content::File(_)));
    let over = part("; name=\"file\"", &vec![1; 3_000_001]);
    assert!(
        message(&whole(&[over, key()]))
            .await
            .contains("larger than 3000000 bytes (2 MiB)")
    );
}

#[tokio::test]
async fn endless_headers_preambles_and_extra_parts_are_cut_short() {
    let mut headers = b"--XX\r\nX-Long: ".to_vec();
    headers.resize(1_000_000, b'a');
    assert!(matches!(
        read_body(&headers).await,
        Err(FormError::Malformed)
    ));
    assert!(matches!(
        read_body(&vec![b'-'; 1_000_000]).await,
        Err(FormError::Malformed)
    ));
    let extra = part("; name=\"other\"", &vec![0; 5_000_000]);
    assert!(matches!(
        read_body(&whole(&[extra])).await,
        Err(FormError::TooLarge(LIMIT))
    ));
}

/// Bytes that look more or less like a form.
fn almost_a_form() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(key()),
        Just(file()),
        Just(b"--XX".to_vec()),
        Just(b"--XX--\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''%".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// A form is taken or refused, and taken alike however it comes.
    #[test]
    fn any_bytes_are_a_form_or_are_refused(body in almost_a_form(), step in 1_usize..40) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = |step| runtime.block_on(read_as(Some(TYPE), &body, step));
        if let Ok(whole) = read(body.len().max(1)) {
            let pieces = read(step).unwrap();
            prop_assert_eq!((whole.key, whole.file_name), (pieces.key, pieces.file_name));
            prop_assert_eq!(whole.file.digest(), pieces.file.digest());
        }
    }
}
