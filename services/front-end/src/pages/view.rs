//! What the templates are given.

use catalog::Totals;
use jiff::tz::TimeZone;
use kit::words::{grouped, size};
use serde::Serialize;

use crate::failure::Failure;
use crate::image::Kind;
use crate::key::Key;

/// What is the same on every page.
#[derive(Debug, Serialize)]
pub(super) struct Around<'a> {
    pub(super) title: &'a str,
    pub(super) deployment: &'a str,
    /// The manager's page as the browser reaches it.
    pub(super) manager: Option<String>,
    pub(super) upload_limit: u64,
    pub(super) upload_limit_told: String,
    pub(super) images_only: bool,
}

/// A photo on a page.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    key: String,
    /// The key as a path segment.
    segment: String,
    /// What the file is, in words.
    kind: &'static str,
    content_type: String,
    /// Whether a browser can show it.
    visible: bool,
    size: String,
    bytes: String,
    uploaded: String,
    uploaded_at: String,
}

impl Shown {
    pub(super) fn of(photo: &catalog::Photo) -> Self {
        let kind = Kind::of_content_type(&photo.content_type);
        // What the catalog holds was a key when it came in.
        let segment = Key::from_bytes(photo.key.as_bytes()).map(|key| key.path_segment());
        let uploaded = photo.uploaded_at.to_zoned(TimeZone::UTC);
        Self {
            key: photo.key.clone(),
            segment: segment.unwrap_or_default(),
            kind: kind.name(),
            content_type: photo.content_type.clone(),
            visible: kind.is_shown_by_browsers(),
            size: size(photo.size),
            bytes: grouped(photo.size),
            uploaded: uploaded.strftime("%-d %b %Y, %H:%M UTC").to_string(),
            uploaded_at: photo.uploaded_at.to_string(),
        }
    }
}

/// All photos, a page of them at a time.
#[derive(Debug, Serialize)]
pub(super) struct Gallery<'a> {
    around: Around<'a>,
    photos: Vec<Shown>,
    /// Nothing was ever uploaded, or all was deleted.
    empty: bool,
    total: String,
    /// Whether newer photos are left out.
    is_later_page: bool,
    /// Version that the next page lies before.
    older: Option<i64>,
    problem: Option<&'a str>,
}

impl<'a> Gallery<'a> {
    /// `photos` may hold one more than `per_page`, which says that there is another page.
    pub(super) fn new(
        photos: &[catalog::Photo],
        per_page: u32,
        is_later_page: bool,
        totals: Totals,
        problem: Option<&'a str>,
        around: Around<'a>,
    ) -> Self {
        let per_page = usize::try_from(per_page).unwrap_or(usize::MAX);
        let shown = photos.get(..per_page.min(photos.len())).unwrap_or_default();
        let more = photos.len() > shown.len();
        let noun = if totals.photos == 1 {
            "photo"
        } else {
            "photos"
        };
        Self {
            around,
            empty: totals.photos == 0,
            total: format!("{} {noun}, {}", grouped(totals.photos), size(totals.bytes)),
            is_later_page,
            older: shown.last().filter(|_| more).map(|photo| photo.version),
            photos: shown.iter().map(Shown::of).collect(),
            problem,
        }
    }
}

/// One photo.
#[derive(Debug, Serialize)]
pub(super) struct Single<'a> {
    pub(super) around: Around<'a>,
    pub(super) photo: Shown,
    pub(super) problem: Option<&'a str>,
}

/// Something went wrong.
#[derive(Debug, Serialize)]
pub(super) struct Trouble<'a> {
    around: Around<'a>,
    code: u16,
    heading: &'static str,
    message: String,
    /// Whether the same address may work in a moment.
    passing: bool,
}

impl<'a> Trouble<'a> {
    pub(super) fn of(failure: &Failure, around: Around<'a>) -> Self {
        let heading = match failure.status.as_u16() {
            404 => "Nothing here",
            403 => "Not from there",
            405 => "Not like this",
            400 => "That does not work",
            413 | 415 => "That file is not taken",
            503 | 507 => "Not available right now",
            _ => "Something broke",
        };
        Self {
            around: Around {
                title: heading,
                ..around
            },
            code: failure.status.as_u16(),
            heading,
            message: sentence(&failure.message),
            passing: failure.status.is_server_error(),
        }
    }
}

/// A message as a sentence of its own.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(char::to_uppercase);
    first
        .into_iter()
        .flatten()
        .chain(characters)
        .chain(['.'])
        .collect()
}

/// The manager's pages are on the host that the browser called us by, on another port.
pub(super) fn manager_address(host: &str, port: u16) -> Option<String> {
    let name = match host.rsplit_once(':') {
        Some((name, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-[]:".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_host)).then(|| format!("http://{name}:{port}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_managers_address_is_on_the_same_host() {
        let address = |host| manager_address(host, 5001);
        assert_eq!(
            address("127.77.0.16:5000").as_deref(),
            Some("http://127.77.0.16:5001/")
        );
        assert_eq!(
            address("example.org").as_deref(),
            Some("http://example.org:5001/")
        );
        assert_eq!(address("[::1]:5000").as_deref(), Some("http://[::1]:5001/"));
        assert_eq!(address("x\"onload=y"), None);
        assert_eq!(address(""), None);
    }

    #[test]
    fn a_message_becomes_a_sentence() {
        assert_eq!(sentence("the key is empty"), "The key is empty.");
        assert_eq!(sentence(""), ".");
    }
}
