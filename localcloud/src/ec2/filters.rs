//! Filters and pages of the Describe calls.

use std::collections::HashMap;

use super::model::Tags;
use crate::wire::{ApiError, Params};

/// The filters of a request: a resource must match every one, by any of its values.
#[derive(Clone, Debug)]
pub(super) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Reads `Filter.N`. Besides the names given here, a kind of resource that has tags takes
    /// `tag:<key>` and `tag-key`.
    pub(super) fn read(params: &Params, known: &[&str]) -> Result<Self, ApiError> {
        let mut filters = Vec::new();
        for filter in params.structures("Filter") {
            let name = filter.required("Name")?.to_owned();
            let is_tag = name.starts_with("tag:") || name == "tag-key";
            if !is_tag && !known.contains(&name.as_str()) {
                return Err(ApiError::new(
                    "InvalidParameterValue",
                    format!("The filter '{name}' is invalid (or localcloud does not know it)"),
                ));
            }
            filters.push((name, filter.list("Value")));
        }
        Ok(Self(filters))
    }

    /// Whether a resource with these values (several where it has several) passes.
    pub(super) fn pass(&self, values: &HashMap<&str, Vec<String>>, tags: &Tags) -> bool {
        self.0.iter().all(|(name, wanted)| {
            let matches = |value: &str| wanted.iter().any(|pattern| like(pattern, value));
            if let Some(key) = name.strip_prefix("tag:") {
                return tags.get(key).is_some_and(|value| matches(value));
            }
            if name == "tag-key" {
                return tags.keys().any(|key| matches(key));
            }
            values
                .get(name.as_str())
                .is_some_and(|values| values.iter().any(|value| matches(value)))
        })
    }
}

/// Whether a text matches a pattern with `*`, `?` and `\` before a character that means itself.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum Part {
        Exactly(char),
        One,
        Any,
    }
    let mut parts = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        parts.push(match character {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => Part::Exactly(characters.next().unwrap_or('\\')),
            other => Part::Exactly(other),
        });
    }
    let text: Vec<char> = text.chars().collect();
    // Go on from the last `*` when what follows it does not match here.
    let (mut part, mut at) = (0, 0);
    let mut resume = None;
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                resume = Some((part, at));
                part += 1;
            }
            Some(Part::One) => {
                part += 1;
                at += 1;
            }
            Some(Part::Exactly(wanted)) if *wanted == text[at] => {
                part += 1;
                at += 1;
            }
            _ => match resume {
                Some((star, from)) => {
                    resume = Some((star, from + 1));
                    part = star + 1;
                    at = from + 1;
                }
                None => return false,
            },
        }
    }
    parts[part..].iter().all(|rest| *rest == Part::Any)
}

/// A page of a listing and the token of the next.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts the page that a request asks for (`MaxResults`, `NextToken`) out of all results.
    pub(super) fn of(all: Vec<T>, params: &Params) -> Result<Self, ApiError> {
        let start = match params.get("NextToken").filter(|token| !token.is_empty()) {
            None => 0,
            Some(token) => token
                .strip_prefix("page-")
                .and_then(|number| number.parse::<usize>().ok())
                .ok_or_else(|| {
                    ApiError::new("InvalidNextToken", "The token is not one of this service.")
                })?,
        };
        let most = match params.integer("MaxResults")? {
            None => all.len(),
            Some(most @ 1..=1000) => usize::try_from(most).unwrap_or(1000),
            Some(most) => {
                return Err(ApiError::new(
                    "InvalidParameterValue",
                    format!(
                        "Value ( {most} ) for parameter maxResults is invalid. Expecting a value from 5 to 1000."
                    ),
                ));
            }
        };
        let end = start.saturating_add(most);
        let next = (end < all.len()).then(|| format!("page-{end}"));
        let items = all.into_iter().skip(start).take(most).collect();
        Ok(Self { items, next })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn patterns_match_as_on_aws() {
        assert!(like(
            "al2023-ami-2023.*-kernel-6.1-x86_64",
            "al2023-ami-2023.6.1-kernel-6.1-x86_64"
        ));
        assert!(!like(
            "al2023-ami-2023.*-x86_64",
            "al2023-ami-minimal-2023.6-x86_64"
        ));
        assert!(like("a?c", "abc") && !like("a?c", "ac"));
        assert!(like("*", "") && like("a*b*c", "a-b-b-c") && !like("a*b", "a-b-c"));
        assert!(like(r"a\*", "a*") && !like(r"a\*", "ab"));
        assert!(like("bivouac-*-node", "bivouac-x-node"));
    }

    #[test]
    fn a_hostile_pattern_is_quick() {
        assert!(!like(
            &"*a".repeat(100),
            &"a".repeat(99).repeat(50).replace("aa", "ab")[..2000].replace('a', "b")
        ));
    }

    #[test]
    fn an_unknown_filter_is_named() {
        let params = Params::parse(b"Filter.1.Name=nonsense&Filter.1.Value.1=x").unwrap();
        let error = Filters::read(&params, &["vpc-id"]).unwrap_err();
        assert!(error.message.contains("nonsense"));
    }

    #[test]
    fn pages_cover_everything_once() {
        let all: Vec<u32> = (0..12).collect();
        let mut seen = Vec::new();
        let mut token = String::new();
        loop {
            let form = format!("MaxResults=5&NextToken={token}");
            let page = Page::of(all.clone(), &Params::parse(form.as_bytes()).unwrap()).unwrap();
            seen.extend(page.items);
            match page.next {
                Some(next) => token = next,
                None => break,
            }
        }
        assert_eq!(seen, all);
        assert!(Page::of(all, &Params::parse(b"NextToken=../x").unwrap()).is_err());
    }
}
