//! The table of actions in docs/localcloud.md says what is so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::Call;

/// The headings of the table's parts, and the services as signatures name them.
const SERVICES: [(&str, &str); 8] = [
    ("EC2", "ec2"),
    ("IAM", "iam"),
    ("STS", "sts"),
    ("RDS", "rds"),
    ("S3", "s3"),
    ("CloudWatch", "monitoring"),
    ("CloudWatch Logs", "logs"),
    ("Service Quotas", "servicequotas"),
];
/// Folders with Rust programs and tests that call localcloud through the SDK.
const CALLERS: [&str; 4] = ["deployer", "localcloud/tests", "services", "teardown"];

/// Whose calls a column tells of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    RustSdk,
    Boto3,
    CommandLine,
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The table: each action with its three marks.
fn table() -> BTreeMap<Call, [bool; 3]> {
    let text = read(&source().join("docs/localcloud.md"));
    let mut service = None;
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        if line.starts_with('#') {
            let heading = line.trim_start_matches('#').trim();
            service = SERVICES.iter().find(|(name, _)| *name == heading);
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let (Some((_, service)), ["", action, marks @ .., ""]) = (service, &cells[..])
            && action.starts_with(char::is_uppercase)
        {
            let marks = <[&str; 3]>::try_from(marks).expect("three columns");
            assert!(marks.iter().all(|mark| matches!(*mark, "" | "✓")), "{line}");
            let call = ((*service).to_owned(), (*action).to_owned());
            let twice = rows.insert(call, marks.map(|mark| mark == "✓"));
            assert!(twice.is_none(), "{action} is there twice");
        }
    }
    rows
}

/// The calls that a column of the table tells of.
fn marked(column: Column) -> BTreeSet<Call> {
    table()
        .into_iter()
        .filter(|(_, marks)| marks[column as usize])
        .map(|(call, _)| call)
        .collect()
}

/// A column of the table tells of these calls and of no others.
pub(crate) fn assert_tells(column: Column, calls: &BTreeSet<Call>) {
    let marked = marked(column);
    let missing: Vec<_> = calls.difference(&marked).collect();
    let idle: Vec<_> = marked.difference(calls).collect();
    assert!(
        missing.is_empty() && idle.is_empty(),
        "docs/localcloud.md, {column:?}: not marked but called: {missing:?}; marked but not called: {idle:?}"
    );
}

/// The actions that localcloud's services tell apart, read off their sources.
fn actions() -> BTreeSet<Call> {
    let folder = source().join("localcloud/src");
    let mut found = BTreeSet::new();
    for (file, service) in [
        ("ec2.rs", "ec2"),
        ("iam.rs", "iam"),
        ("sts.rs", "sts"),
        ("rds.rs", "rds"),
        ("cloudwatch.rs", "monitoring"),
        ("logs.rs", "logs"),
        ("quotas.rs", "servicequotas"),
    ] {
        let text = read(&folder.join(file));
        let arms = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix('"'));
        let names = arms.filter_map(|arm| Some(arm.split_once("\" =>")?.0.to_owned()));
        found.extend(names.map(|name| (service.to_owned(), name)));
    }
    let operations = read(&folder.join("s3/api.rs"));
    let (_, operations) = operations.split_once("impl S3 for Api").unwrap();
    let names = operations
        .lines()
        .filter_map(|line| line.trim().strip_prefix("async fn "));
    found.extend(names.map(|name| ("s3".to_owned(), camel(name.trim_end_matches('(')))));
    found
}

fn camel(snake: &str) -> String {
    let words = snake.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.collect()
}

/// As the Rust SDK names it: `DescribeDBInstances` is `describe_db_instances`.
fn snake(action: &str) -> String {
    let letters: Vec<char> = action.chars().collect();
    let mut name = String::new();
    for (place, letter) in letters.iter().enumerate() {
        let after_small = place > 0 && !letters[place - 1].is_uppercase();
        let before_small = letters
            .get(place + 1)
            .is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && place > 0 && (after_small || before_small) {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

fn rust_in(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let texts = entries.map(|entry| match entry.path() {
        path if path.is_dir() => rust_in(&path),
        path if path.extension().is_some_and(|kind| kind == "rs") => read(&path),
        _ => String::new(),
    });
    texts.collect()
}

#[test]
fn the_table_has_every_action_that_localcloud_has() {
    let told: BTreeSet<Call> = table().into_keys().collect();
    let known = actions();
    let missing: Vec<_> = known.difference(&told).collect();
    let gone: Vec<_> = told.difference(&known).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "docs/localcloud.md: not in the table: {missing:?}; not in localcloud: {gone:?}"
    );
}

#[test]
fn what_the_table_says_of_the_rust_sdk_is_called_somewhere() {
    let code: String = CALLERS
        .map(|folder| rust_in(&source().join(folder)))
        .concat();
    let idle: Vec<_> = marked(Column::RustSdk)
        .into_iter()
        .filter(|(_, action)| !code.contains(&format!(".{}()", snake(action))))
        .collect();
    assert!(
        idle.is_empty(),
        "docs/localcloud.md: marked but called nowhere: {idle:?}"
    );
}

#[test]
fn the_names_of_actions_are_those_of_the_sdk() {
    assert_eq!(snake("DescribeDBInstances"), "describe_db_instances");
    assert_eq!(snake("ListObjectsV2"), "list_objects_v2");
    assert_eq!(camel("list_objects_v2"), "ListObjectsV2");
}
