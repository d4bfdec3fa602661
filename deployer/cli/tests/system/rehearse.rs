//! `deploy up --rehearse`: every blueprint, made and taken away on paper, for each kind of account.

use std::path::PathBuf;

use crate::laptop::Laptop;

/// No run may call AWS more often than this, whatever the delays: a wait that does not sleep would.
const MOST_CALLS: u64 = 900;
/// So fast that a run takes a few seconds.
const FAST: &str = "--speed=300";
/// A Learner Lab's keys last for four hours, which are two minutes then.
const LAB_SPEED: &str = "--speed=120";

fn blueprints() -> Vec<String> {
    let folder = crate::laptop::source().join("blueprints");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml");
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let found: Vec<String> = files.filter(is_yaml).map(name).collect();
    assert!(!found.is_empty());
    found
        .into_iter()
        .map(|name| format!("blueprints/{name}"))
        .collect()
}

/// The calls that the line of a run tells, for example `up: 9 min 2 s on AWS, 17 steps, 143 calls`.
fn calls_of(said: &str, run: &str) -> u64 {
    let line = said
        .lines()
        .find(|line| line.starts_with(&format!("{run}: ")));
    let line = line.unwrap_or_else(|| panic!("nothing of {run} in\n{said}"));
    let count = line.rsplit(", ").next().and_then(|t| t.split(' ').next());
    count.unwrap().parse().unwrap()
}

fn rehearse(laptop: &Laptop, blueprint: &str, account: &str, speed: &str) -> String {
    let account = format!("--account={account}");
    let said = laptop.run(&["up", blueprint, "--rehearse", &account, speed], 0);
    for run in ["up", "down"] {
        let calls = calls_of(&said.out, run);
        assert!((1..MOST_CALLS).contains(&calls), "{run}: {calls} calls");
    }
    said.out
}

#[test]
fn every_blueprint_is_rehearsed_on_a_paid_account_and_on_the_free_plan() {
    let laptop = Laptop::new();
    for blueprint in blueprints() {
        for account in ["paid", "free-plan"] {
            let said = rehearse(&laptop, &blueprint, account, FAST);
            assert!(said.contains("critical path"), "{said}");
            assert!(!said.contains("cannot prove"), "{said}");
        }
    }
    assert!(!laptop.home().exists(), "a rehearsal keeps nothing");
}

#[test]
fn a_learner_lab_takes_a_blueprint_with_its_own_role_and_refuses_another() {
    let laptop = Laptop::new();
    for blueprint in blueprints() {
        let said = laptop.run(
            &[
                "up",
                &blueprint,
                "--rehearse",
                "--account=learner-lab",
                LAB_SPEED,
            ],
            3,
        );
        assert!(
            said.err.contains("existing: LabInstanceProfile"),
            "{}",
            said.err
        );
        laptop.edit_in(
            &blueprint,
            "allow: ../ami/policies/manager.json.hbs",
            "existing: LabInstanceProfile",
        );
        laptop.edit_in(
            &blueprint,
            "allow: ../ami/policies/node.json.hbs",
            "existing: LabInstanceProfile",
        );
        rehearse(&laptop, &blueprint, "learner-lab", LAB_SPEED);
    }
}

/// For example of `critical path: 7 min 51 s`.
fn seconds_in(text: &str) -> u64 {
    let words: Vec<&str> = text.split_whitespace().collect();
    let of = |unit: &str| {
        let at = words.iter().position(|word| *word == unit);
        at.map_or(0, |at| words[at - 1].parse().unwrap())
    };
    of("min") * 60 + of("s")
}

#[test]
fn the_same_seed_tells_the_same_critical_path() {
    let laptop = Laptop::new();
    let seconds = || {
        let said = laptop.run(
            &[
                "up",
                "blueprints/elastic-cache.yaml",
                "--rehearse",
                "--seed=5",
                "--speed=100",
            ],
            0,
        );
        let line = said.out.lines().find(|l| l.contains("critical path"));
        seconds_in(line.unwrap().split(" of AWS").next().unwrap())
    };
    // A stall of this machine at a step's end is a hundred times as long there.
    let (one, other) = (seconds(), seconds());
    assert!(one.abs_diff(other) <= 10, "{one} s and {other} s");
}
