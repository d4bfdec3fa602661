//! Blueprints as people write them: the shipped ones are right, and what is wrong with others is
//! told completely, at its place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod hostile;
mod problems;
mod reach;
mod schema;
mod shipped;

use std::collections::BTreeMap;
use std::path::Path;

use deployer_core::blueprint::{self, Blueprint, Problems};

/// The shipped blueprint that the tests change.
fn sample() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../blueprints/elastic-cache.yaml");
    std::fs::read_to_string(path).unwrap()
}

/// The files that the sample names.
fn files() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../blueprints");
    [
        "../ami/node.yaml",
        "../ami/policies/manager.json.hbs",
        "../ami/policies/node.json.hbs",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), std::fs::read(folder.join(name)).unwrap()))
    .collect()
}

fn read(text: &str) -> Result<Blueprint, Problems> {
    blueprint::read("blueprints/test.yaml", text.as_bytes(), &files())
}

/// The sample with some text replaced, which has to be there.
fn sample_with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(sample(), |text, (from, to)| {
        assert!(text.contains(from), "the sample has no {from:?}");
        text.replacen(from, to, 1)
    })
}

/// What is said about the sample after these changes.
fn told(changes: &[(&str, &str)]) -> String {
    match read(&sample_with(changes)) {
        Ok(_) => panic!("this is accepted: {changes:?}"),
        Err(problems) => problems.to_string(),
    }
}
