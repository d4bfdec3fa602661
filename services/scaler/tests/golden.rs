//! Traces through the whole of `scaler simulate`, and what the scaler decided on them, to be read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};

use clap::Parser;
use scaler::simulate::{self, Simulation};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    simulation: Simulation,
}

fn trace(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    folder.join(format!("{name}.csv"))
}

fn simulated(name: &str, options: &[&str]) -> String {
    let path = trace(name);
    let arguments = ["simulate", "--trace", path.to_str().unwrap()];
    let arguments = arguments.iter().chain(options);
    let simulation = Arguments::parse_from(arguments).simulation;
    let mut out = Vec::new();
    simulate::run(&simulation, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_spike() {
    insta::assert_snapshot!(simulated("spike", &["--start", "2"]));
}

#[test]
fn no_traffic() {
    insta::assert_snapshot!(simulated("no-traffic", &["--start", "4"]));
}

#[test]
fn an_outage_of_cloudwatch() {
    insta::assert_snapshot!(simulated("outage", &["--start", "4"]));
}

#[test]
fn a_slow_ramp() {
    insta::assert_snapshot!(simulated("slow-ramp", &["--exp-ratio", "1.5"]));
}

#[test]
fn noise_that_hugs_a_threshold() {
    insta::assert_snapshot!(simulated("noise", &["--start", "2", "--exp-ratio", "1.5"]));
}

#[test]
fn the_references_one_two_one_two() {
    insta::assert_snapshot!(simulated("one-two-one-two", &[]));
}

#[test]
fn the_picture_shows_rate_thresholds_and_size() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("spike.svg");
    simulated("spike", &["--plot", picture.to_str().unwrap()]);
    let svg = std::fs::read_to_string(&picture).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    for part in ["miss rate", "nodes", "minutes", "polyline"] {
        assert!(svg.contains(part), "{part} is missing");
    }
}

#[test]
fn the_pictures_in_the_documentation_are_what_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let documentation = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pictures");
    for (name, options) in [
        ("spike", &["--start", "2"][..]),
        ("no-traffic", &["--start", "4"]),
        ("outage", &["--start", "4"]),
        ("slow-ramp", &["--exp-ratio", "1.5"]),
        ("noise", &["--start", "2", "--exp-ratio", "1.5"]),
        ("one-two-one-two", &[]),
    ] {
        let file = format!("{name}.svg");
        let drawn = folder.path().join(&file);
        let plot = ["--plot", drawn.to_str().unwrap()];
        simulated(name, &[options, &plot].concat());
        let same =
            std::fs::read(&drawn).unwrap() == std::fs::read(documentation.join(&file)).unwrap();
        assert!(
            same,
            "draw docs/pictures/{file} anew: deploy simulate --plot"
        );
    }
}

#[test]
fn a_picture_that_cannot_be_written_is_named() {
    let path = trace("spike");
    let arguments = ["simulate", "--trace", path.to_str().unwrap()];
    let arguments = arguments
        .into_iter()
        .chain(["--plot", "/nowhere/spike.svg"]);
    let simulation = Arguments::parse_from(arguments).simulation;
    let error = simulate::run(&simulation, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("/nowhere/spike.svg"), "{error}");
}

#[test]
fn options_that_do_not_go_together_are_told() {
    for (options, part) in [
        (["--max-miss", "0.1"], "below --max-miss"),
        (["--max-miss", "NaN"], "below --max-miss"),
        (["--exp-ratio", "1"], "above 1"),
        (["--exp-ratio", "inf"], "above 1"),
        (["--shrink-ratio", "1"], "between 0 and 1"),
        (["--start", "9"], "1 to 8"),
        (["--min", "0"], "1 to 8"),
        (["--resize-minutes", "0"], "1 to 60"),
    ] {
        let arguments = ["simulate", "--trace", "none.csv"]
            .into_iter()
            .chain(options);
        let simulation = Arguments::parse_from(arguments).simulation;
        let error = simulate::run(&simulation, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains(part), "{options:?}: {error}");
    }
}
