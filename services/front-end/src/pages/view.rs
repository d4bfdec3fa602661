//! What the templates are given.

use catalog::{Listing, Place, Totals};
use http::StatusCode;
use jiff::tz::TimeZone;
use kit::words::{grouped, sentence, size, trouble};
use serde::Serialize;

use crate::failure::Failure;
use crate::image::Kind;
use crate::key::Key;
use crate::pages::query::Query;
use crate::pages::standing::Told;
use crate::served::Owner;

/// What is the same on every page.
#[derive(Debug, Serialize)]
pub(super) struct Around<'a> {
    pub(super) title: &'a str,
    pub(super) deployment: &'a str,
    /// The manager's page as the browser reaches it.
    pub(super) manager: Option<String>,
    /// How the pool stands; not told to those who have to log in first.
    pub(super) pool: Option<Told>,
    /// What forms carry, where one has to log in.
    pub(super) csrf: Option<&'a str>,
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
    /// The exact size, where `size` is rounded.
    bytes: Option<String>,
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
            bytes: (photo.size >= 1024).then(|| grouped(photo.size)),
            uploaded: uploaded.strftime("%-d %b %Y, %H:%M UTC").to_string(),
            uploaded_at: photo.uploaded_at.to_string(),
        }
    }
}

/// Photos, a page of them at a time.
#[derive(Debug, Serialize)]
pub(super) struct Gallery<'a> {
    around: Around<'a>,
    photos: Vec<Shown>,
    /// Nothing was ever uploaded, or all was deleted.
    empty: bool,
    search: &'a str,
    /// How many photos there are, or were found.
    total: String,
    /// Whether the page has the form for uploads: the first of all photos has.
    uploads: bool,
    /// Whether there are some, but none from this place on.
    is_beyond: bool,
    /// Which of them are on this page, if not all.
    range: Option<String>,
    newest: Option<String>,
    newer: Option<String>,
    older: Option<String>,
    oldest: Option<String>,
    problem: Option<&'a str>,
}

impl<'a> Gallery<'a> {
    pub(super) fn new(
        query: &'a Query,
        listing: &Listing,
        problem: Option<&'a str>,
        around: Around<'a>,
    ) -> Self {
        let Totals { photos: all, bytes } = listing.totals;
        let shown = listing.photos.len() as u64;
        let until = listing.newer + shown;
        let (first, last) = (listing.photos.first(), listing.photos.last());
        let newer = first.filter(|_| listing.newer > 0);
        let older = last.filter(|_| until < all);
        let newer = newer.map(|photo| query.address(Place::After(photo.version)));
        let older = older.map(|photo| query.address(Place::Before(photo.version)));
        let noun = if all == 1 { "photo" } else { "photos" };
        let total = if query.search.is_empty() {
            format!("{} {noun}, {}", grouped(all), size(bytes))
        } else {
            format!("{} {noun} found", grouped(all))
        };
        let range = format!(
            "{}–{} of {}",
            grouped(listing.newer + 1),
            grouped(until),
            grouped(all)
        );
        Self {
            around,
            empty: all == 0 && query.search.is_empty(),
            search: &query.search,
            total,
            uploads: *query == Query::default() || all == 0 && query.search.is_empty(),
            is_beyond: all > 0 && shown == 0,
            range: Some(range).filter(|_| newer.is_some() || older.is_some()),
            newest: newer.is_some().then(|| query.address(Place::Newest)),
            oldest: older.is_some().then(|| query.address(Place::After(0))),
            newer,
            older,
            photos: listing.photos.iter().map(Shown::of).collect(),
            problem,
        }
    }
}

/// One photo.
#[derive(Debug, Serialize)]
pub(super) struct Single<'a> {
    pub(super) around: Around<'a>,
    pub(super) photo: Shown,
    /// The node that owns it, unless its place is empty.
    pub(super) node: Option<Node>,
    pub(super) problem: Option<&'a str>,
}

/// The node that owns a photo.
#[derive(Debug, Serialize)]
pub(super) struct Node {
    instance: String,
    place: String,
}

impl Node {
    pub(super) fn of(owner: Owner) -> Self {
        Self {
            place: owner.place_told(),
            instance: owner.instance,
        }
    }
}

/// The form for logging in.
#[derive(Debug, Serialize)]
pub(super) struct Login<'a> {
    pub(super) around: Around<'a>,
    /// By which the form is known to be ours.
    pub(super) token: String,
    /// Where to go afterwards.
    pub(super) to: &'a str,
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
    /// Whether logging in helps.
    login: bool,
}

impl<'a> Trouble<'a> {
    pub(super) fn of(failure: &Failure, around: Around<'a>) -> Self {
        let heading = trouble(failure.status);
        Self {
            around: Around {
                title: heading,
                ..around
            },
            code: failure.status.as_u16(),
            heading,
            message: sentence(&failure.message),
            passing: failure.status.is_server_error(),
            login: failure.status == StatusCode::UNAUTHORIZED,
        }
    }
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
}
