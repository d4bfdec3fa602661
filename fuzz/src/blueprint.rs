//! The blueprint and the files that it names.

use std::collections::BTreeMap;

use deployer_core::blueprint::{self, Problems};

/// The most that is said about one file, in bytes.
const MOST_SAID: usize = 200_000;

/// A blueprint is read or its problems are told: each with a place in it, all of them short.
pub fn read(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    if let Err(problems) = blueprint::read("bytes", bytes, &BTreeMap::new()) {
        check(&problems, "bytes", text);
    }
}

/// The same for a recipe and for the template of a policy, in the place of those that are shipped.
pub fn named_files(bytes: &[u8]) {
    let shipped = include_str!("../../blueprints/elastic-cache.yaml");
    let files: BTreeMap<String, Vec<u8>> = [
        "../ami/node.yaml",
        "../ami/policies/manager.json.hbs",
        "../ami/policies/node.json.hbs",
    ]
    .map(|name| (name.to_owned(), bytes.to_vec()))
    .into();
    if let Err(problems) = blueprint::read("shipped", shipped.as_bytes(), &files) {
        check(&problems, "shipped", shipped);
    }
}

fn check(problems: &Problems, file: &str, text: &str) {
    assert!(!problems.as_slice().is_empty());
    assert!(problems.to_string().len() < MOST_SAID);
    for problem in problems.as_slice() {
        assert!(problem.line >= 1 && problem.column >= 1 && problem.marked >= 1);
        assert!(!problem.message.is_empty());
        assert!(!problem.to_string().contains('\u{1b}'));
        if problem.file == file && !text.is_empty() {
            assert!(problem.line <= text.lines().count() + 1);
        }
    }
}
