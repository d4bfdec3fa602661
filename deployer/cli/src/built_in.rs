//! The blueprints that ship, within the program: what `deploy init` begins with, and what `deploy
//! doctor` looks for when no blueprint is named.

use std::io::ErrorKind;

use deployer_core::blueprint::{Blueprint, Files, read};

use crate::failure::Failure;

/// The blueprint that is meant when none is named.
pub(crate) const ELASTIC_CACHE: &str = "elastic-cache";

/// Where the schema is, as a comment of each blueprint says it to editors.
pub(crate) const SCHEMA_FILE: &str = "schema.json";

/// How blueprints that ship name the folder of recipes and policies.
pub(crate) const AMI: &str = "../ami/";

/// The blueprints, by name.
const BLUEPRINTS: [(&str, &str); 1] = [(
    ELASTIC_CACHE,
    include_str!("../../../blueprints/elastic-cache.yaml"),
)];

/// What they name in [`AMI`].
pub(crate) const FILES: [(&str, &str); 3] = [
    ("node.yaml", include_str!("../../../ami/node.yaml")),
    (
        "policies/manager.json.hbs",
        include_str!("../../../ami/policies/manager.json.hbs"),
    ),
    (
        "policies/node.json.hbs",
        include_str!("../../../ami/policies/node.json.hbs"),
    ),
];

/// The names of the blueprints.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    BLUEPRINTS.iter().map(|(name, _)| *name)
}

/// The text of a blueprint.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    let (_, text) = BLUEPRINTS.iter().find(|(known, _)| *known == name)?;
    Some(text)
}

/// The elastic photo cache, checked.
pub(crate) fn elastic_cache() -> Result<Blueprint, Failure> {
    let text = text(ELASTIC_CACHE).unwrap_or_default();
    read(ELASTIC_CACHE, text.as_bytes(), &Within).map_err(Failure::Blueprint)
}

/// The schema of blueprints, as it stands in a file.
pub(crate) fn schema() -> String {
    format!("{:#}\n", deployer_core::blueprint::schema())
}

/// The files that blueprints name, from within the program.
struct Within;

impl Files for Within {
    fn read(&self, name: &str) -> std::io::Result<Vec<u8>> {
        let file = name.strip_prefix(AMI);
        FILES
            .iter()
            .find(|(known, _)| Some(*known) == file)
            .map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn shipped(folder: &str) -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let entries = std::fs::read_dir(folder).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect()
    }

    #[test]
    fn every_blueprint_that_ships_is_within_and_names_its_schema() {
        let blueprints: BTreeSet<String> = shipped("../../blueprints")
            .iter()
            .filter_map(|file| Some(file.strip_suffix(".yaml")?.to_owned()))
            .collect();
        assert_eq!(blueprints, names().map(str::to_owned).collect());
        for name in names() {
            let modeline = format!("# yaml-language-server: $schema={SCHEMA_FILE}");
            assert!(text(name).unwrap().lines().any(|line| line == modeline));
            read(name, text(name).unwrap().as_bytes(), &Within).unwrap();
        }
    }

    #[test]
    fn the_schema_in_the_repository_is_what_the_program_prints() {
        let file = include_str!("../../../blueprints/schema.json");
        assert!(
            file == schema(),
            "blueprints/schema.json is old: cargo run --release -- schema > blueprints/schema.json"
        );
    }
}
