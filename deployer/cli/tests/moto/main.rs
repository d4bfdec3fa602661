//! The server of moto, an AWS that we did not write. The program `deploy` against it: every blueprint
//! goes up, is settled, and comes down, and boto3 finds nothing left; what moto lacks is in `stand.py`.
//! And localcloud beside it: the same calls, the same answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod comparison;
#[path = "../clients/python.rs"]
mod python;
mod stand;

use std::path::{Path, PathBuf};

use stand::Stand;

/// The kinds of things that a deployment is made of, as `account.py` calls them. Each has to be seen
/// before it counts that it is not seen afterwards.
const MADE: [&str; 9] = [
    "buckets",
    "databases",
    "images",
    "instance profiles",
    "instances",
    "roles",
    "security groups",
    "snapshots",
    "volumes",
];

fn blueprints() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../blueprints");
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|kind| kind == "yaml"))
        .collect();
    assert!(!found.is_empty());
    found
}

/// What a blueprint calls itself.
fn name_of(blueprint: &Path) -> String {
    let text = std::fs::read_to_string(blueprint).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("name:"));
    let name = line.unwrap().split('#').next().unwrap();
    name.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_blueprint_goes_up_is_settled_and_leaves_nothing_on_a_server_of_somebody_elses() {
    let stand = Stand::new().await;
    tokio::task::block_in_place(|| {
        let before = stand.account();
        assert_eq!(
            before.made(),
            Vec::<&str>::new(),
            "a new account holds things"
        );
        assert!(!before.given().is_empty());
        for blueprint in blueprints() {
            let name = name_of(&blueprint);
            let file = blueprint.to_str().unwrap();
            stand.deploy(&["plan", file, "--detailed-exitcode"], 2);
            stand.deploy(&["up", file, "--yes"], 0);
            let up = stand.account();
            let missing: Vec<_> = MADE
                .iter()
                .filter(|kind| !up.made().contains(kind))
                .collect();
            assert!(missing.is_empty(), "{name}: boto3 sees no {missing:?}");
            assert_eq!(up.without_tags(), Vec::<&str>::new(), "{name}");
            stand.deploy(&["plan", file, "--detailed-exitcode"], 0);
            let told = stand.deploy(&["down", &name, "--yes"], 0);
            assert!(told.contains("ZERO"), "{told}");
            let after = stand.account();
            assert_eq!(after.made(), Vec::<&str>::new(), "{name}: {after:?}");
        }
    });
    stand.end().await;
}
