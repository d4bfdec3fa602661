//! Which photos the first page is asked for: `?q=<part of a key>`, and `before=<version>` or
//! `after=<version>` for another page than the first.

use catalog::Place;
use http::StatusCode;

use crate::failure::Failure;

/// What to look for, and from where on to show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// Part of a key; empty for all photos.
    pub(super) search: String,
    pub(super) place: Place,
}

impl Query {
    /// Reads the query of an address.
    ///
    /// # Errors
    /// 404 for one that we never made: there is no such page.
    pub(super) fn read(query: Option<&str>) -> Result<Self, Failure> {
        let mut read = Self::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let place = match &*name {
                // Spaces around it come from typing, and hardly from a key.
                "q" => {
                    value.trim().clone_into(&mut read.search);
                    continue;
                }
                "before" => value.parse().map(Place::Before),
                "after" => value.parse().map(Place::After),
                _ => return Err(no_page()),
            };
            if read.place != Place::Newest {
                return Err(no_page());
            }
            read.place = place.map_err(|_| no_page())?;
        }
        Ok(read)
    }

    /// The address of another page of what is looked for.
    pub(super) fn address(&self, place: Place) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.search.is_empty() {
            query.append_pair("q", &self.search);
        }
        match place {
            Place::Newest => {}
            Place::Before(version) => {
                query.append_pair("before", &version.to_string());
            }
            Place::After(version) => {
                query.append_pair("after", &version.to_string());
            }
        }
        match query.finish() {
            query if query.is_empty() => "/".to_owned(),
            query => format!("/?{query}"),
        }
    }
}

fn no_page() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "there is no such page of photos")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn an_address_that_was_made_is_read_again() {
        for search in ["", "x", "a&b=c#d%20+?", "'\"<é📷"] {
            for place in [Place::Newest, Place::Before(7), Place::After(-1)] {
                let query = Query {
                    search: search.to_owned(),
                    place,
                };
                let address = query.address(place);
                let text = address.strip_prefix("/?");
                assert_eq!(Query::read(text).unwrap(), query, "{address}");
            }
        }
    }

    #[test]
    fn an_empty_search_is_none() {
        for text in [None, Some(""), Some("q="), Some("q=+++")] {
            assert_eq!(Query::read(text).unwrap(), Query::default());
        }
        assert_eq!(Query::read(Some("q=+x+y+")).unwrap().search, "x y");
    }

    #[test]
    fn a_page_that_there_cannot_be_is_not_found() {
        for text in [
            "page=2",
            "before=",
            "before=x",
            "before=99999999999999999999",
            "before=1&after=2",
            "after=1&after=1",
            "=",
        ] {
            assert_eq!(Query::read(Some(text)).unwrap_err().status, 404, "{text}");
        }
    }
}
