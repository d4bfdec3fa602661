//! The words in which problems are told. Each snapshot is what a person sees.

use super::{files, read, sample_with, told};
use deployer_core::blueprint;

#[test]
fn every_problem_is_told_at_once() {
    insta::assert_snapshot!(told(&[
        ("bivouac: 1 ", "bivouac: 2 "),
        ("name: elastic-cache", "name: Elastic_Cache"),
        ("region: us-east-1", "region: us-esat-1"),
        ("port: 5003", "prot: 5003"),
        ("port: 5432", "port: 54320000"),
        ("class: db.t4g.micro", "class: t4g.micro"),
        ("storage: 20 GiB", "storage: 20"),
        ("type: t3.micro", "type: t3.mirco"),
        ("role: node\n", "role: nod\n"),
        ("service: cache-node", "service: cachenode"),
        ("max: 8", "max: eight"),
        ("capacity: 64 MiB", "capacity: 64 MB"),
        ("policy: lru", "policy: lur"),
        ("mode: manual ", "mode: 1 "),
    ]));
}

#[test]
fn references_that_lead_nowhere() {
    insta::assert_snapshot!(told(&[
        ("from: [door, nodes] }", "from: dor }"),
        ("from: door }", "from: myip }"),
        ("security-group: data", "security-group: date"),
        ("role: manager", "role: admin"),
        ("image: node", "image: nodes"),
    ]));
}

#[test]
fn wrong_types() {
    insta::assert_snapshot!(told(&[
        ("name: elastic-cache", "name: 17"),
        ("region: us-east-1", "region: [us-east-1]"),
        ("storage: 20 GiB", "storage: { gib: 20 }"),
        ("class: db.t4g.micro", "class:"),
        (
            "services: [front-end, manager, scaler]",
            "services: front-end"
        ),
        ("size: { min: 1, max: 8, start: 1 }", "size: [1, 8, 1]"),
        ("photos: {}", "photos: 3"),
        ("capacity: 64 MiB", "capacity: true"),
        ("mode: manual", "grow-above: high"),
    ]));
}

#[test]
fn what_is_missing() {
    insta::assert_snapshot!(told(&[
        ("bivouac: 1  ", "# "),
        ("region: us-east-1", ""),
        ("    engine: postgres\n", ""),
        ("    type: t3.micro\n", ""),
        ("{ min: 1, max: 8, start: 1 }", "{ max: 8 }"),
        ("      capacity: 64 MiB", "      # "),
    ]));
    insta::assert_snapshot!(read("name: x1\n").unwrap_err().to_string());
}

#[test]
fn sizes_and_ports_out_of_range() {
    insta::assert_snapshot!(told(
        &[
            ("ports: 5000-5001", "ports: 5001-5000"),
            ("port: 5003", "port: 0"),
            ("port: 5432", "port: 5432, ports: 1-2"),
            ("storage: 20 GiB", "storage: 19 GiB"),
            (
                "min: 1, max: 8, start: 1",
                "min: 0, max: 9, start: 99999999999999999999"
            ),
            ("capacity: 64 MiB", "capacity: 2 GiB"),
            (
                "mode: manual ",
                "{ mode: manual, grow-above: 1.5, shrink-below: .nan, expand: 1, shrink: -.inf } #"
            ),
        ]
        .map(|(from, to)| if from == "mode: manual " {
            ("scaling:\n      mode: manual ", to_scaling(to))
        } else {
            (from, to)
        })
    ));
}

