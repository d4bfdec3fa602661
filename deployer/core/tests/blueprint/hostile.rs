//! Files that are no blueprints: an answer comes, soon, and nothing breaks.

use std::time::{Duration, Instant};

use deployer_core::blueprint;
use proptest::prelude::*;

use super::{files, read, sample_with, told};

fn told_of(bytes: &[u8]) -> String {
    let begun = Instant::now();
    let problems = blueprint::read("blueprints/test.yaml", bytes, &files()).unwrap_err();
    let text = problems.to_string();
    assert!(
        begun.elapsed() < Duration::from_secs(120),
        "took {:?}",
        begun.elapsed()
    );
    assert!(text.len() < 200_000, "{} bytes of text", text.len());
    text
}

#[test]
fn files_that_are_no_blueprints() {
    let cases: &[&[u8]] = &[
        b"",
        b"# only a comment\n",
        b"---\n...\n",
        b"just words\n",
        b"[1, 2]\n",
        b"name: [unclosed\n",
        b"name: \"unclosed\n",
        b"a: b: c\n",
        b"bivouac: 1\nname: *nowhere\n",
        b"name: caf\xe9\n",
        b"\x00\x01\x02",
        b"\x7fELF\x02\x01",
        b"PK\x03\x04",
        b"? [a, b]\n: c\n",
    ];
    let told: Vec<String> = cases
        .iter()
        .map(|bytes| format!("{:?}\n{}", String::from_utf8_lossy(bytes), told_of(bytes)))
        .collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn tabs_are_shown_line_by_line() {
    insta::assert_snapshot!(told_of(b"bivouac: 1\nbuckets:\n\tphotos: {}\n\tmore: {}\n"));
}

#[test]
fn a_second_document_is_told_beside_the_problems_of_the_first() {
    let text = format!(
        "{}\n---\nbivouac: 1\n",
        sample_with(&[("port: 5003", "prot: 5003")])
    );
    insta::assert_snapshot!(read(&text).unwrap_err().to_string());
}

#[test]
fn a_merge_key_is_told() {
    insta::assert_snapshot!(told(&[("  photos: {}", "  photos: { <<: {} }")]));
}

#[test]
fn an_alias_is_read_and_its_problems_stand_where_it_is_used() {
    let text = sample_with(&[
        ("type: t3.micro", "type: &small t3.micro"),
        ("type: t3.micro", "type: *small"),
    ]);
    assert_eq!(read(&text), read(&super::sample()));
}

#[test]
fn huge_files_are_refused_by_their_size() {
    let text = format!("{}\n#{}", super::sample(), " ".repeat(blueprint::LARGEST));
    insta::assert_snapshot!(told_of(text.as_bytes()));
}

#[test]
fn files_made_to_hurt_are_answered_soon() {
    let most = blueprint::LARGEST;
    let bomb = (1..30).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
        let reference = format!("*a{}", n - 1);
        format!(
            "{text}a{n}: &a{n} [{}]\n",
            [reference.as_str(); 9].join(",")
        )
    });
    let cases: Vec<String> = vec![
        bomb,
        "[".repeat(most),
        "{a: ".repeat(most / 4),
        "- ".repeat(most / 2),
        "a: 1\n".repeat(most / 5),
        format!("{{{}}}", "a: 1, ".repeat(most / 6 - 1)),
        format!(
            "{{{}}}",
            (0..80_000)
                .map(|n| format!("k{n}: 1, "))
                .collect::<String>()
        ),
        (0..80_000).map(|n| format!("k{n}: 1\n")).collect(),
        format!("name: {}\n", "x".repeat(most - 10)),
        format!("{}: 1\n", "x".repeat(900)),
        format!(
            "bivouac: 1\nbuckets: {{ {}: {{}} }}\n",
            "x".repeat(most / 2)
        ),
        "\n".repeat(most),
        "---\n".repeat(most / 4),
        "\u{1f4a5}".repeat(most / 4),
        "#".repeat(most),
        "a: !!int &b *b\n".into(),
    ];
    for text in cases {
        told_of(text.as_bytes());
    }
}

