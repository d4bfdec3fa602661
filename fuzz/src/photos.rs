//! What the front-end and the cache nodes read off the network.

use std::convert::Infallible;
use std::sync::OnceLock;

use bytes::Bytes;
use front_end::form::{self, Form, FormError};
use front_end::image;
use front_end::key::Key;
use front_end::spool::{Content, Folder};
use http::HeaderValue;
use http_body::Frame;
use http_body_util::StreamBody;
use tempfile::TempDir;

/// Bytes that a file may have here.
const FILE_LIMIT: u64 = 16 * 1024;

/// An upload: the first line is the content type, the rest the body. What is taken when it comes in
/// one piece is taken in small ones too, and is the same.
pub fn form(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, body) = bytes.split_at(end.unwrap_or(bytes.len()));
    let body = body.get(1..).unwrap_or_default();
    let content_type = HeaderValue::from_bytes(line).ok();
    let whole = read(content_type.as_ref(), body, body.len().max(1));
    let pieces = read(content_type.as_ref(), body, 1 + body.len() % 13);
    if let Ok(whole) = whole {
        let pieces = pieces.expect("what is taken whole is taken in pieces");
        assert_eq!(
            (&whole.key, &whole.file_name, content(&whole)),
            (&pieces.key, &pieces.file_name, content(&pieces))
        );
        assert!(whole.file.length() > 0 && whole.file.length() <= FILE_LIMIT);
    }
}

fn read(content_type: Option<&HeaderValue>, body: &[u8], step: usize) -> Result<Form, FormError> {
    static FOLDER: OnceLock<(TempDir, Folder)> = OnceLock::new();
    let (_, folder) = FOLDER.get_or_init(|| {
        let home = TempDir::new().expect("a temporary folder");
        let folder = Folder::open(home.path()).expect("it can be used");
        (home, folder)
    });
    let pieces = body
        .chunks(step)
        .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(piece))));
    let mut body = StreamBody::new(futures::stream::iter(pieces.collect::<Vec<_>>()));
    futures::executor::block_on(form::read(content_type, &mut body, FILE_LIMIT, folder))
}

fn content(form: &Form) -> &[u8] {
    match form.file.content() {
        Content::Memory(bytes) => bytes,
        Content::File(_) => panic!("so small a file stays in memory"),
    }
}

/// A key in a path: what the front-end takes can be written into a path, and the node reads it back.
pub fn key(bytes: &[u8]) {
    if let Ok(key) = Key::from_bytes(bytes) {
        assert_eq!(key.as_str().as_bytes(), bytes);
        comes_back(&key);
    }
    let Ok(path) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(key) = Key::from_path(path) {
        assert!((1..=255).contains(&key.as_str().len()) && !key.as_str().contains('\0'));
        comes_back(&key);
    }
    if let Some(key) = cache_node::key::decode(path) {
        assert!(Key::from_bytes(key.as_bytes()).is_ok());
    }
}

fn comes_back(key: &Key) {
    let segment = key.path_segment();
    assert!(http::Uri::try_from(format!("/entries/{segment}")).is_ok());
    assert_eq!(Key::from_path(&segment).as_ref(), Ok(key));
    assert_eq!(
        cache_node::key::decode(&segment).as_deref(),
        Some(key.as_str())
    );
}

/// A photo's kind is told by its first bytes alone.
pub fn kind(bytes: &[u8]) {
    let head = &bytes[..bytes.len().min(image::HEAD)];
    let kind = image::sniff(head);
    assert_eq!(kind, image::sniff(bytes));
    assert_eq!(kind, image::Kind::of_content_type(kind.content_type()));
}
