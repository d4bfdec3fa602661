//! The rules on small workspaces made up here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::graph::Graph;
use super::*;

/// A workspace of `members`; each edge is (from, kind, to), kinds as `cargo metadata` names them.
fn workspace(members: &[&str], edges: &[(&str, Option<&str>, &str)]) -> Graph {
    let mut names: Vec<&str> = members.to_vec();
    names.extend(edges.iter().flat_map(|(from, _, to)| [*from, *to]));
    names.sort_unstable();
    names.dedup();
    let packages: Vec<Value> = names
        .iter()
        .map(|name| json!({ "id": format!("id {name}"), "name": name, "manifest_path": "Cargo.toml" }))
        .collect();
    let nodes: Vec<Value> = names
        .iter()
        .map(|name| {
            let deps: Vec<Value> = edges
                .iter()
                .filter(|(from, _, _)| from == name)
                .map(|(_, kind, to)| json!({ "pkg": format!("id {to}"), "dep_kinds": [{ "kind": kind }] }))
                .collect();
            json!({ "id": format!("id {name}"), "deps": deps })
        })
        .collect();
    let ids: Vec<String> = members.iter().map(|name| format!("id {name}")).collect();
    let metadata =
        json!({ "packages": packages, "workspace_members": ids, "resolve": { "nodes": nodes } });
    Graph::parse(metadata.to_string().as_bytes()).unwrap()
}

#[test]
fn what_the_tables_allow_is_allowed() {
    let graph = workspace(
        &[
            "deployer-core",
            "deployer-aws",
            "deploy",
            "localcloud",
            "kit",
            "manager",
        ],
        &[
            ("deployer-aws", None, "deployer-core"),
            ("deployer-aws", None, "aws-sdk-ec2"),
            ("deployer-aws", Some("dev"), "localcloud"),
            ("deploy", None, "deployer-aws"),
            ("localcloud", None, "s3s"),
            ("localcloud", Some("dev"), "aws-sdk-ec2"),
            ("manager", None, "kit"),
            ("manager", None, "aws-sdk-ec2"),
            ("deployer-core", Some("dev"), "proptest"),
            ("proptest", None, "rand"),
        ],
    );
    assert_eq!(dependency_problems(&graph), Vec::<String>::new());
}

#[test]
fn an_arrow_the_wrong_way_is_refused() {
    let graph = workspace(
        &["deployer-core", "deployer-aws"],
        &[("deployer-core", None, "deployer-aws")],
    );
    assert_eq!(
        dependency_problems(&graph),
        ["deployer-core: must not depend on deployer-aws",]
    );
}

#[test]
fn deployer_and_services_do_not_know_each_other() {
    let graph = workspace(
        &["manager", "teardown", "kit", "deploy"],
        &[
            ("manager", None, "teardown"),
            ("deploy", Some("dev"), "kit"),
        ],
    );
    let problems = dependency_problems(&graph);
    assert!(
        problems.contains(&"manager: must not depend on teardown".to_owned()),
        "{problems:?}"
    );
    assert!(
        problems.contains(&"deploy: its tests must not depend on kit".to_owned()),
        "{problems:?}"
    );
}

#[test]
fn a_dev_dependency_is_no_licence_for_the_program() {
    let graph = workspace(
        &["deployer-aws", "localcloud"],
        &[("deployer-aws", None, "localcloud")],
    );
    assert_eq!(
        dependency_problems(&graph),
        ["deployer-aws: must not depend on localcloud"]
    );
}

#[test]
fn the_ec2_sdk_is_found_at_the_end_of_any_road() {
    let graph = workspace(
        &["cache-node", "front-end"],
        &[
            ("cache-node", None, "middle"),
            ("middle", None, "aws-sdk-ec2"),
            ("front-end", Some("dev"), "harness"),
            ("harness", Some("build"), "aws-sdk-ec2"),
        ],
    );
    let problems = dependency_problems(&graph);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with(
        "cache-node: must not reach aws-sdk-ec2 (cache-node -> middle -> aws-sdk-ec2)"
    ));
    assert!(problems[1].starts_with("front-end: must not reach aws-sdk-ec2"));
}

#[test]
fn the_tests_of_a_dependency_do_not_count() {
    let graph = workspace(
        &["cache-node"],
        &[
            ("cache-node", None, "middle"),
            ("middle", Some("dev"), "aws-sdk-ec2"),
        ],
    );
    assert_eq!(dependency_problems(&graph), Vec::<String>::new());
}

#[test]
fn core_is_pure() {
    for impure in ["tokio", "hyper", "aws-types", "rand"] {
        let graph = workspace(
            &["deployer-core"],
            &[("deployer-core", None, "middle"), ("middle", None, impure)],
        );
        assert_eq!(dependency_problems(&graph).len(), 1, "{impure}");
    }
}

#[test]
fn only_those_listed_name_an_sdk_or_s3s() {
    let graph = workspace(
        &["teardown", "boot", "manager"],
        &[
            ("teardown", None, "aws-sdk-s3"),
            ("boot", Some("dev"), "s3s"),
            ("manager", None, "aws-sdk-lambda"),
        ],
    );
    assert_eq!(
        dependency_problems(&graph),
        [
            "boot: its tests must not name s3s",
            "manager: names aws-sdk-lambda, which has no place in xtask/src/rules.rs, NAMINGS",
            "teardown: must not name aws-sdk-s3",
        ]
    );
}

#[test]
fn a_crate_may_switch_on_a_feature_of_its_own_for_its_tests() {
    let graph = workspace(&["catalog"], &[("catalog", Some("dev"), "catalog")]);
    assert_eq!(dependency_problems(&graph), Vec::<String>::new());
}

#[test]
fn a_new_crate_needs_a_place() {
    let graph = workspace(&["novelty"], &[]);
    assert_eq!(
        dependency_problems(&graph),
        ["novelty: has no place in xtask/src/rules.rs, LAYERS"]
    );
}

#[test]
fn a_dependency_named_twice_counts_as_what_it_is_for_the_program() {
    let metadata = json!({
        "packages": [
            { "id": "a", "name": "a", "manifest_path": "a/Cargo.toml" },
            { "id": "b", "name": "b", "manifest_path": "b/Cargo.toml" },
        ],
        "workspace_members": ["a"],
        "resolve": { "nodes": [
            { "id": "a", "deps": [{ "pkg": "b", "dep_kinds": [{ "kind": "dev" }, { "kind": null }] }] },
            { "id": "b", "deps": [] },
        ] },
    });
    let graph = Graph::parse(metadata.to_string().as_bytes()).unwrap();
    assert!(graph.named_by_program("a").contains("b"));
}

#[test]
fn what_is_not_metadata_is_an_error() {
    assert!(Graph::parse(b"not json").is_err());
    assert!(Graph::parse(b"{}").is_err());
}