/// Numbers and truth values that were meant as texts, and texts that only look like either.
#[test]
fn what_is_no_text_is_told_how_to_become_one() {
    insta::assert_snapshot!(told(&[
        ("name: elastic-cache", "name: 1e3"),
        ("region: us-east-1", "region: true"),
        ("class: db.t4g.micro", "class: 0o17"),
        ("security-group: data", "security-group: ~"),
        ("role: node\n", "role: .inf\n"),
        ("image: node", "image: 0x1F"),
    ]));
}

/// YAML 1.1 reads these as something else; here they stay what they look like.
#[test]
fn texts_that_only_look_like_numbers_or_truth_are_told_as_texts() {
    insta::assert_snapshot!(told(&[
        ("ports: 5000-5001", "ports: 5000:30"),
        ("max: 8", "max: yes"),
        ("storage: 20 GiB", "storage: 2026-11-21"),
        ("capacity: 64 MiB", "capacity: off"),
    ]));
}

#[test]
fn references_in_a_circle() {
    // Groups may let each other in, and themselves.
    let text = sample_with(&[(
        "      - { port: 5003, from: [door, nodes] }",
        "      - { port: 5003, from: [door, nodes] }\n      - { port: 22, from: data }",
    )]);
    read(&text).unwrap();
    // What stands for itself does not.
    insta::assert_snapshot!(told_of(b"bivouac: 1\nbuckets: &b { photos: *b }\n"));
}

#[test]
fn files_made_to_hurt_are_told_why() {
    let bomb = (1..12).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
        let items = [format!("*a{}", n - 1).as_str(); 9].join(",");
        format!("{text}a{n}: &a{n} [{items}]\n")
    });
    let deep = format!(
        "bivouac: 1\nbuckets: {}{}\n",
        "[".repeat(100),
        "]".repeat(100)
    );
    let long: String = (0..30_000).map(|n| format!("k{n}: 1\n")).collect();
    let many = "---\na: 1\n".repeat(20);
    insta::assert_snapshot!(
        [bomb, deep, long, many]
            .map(|text| told_of(text.as_bytes()))
            .map(|told| told.lines().take(12).collect::<Vec<_>>().join("\n"))
            .join("\n\n")
    );
}

#[test]
fn a_file_in_another_encoding_is_told_where_and_which() {
    let utf16: Vec<u8> = "\u{feff}bivouac: 1\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let latin = b"bivouac: 1\nname: x # caf\xe9\n";
    insta::assert_snapshot!([told_of(&utf16), told_of(latin)].join("\n"));
    let marked = ["\u{feff}", &super::sample()].concat();
    assert_eq!(read(&marked), read(&super::sample()));
}

#[test]
fn nothing_in_a_message_can_drive_the_terminal() {
    let told = told_of(
        "bivouac: 1\nbuckets: { \"a\\e[31m\\u202Eb\": 3 } # \u{9b}31m \u{202e}\n".as_bytes(),
    );
    assert!(
        !told
            .chars()
            .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
        "{told:?}"
    );
}

/// Deletes, doubles or replaces a piece of the sample.
fn damaged() -> impl Strategy<Value = String> {
    let text = super::sample();
    let length = text.len();
    (
        0..length,
        0usize..40,
        prop_oneof![
            Just(String::new()),
            Just("\t".to_owned()),
            Just("\u{0}".to_owned()),
            "[-:{}\\[\\]#&*!|>'\"%@`a-z0-9 \n]{0,12}",
            "\\PC{0,6}",
        ],
    )
        .prop_map(move |(start, length, instead)| {
            let chars: Vec<char> = text.chars().collect();
            let start = start.min(chars.len());
            let end = (start + length).min(chars.len());
            chars[..start]
                .iter()
                .chain(&instead.chars().collect::<Vec<_>>())
                .chain(&chars[end..])
                .collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Whatever happens to a blueprint, it is read or told, and what is told has a place in it.
    #[test]
    fn a_damaged_blueprint_is_read_or_told(text in damaged()) {
        if let Err(problems) = read(&text) {
            prop_assert!(!problems.as_slice().is_empty());
            for problem in problems.as_slice() {
                prop_assert!(problem.line >= 1 && problem.line <= text.lines().count() + 1);
                prop_assert!(problem.column >= 1 && problem.marked >= 1);
                prop_assert!(!problem.message.is_empty());
            }
        }
    }

    #[test]
    fn any_bytes_are_told(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(blueprint::read("x.yaml", &bytes, &files()).is_err());
    }
}
