//! One page of a listing: keys in order, folded at a delimiter.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use std::collections::BTreeMap;
use std::ops::Bound;

/// What a listing asks for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Query<'a> {
    pub(crate) prefix: &'a str,
    /// An empty delimiter folds nothing.
    pub(crate) delimiter: &'a str,
    /// Only what comes after this key or folded prefix; empty (as no key is): from the beginning.
    pub(crate) after: &'a str,
    pub(crate) limit: usize,
}

/// One page.
#[derive(Debug)]
pub(crate) struct Page<'a, T> {
    pub(crate) entries: Vec<(&'a str, &'a T)>,
    pub(crate) prefixes: Vec<&'a str>,
    /// The last key or prefix of this page, when there is more.
    pub(crate) next: Option<&'a str>,
}

/// Reads one page out of an ordered map. Its cost depends on the page, not on the map: what a
/// folded prefix holds is stepped over.
pub(crate) fn page<'a, T>(all: &'a BTreeMap<String, T>, query: Query<'_>) -> Page<'a, T> {
    let mut page = Page {
        entries: Vec::new(),
        prefixes: Vec::new(),
        next: None,
    };
    let mut last = None;
    let from = if query.after.is_empty() || query.after < query.prefix {
        Bound::Included(query.prefix)
    } else {
        Bound::Excluded(query.after)
    };
    let mut rest = all.range::<str, _>((from, Bound::Unbounded));
    while let Some((key, value)) = rest.next() {
        if query.limit == 0 || !key.starts_with(query.prefix) {
            break;
        }
        let folded = fold(key, query);
        let seen = folded.is_some_and(|folded| folded == query.after);
        if !seen && page.entries.len() + page.prefixes.len() == query.limit {
            page.next = last;
            break;
        }
        let Some(folded) = folded else {
            page.entries.push((key, value));
            last = Some(key);
            continue;
        };
        if !seen {
            page.prefixes.push(folded);
            last = Some(folded);
        }
        let Some(next) = successor(folded) else { break };
        rest = all.range::<str, _>((Bound::Included(next.as_str()), Bound::Unbounded));
    }
    page
}

/// The prefix a key folds into: up to and with the first delimiter after the asked prefix.
fn fold<'a>(key: &'a str, query: Query<'_>) -> Option<&'a str> {
    if query.delimiter.is_empty() {
        return None;
    }
    let from = query.prefix.len();
    key[from..]
        .find(query.delimiter)
        .map(|at| &key[..from + at + query.delimiter.len()])
}

/// The smallest string greater than every string that begins with `prefix`.
fn successor(prefix: &str) -> Option<String> {
    let mut next = prefix.to_owned();
    while let Some(last) = next.pop() {
        let after = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(after) = after {
            next.push(after);
            return Some(next);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn all(keys: &[&str]) -> BTreeMap<String, ()> {
        keys.iter().map(|key| ((*key).to_owned(), ())).collect()
    }

    /// Every page after the other, as a client reads them.
    fn walk(all: &BTreeMap<String, ()>, query: Query<'_>) -> (Vec<String>, Vec<String>) {
        let (mut keys, mut prefixes) = (Vec::new(), Vec::new());
        let mut after = query.after.to_owned();
        loop {
            let page = page(
                all,
                Query {
                    after: &after,
                    ..query
                },
            );
            assert!(page.entries.len() + page.prefixes.len() <= query.limit);
            keys.extend(page.entries.iter().map(|(key, ())| (*key).to_owned()));
            prefixes.extend(page.prefixes.iter().map(|prefix| (*prefix).to_owned()));
            match page.next {
                Some(next) => after = next.to_owned(),
                None => return (keys, prefixes),
            }
        }
    }

    #[test]
    fn folds_at_the_delimiter() {
        let all = all(&["a", "b/1", "b/2", "b/c/3", "d"]);
        let top = page(
            &all,
            Query {
                delimiter: "/",
                limit: 10,
                ..Query::default()
            },
        );
        assert_eq!(
            top.entries.iter().map(|entry| entry.0).collect::<Vec<_>>(),
            ["a", "d"]
        );
        assert_eq!(top.prefixes, ["b/"]);
        let inner = page(
            &all,
            Query {
                prefix: "b/",
                delimiter: "/",
                limit: 10,
                ..Query::default()
            },
        );
        assert_eq!(inner.prefixes, ["b/c/"]);
    }

    #[test]
    fn nothing_is_asked_for_and_nothing_is_cut_off() {
        let all = all(&["a", "b"]);
        assert!(page(&all, Query::default()).next.is_none());
        assert!(
            page(
                &all,
                Query {
                    limit: 2,
                    ..Query::default()
                }
            )
            .next
            .is_none()
        );
        assert_eq!(
            page(
                &all,
                Query {
                    limit: 1,
                    ..Query::default()
                }
            )
            .next,
            Some("a")
        );
    }

    proptest! {
        #[test]
        fn pages_together_are_the_whole_listing(
            keys in prop::collection::btree_set("[ab/\u{10ffff}]{1,6}", 0..40),
            prefix in "[ab/]{0,2}",
            delimiter in prop::sample::select(vec!["", "/", "b/", "\u{10ffff}"]),
            limit in 1_usize..5,
        ) {
            let all: BTreeMap<String, ()> = keys.iter().map(|key| (key.clone(), ())).collect();
            let query = Query { prefix: &prefix, delimiter, after: "", limit };
            let (found, prefixes) = walk(&all, query);
            let mut plain = Vec::new();
            let mut folded = BTreeSet::new();
            for key in keys.iter().filter(|key| key.starts_with(&prefix)) {
                match (!delimiter.is_empty()).then(|| key[prefix.len()..].find(delimiter)).flatten() {
                    Some(at) => { folded.insert(key[..prefix.len() + at + delimiter.len()].to_owned()); }
                    None => plain.push(key.clone()),
                }
            }
            prop_assert_eq!(found, plain);
            prop_assert_eq!(prefixes, folded.into_iter().collect::<Vec<_>>());
        }
    }
}
