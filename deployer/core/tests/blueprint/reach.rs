//! The whole: parts that need each other, and rules without which nobody would get through.

use super::{read, sample_with, told};

#[test]
fn doors_without_a_rule_name_the_rule() {
    insta::assert_snapshot!(told(&[("ports: 5000-5001", "port: 5001")]));
    insta::assert_snapshot!(told(&[(
        "- { ports: 5000-5001, from: my-ip }",
        "- { ports: 5000-5001, from: data }"
    )]));
}

#[test]
fn nodes_and_database_without_a_rule_name_the_rule() {
    insta::assert_snapshot!(told(&[
        ("{ port: 5003, from: door }", "{ port: 5004, from: door }"),
        ("{ port: 5432, from: door }", "{ port: 5432, from: my-ip }"),
    ]));
}

#[test]
fn a_group_that_is_wrong_is_not_also_called_closed() {
    let told = told(&[("{ port: 5003, from: door }", "{ prot: 5003, from: door }")]);
    assert!(!told.contains("opens to"), "{told}");
}

#[test]
fn one_group_may_let_itself_in() {
    let text = sample_with(&[
        (
            "ports: 5000-5001, from: my-ip }",
            "ports: 5000-5001, from: my-ip }\n      - { port: 5003, from: door }\n      - { port: 5432, from: door }",
        ),
        ("security-group: data", "security-group: door"),
        ("security-group: nodes", "security-group: door"),
    ]);
    read(&text).unwrap();
}

#[test]
fn the_whole_world_includes_the_front_end() {
    read(&sample_with(&[(
        "{ port: 5003, from: door }",
        "{ ports: 1-65535, from: 0.0.0.0/0 }",
    )]))
    .unwrap();
}

#[test]
fn a_pool_needs_a_manager_and_a_manager_a_pool_and_a_database() {
    insta::assert_snapshot!(told(&[(
        "services: [front-end, manager, scaler]",
        "services: [front-end]"
    )]));
    let text = super::sample();
    let (before, _) = text.split_once("pools:").unwrap();
    insta::assert_snapshot!(read(before).unwrap_err().to_string());
}

#[test]
fn services_stand_where_they_work() {
    insta::assert_snapshot!(told(&[
        (
            "services: [front-end, manager, scaler]",
            "services: [manager, cache-node]\n  other:\n    type: t3.micro\n    role: manager\n    security-group: door\n    services: [front-end]"
        ),
        ("service: cache-node", "service: manager"),
    ]));
}

#[test]
fn a_second_pool_database_or_manager_is_told() {
    let text = super::sample();
    let (_, pool) = text.split_once("  cache:\n").unwrap();
    let (_, database) = text.split_once("  catalog:").unwrap();
    let (database, _) = database.split_once("buckets:").unwrap();
    let text = format!("{text}  more:\n{pool}")
        .replace("buckets:", &format!("  again:{database}buckets:"))
        .replace("pools:\n", "  twin:\n    type: t3.micro\n    role: manager\n    security-group: door\n    services: [front-end, manager]\npools:\n");
    insta::assert_snapshot!(read(&text).unwrap_err().to_string());
}

#[test]
fn a_bucket_alone_is_a_deployment() {
    read("bivouac: 1\nname: store\nregion: eu-west-1\nbuckets: { photos: {} }\n").unwrap();
}

#[test]
fn the_api_is_open_unless_it_is_closed() {
    use deployer_core::blueprint::Api;

    let api = |text: &str| {
        let text = sample_with(&[("    api: open ", text)]);
        let instances = read(&text).unwrap().instances;
        instances.into_values().next().unwrap().api
    };
    assert_eq!(api("    # "), Api::Open);
    assert_eq!(api("    api: open "), Api::Open);
    assert_eq!(api("    api: token "), Api::Token);
}

#[test]
fn an_api_is_open_or_takes_a_token_where_there_is_one() {
    let words = ["tokn", "closed", "true", "{ token: secret }"];
    let told_of = |word: &str| told(&[("api: open ", &format!("api: {word} "))]);
    insta::assert_snapshot!(words.map(told_of).join("\n"));
    let services = (
        "services: [front-end, manager, scaler]",
        "services: [cache-node]",
    );
    let told = told(&[services]);
    assert!(
        told.contains("no service of this instance has an API"),
        "{told}"
    );
}

#[test]
fn a_pool_in_mode_auto_needs_a_scaler() {
    insta::assert_snapshot!(told(&[
        (
            "services: [front-end, manager, scaler]",
            "services: [front-end, manager]"
        ),
        ("mode: manual", "mode: auto"),
    ]));
    let automatic = sample_with(&[("mode: manual", "mode: auto")]);
    assert!(read(&automatic).is_ok());
}

#[test]
fn a_pool_in_mode_manual_needs_none() {
    let text = sample_with(&[(
        "services: [front-end, manager, scaler]",
        "services: [front-end, manager]",
    )]);
    assert!(read(&text).is_ok());
}

#[test]
fn the_scaler_stands_beside_the_manager_once() {
    insta::assert_snapshot!(told(&[(
        "services: [front-end, manager, scaler]",
        "services: [front-end, manager]\n  other:\n    type: t3.micro\n    role: manager\n    security-group: door\n    services: [scaler]\n  third:\n    type: t3.micro\n    role: manager\n    security-group: door\n    services: [scaler]"
    )]));
}