/// The scaling section in one line.
fn to_scaling(text: &'static str) -> &'static str {
    Box::leak(format!("scaling: {text}").into_boxed_str())
}

#[test]
fn numbers_that_contradict_each_other() {
    insta::assert_snapshot!(told(&[
        ("min: 1, max: 8, start: 1", "min: 3, max: 8, start: 2"),
        (
            "mode: manual ",
            "mode: manual\n      grow-above: 0.2\n      shrink-below: 0.6\n #"
        ),
    ]));
    insta::assert_snapshot!(told(&[("min: 1, max: 8, start: 1", "min: 5, max: 2")]));
}

#[test]
fn repeated_keys_and_names() {
    insta::assert_snapshot!(told(&[
        ("region: us-east-1", "region: us-east-1\nregion: us-west-2"),
        ("  photos: {}", "  photos: {}\n  photos: {}"),
        (
            "services: [front-end, manager, scaler]",
            "services: [front-end, manager, scaler, manager]"
        ),
        (
            "      - { port: 5003, from: [door, nodes] }",
            "      - { port: 5003, from: [door, nodes] }\n      - { ports: 5003-5003, from: door }"
        ),
    ]));
}

#[test]
fn names_that_aws_would_refuse() {
    insta::assert_snapshot!(told(&[
        (
            "name: elastic-cache",
            "name: elastic-cache-of-the-whole-class"
        ),
        (
            "  photos: {}",
            "  photo_s: {}\n  sixteen-letters-x: {}\n  a--b: {}\n  -a: {}\n  12: {}"
        ),
    ]));
}

#[test]
fn ranges_of_addresses() {
    insta::assert_snapshot!(told(&[
        ("from: my-ip }", "from: 203.0.113.7/24 }"),
        ("from: [door, nodes] }", "from: 203.0.113.7 }"),
        ("from: door }", "from: 2001:db8::/32 }"),
    ]));
}

#[test]
fn roles_are_one_or_the_other() {
    insta::assert_snapshot!(told(&[
        (
            "manager: { allow: ../ami/policies/manager.json.hbs }",
            "manager: {}"
        ),
        (
            "{ allow: ../ami/policies/node.json.hbs }",
            "{ allow: ../ami/policies/node.json.hbs, existing: LabInstanceProfile }",
        ),
    ]));
    insta::assert_snapshot!(told(&[(
        "{ allow: ../ami/policies/node.json.hbs }",
        "{ existing: 'arn:aws:iam::123456789012:instance-profile/Lab' }",
    )]));
}

#[test]
fn a_role_that_exists_cannot_be_passed_by_our_policy() {
    insta::assert_snapshot!(told(&[(
        "{ allow: ../ami/policies/node.json.hbs }",
        "{ existing: LabInstanceProfile }",
    )]));
}

#[test]
fn roles_that_exist_are_taken() {
    let text = sample_with(&[
        (
            "{ allow: ../ami/policies/node.json.hbs }",
            "{ existing: LabInstanceProfile }",
        ),
        (
            "{ allow: ../ami/policies/manager.json.hbs }",
            "{ existing: LabInstanceProfile }",
        ),
    ]);
    read(&text).unwrap();
}

#[test]
fn files_that_are_missing_or_wrong() {
    let text = sample_with(&[(
        "../ami/policies/node.json.hbs",
        "../ami/policies/none.json.hbs",
    )]);
    let mut files = files();
    files.insert(
        "../ami/node.yaml".into(),
        b"programs: [cache-nod, cache-node, cache-node]\nrn: []\nrun:\n  - ''\n".to_vec(),
    );
    files.insert(
        "../ami/policies/manager.json.hbs".into(),
        b"{ \"a\": \"{{regoin}}\" }".to_vec(),
    );
    let problems = blueprint::read("blueprints/test.yaml", text.as_bytes(), &files).unwrap_err();
    insta::assert_snapshot!(problems.to_string());
}

#[test]
fn an_image_without_the_program_of_its_pool() {
    let mut files = files();
    files.insert("../ami/node.yaml".into(), b"programs: [boot]\n".to_vec());
    let text = super::sample();
    let problems = blueprint::read("blueprints/test.yaml", text.as_bytes(), &files).unwrap_err();
    insta::assert_snapshot!(problems.to_string());
}

/// YAML 1.1 reads `NO` as false. Here it is a text, and a wrong one for what it is.
#[test]
fn norway_is_a_text() {
    insta::assert_snapshot!(told(&[("region: us-east-1", "region: NO")]));
    let text = sample_with(&[("  photos: {}", "  no: {}")]);
    assert!(
        read(&text)
            .unwrap()
            .buckets
            .contains_key(&"no".parse().unwrap())
    );
}

#[test]
fn a_bucket_needs_no_braces() {
    assert_eq!(
        read(&sample_with(&[("photos: {}", "photos:")])),
        read(&super::sample())
    );
}

/// A misspelt key is read as what it was meant to be, so that its value is checked too.
#[test]
fn a_misspelt_key_is_told_once_and_its_value_too() {
    insta::assert_snapshot!(told(&[
        ("port: 5003", "prot: 70000"),
        ("security-groups:", "security_groups:"),
        ("pools:", "pool:"),
        ("capacity: 64 MiB", "Capacity: 64 GiB"),
    ]));
}

#[test]
fn lifetimes_and_budgets_that_are_none() {
    let ttl = |ttl: &str| told(&[("# ttl: 8h", &format!("ttl: {ttl}"))]);
    for wrong in ["8", "8 hours", "0s", "400d", "[8h]"] {
        insta::assert_snapshot!(ttl(wrong));
    }
    let budget = |budget: &str| told(&[("{ per-hour: 1.50 USD }", budget)]);
    for wrong in [
        "{ per-hour: 1.50 }",
        "{ per-hour: 5 EUR, total: 0 USD }",
        "{ hourly: 5 USD }",
        "{}",
        "5 USD",
    ] {
        insta::assert_snapshot!(budget(wrong));
    }
}

#[test]
fn lifetimes_and_budgets_are_read() {
    let text = sample_with(&[
        ("# ttl: 8h", "ttl: 1h30m"),
        ("{ per-hour: 1.50 USD }", "{ total: 5 USD }"),
        ("# cpu-credits: standard #", "cpu-credits: standard #"),
    ]);
    let blueprint = read(&text).unwrap();
    assert_eq!(blueprint.ttl.unwrap().seconds(), 5400);
    let budget = blueprint.budget.unwrap();
    assert_eq!(budget.total.unwrap().0, 5_000_000);
    assert_eq!(budget.per_hour, None);
    let pool = blueprint.pools.values().next().unwrap();
    assert_eq!(pool.cpu_credits, Some(blueprint::CpuCredits::Standard));
}

#[test]
fn a_type_without_cpu_credits_is_told() {
    insta::assert_snapshot!(told(&[
        (
            "image: node\n    type: t3.micro",
            "image: node\n    type: m7i-flex.large"
        ),
        ("# cpu-credits: standard #", "cpu-credits: standard #"),
    ]));
}
