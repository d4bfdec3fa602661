#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn pool() -> PoolRow {
    PoolRow {
        size: 2,
        wanted: 2,
        ..catalog::test_support::pool()
    }
}

fn typed(pairs: &[(&str, &str)]) -> Draft {
    Draft::of(&pool()).with(|name| {
        let given = pairs.iter().find(|(given, _)| *given == name);
        given.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn only_what_differs_would_change() {
    let draft = typed(&[("cacheSize", "64"), ("policy", "LRU"), ("mode", "auto")]);
    let changes = draft.changes().unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].from, "a person (manual)");
    assert_eq!(changes[0].to, "the scaler (auto)");
    assert!(typed(&[("maxMiss", "0.60")]).changes().unwrap().is_empty());
}

#[test]
fn a_field_that_was_left_as_it_was_shown_asks_for_nothing() {
    let mut shown = choices(&pool());
    shown.capacity = 7 << 20;
    let draft = Draft::of(&pool()).with_form(&shown, |name| match name {
        "cacheSize" => Some("7".to_owned()),
        "maxMiss" => Some("0.9".to_owned()),
        _ => None,
    });
    assert_eq!(draft.pairs().keys().collect::<Vec<_>>(), [&"maxMiss"]);
}

#[test]
fn what_is_wrong_is_said_at_its_field_and_what_was_typed_stays() {
    let draft = typed(&[("cacheSize", "0"), ("expRatio", "1"), ("policy", "LRU")]);
    let draft = draft.changes().unwrap_err();
    let said: Vec<_> = draft.problems.iter().collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(
        draft.problems["cacheSize"],
        "Give a whole number from 1 to 65536."
    );
    assert_eq!(draft.problems["expRatio"], "Give a number above 1.");
    assert_eq!(draft.shown()["capacity"]["value"], "0");
}

#[test]
fn a_capacity_that_is_no_whole_number_may_stay() {
    let mut odd = pool();
    odd.capacity = 3 << 19;
    let draft = Draft::of(&odd);
    assert_eq!(draft.shown()["capacity"]["value"], "1.5");
    let draft = draft.with(|name| (name == "cacheSize").then(|| "1.5".to_owned()));
    assert!(draft.changes().unwrap().is_empty());
}

#[test]
fn thresholds_are_checked_together() {
    let draft = typed(&[("maxMiss", "0.2"), ("minMiss", "0.2")]);
    let draft = draft.changes().unwrap_err();
    assert!(draft.problems["minMiss"].contains("below"), "{draft:?}");
}

#[test]
fn what_was_typed_comes_back_by_the_address() {
    let draft = typed(&[("cacheSize", "3"), ("policy", "a b&c")]);
    assert_eq!(draft.address(), "/configuration?cacheSize=3&policy=a+b%26c");
}
