//! The bench from end to end, with a few requests a server: that it finishes, that every answer is
//! right (it compares each once, and every length), and that its tables are whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::{Command, Output};

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn every_table_is_whole() {
    let output = bench(&["--rounds", "1", "--turn", "5", "--connections", "4"]);
    let told = String::from_utf8(output.stdout).unwrap();
    let problem = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success(),
        "build the programs first (cargo build --release --bins): {problem}"
    );
    let tables: Vec<&str> = told.split_inclusive("\n\n").collect();
    assert!(
        told.contains("GET of a cache node") && told.contains("/api/upload"),
        "{tables:?}"
    );
    for size in ["1 KB", "20 KB", "100 KB", "1 MB"] {
        let rows: Vec<&str> = told
            .lines()
            .filter(|line| line.trim_start().starts_with(&format!("{size} ")))
            .collect();
        assert_eq!(rows.len(), 3, "{size}: {told}");
        for row in rows {
            let figures: Vec<f64> = row
                .trim_start()
                .trim_start_matches(size)
                .split_whitespace()
                .map(|figure| figure.parse().unwrap())
                .collect();
            // Two figures a server, and a ratio for each but ours.
            assert!([5, 8].contains(&figures.len()), "{row}");
            assert!(figures.iter().all(|figure| figure.is_finite()), "{row}");
        }
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for arguments in [
        ["--rounds", "0"],
        ["--connections", "0"],
        ["--turn", "0"],
        ["--only", "disk"],
    ] {
        let output = bench(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
