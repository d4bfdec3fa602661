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
        ("port: 5003", "port: 5004"),
        ("{ port: 5432, from: door }", "{ port: 5432, from: my-ip }"),
    ]));
}

/// Every call that a service declares crosses one of these rules.
#[test]
fn no_rule_between_services_can_be_missing_or_name_somebody_else() {
    let nodes = "{ port: 5003, from: [door, nodes] }";
    let data = "{ port: 5432, from: door }";
    for (rule, instead, missing) in [
        (
            nodes,
            "{ port: 5003, from: [nodes, data] }",
            "`nodes`: { port: 5003, from: door }",
        ),
        (
            nodes,
            "{ port: 5003, from: [door, data] }",
            "`nodes`: { port: 5003, from: nodes }",
        ),
        (
            nodes,
            "{ port: 5003, from: door }",
            "`nodes`: { port: 5003, from: nodes }",
        ),
        (
            data,
            "{ port: 5432, from: nodes }",
            "`data`: { port: 5432, from: door }",
        ),
        (
            data,
            "{ port: 5433, from: door }",
            "`data`: { port: 5432, from: door }",
        ),
    ] {
        let told = told(&[(rule, instead)]);
        assert!(
            told.contains(&format!("add to the ingress of {missing}")),
            "{told}"
        );
        assert_eq!(told.matches("which no rule").count(), 1, "{told}");
    }
}

#[test]
fn a_rule_may_name_several_sources() {
    use deployer_core::blueprint::Source;

    let text = sample_with(&[("from: my-ip }", "from: [my-ip, 203.0.113.0/24, data] }")]);
    let groups = read(&text).unwrap().security_groups;
    let door = &groups[&"door".parse().unwrap()].ingress;
    let sources: Vec<&Source> = door.iter().map(|rule| &rule.from).collect();
    let data = Source::Group("data".parse().unwrap());
    let range = Source::Range("203.0.113.0/24".to_owned());
    assert_eq!(sources, [&Source::MyIp, &range, &data]);
    assert!(
        door.iter()
            .all(|rule| (rule.first_port, rule.last_port) == (5000, 5001))
    );
    let lists = [
        "[]",
        "[my-ip, dat]",
        "[my-ip, my-ip]",
        "[my-ip, 5]",
        "[203.0.113.7]",
    ];
    let told_of = |list: &str| told(&[("from: my-ip }", &format!("from: {list} }}"))]);
    insta::assert_snapshot!(lists.map(told_of).join("\n"));
}

#[test]
fn a_group_that_is_wrong_is_not_also_called_closed() {
    let told = told(&[("port: 5003", "prot: 5003")]);
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
        "{ port: 5003, from: [door, nodes] }",
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
    let sample = super::sample();
    let (text, rest) = sample.split_once("\n# What it may come to").unwrap();
    let (_, pool) = text.split_once("  cache:\n").unwrap();
    let (_, database) = text.split_once("  catalog:").unwrap();
    let (database, _) = database.split_once("buckets:").unwrap();
    let text = format!("{text}  more:\n{pool}\n# {rest}")
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
