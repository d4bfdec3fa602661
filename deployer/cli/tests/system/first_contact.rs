//! What a newcomer meets first, and an account that is not the one expected.

use std::process::Command;

use serde_json::{Value, json};

use crate::account::{Account, Says};
use crate::laptop::{Laptop, Said, source};

const OURS: &str = "111122223333";

/// Remembers a deployment as made on AWS, in an account and in us-east-1.
fn remember(laptop: &Laptop, account: &str) {
    let folder = laptop.home().join("deployments");
    std::fs::create_dir_all(&folder).unwrap();
    let record = json!({
        "name": "elastic-cache", "target": "aws", "region": "us-east-1", "account": account,
        "blueprint": "elastic-cache.yaml", "begun": "2026-11-26T10:00:00Z",
    });
    std::fs::write(folder.join("elastic-cache.json"), record.to_string()).unwrap();
}

/// Runs `deploy` with that account's address and some keys.
fn on(account: &Account, laptop: &Laptop, arguments: &[&str]) -> Said {
    let mut command = laptop.deploy(arguments);
    command
        .env("AWS_ENDPOINT_URL", account.address())
        .env("AWS_ACCESS_KEY_ID", "AKIATEST")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    Said::from(command.output().unwrap())
}

#[test]
fn credentials_of_another_account_stop_everything_but_the_question_who_we_are() {
    let laptop = Laptop::new();
    remember(&laptop, OURS);
    let account = Account::start(Says::Identity("999988887777"));
    for arguments in [
        &["status", "elastic-cache"][..],
        &["down", "elastic-cache", "--yes"],
        &[
            "up",
            "blueprints/elastic-cache.yaml",
            "--target",
            "aws",
            "--yes",
        ],
    ] {
        let said = on(&account, &laptop, arguments);
        assert_eq!(said.code, Some(3), "{arguments:?}: {}", said.err);
        for told in [OURS, "999988887777", "AWS_PROFILE"] {
            assert!(said.err.contains(told), "{told}: {}", said.err);
        }
    }
    assert_eq!(account.calls(), ["GetCallerIdentity"; 3]);
    assert!(
        laptop
            .home()
            .join("deployments/elastic-cache.json")
            .exists()
    );
}

#[test]
fn another_region_is_refused_before_any_call() {
    let laptop = Laptop::new();
    remember(&laptop, OURS);
    let account = Account::start(Says::Identity(OURS));
    laptop.edit("region: us-east-1", "region: eu-west-1");
    let up = [
        "up",
        "blueprints/elastic-cache.yaml",
        "--target",
        "aws",
        "--yes",
    ];
    for arguments in [
        &["status", "elastic-cache", "--region", "eu-west-1"][..],
        &up,
    ] {
        let said = on(&account, &laptop, arguments);
        assert_eq!(said.code, Some(3), "{arguments:?}: {}", said.err);
        assert!(said.err.contains("in us-east-1"), "{}", said.err);
        assert!(said.err.contains("in eu-west-1"), "{}", said.err);
    }
    assert!(account.calls().is_empty());
}

#[test]
fn a_session_that_is_over_says_how_to_go_on_and_which_request_it_was() {
    let laptop = Laptop::new();
    let account = Account::start(Says::Expired);
    let up = [
        "up",
        "blueprints/elastic-cache.yaml",
        "--target",
        "aws",
        "--yes",
    ];
    let said = on(&account, &laptop, &up);
    assert_eq!(said.code, Some(1), "{}", said.err);
    for told in [
        "GetCallerIdentity: ExpiredToken",
        "(request 6a11-test)",
        "log in again",
        "same command again",
    ] {
        assert!(said.err.contains(told), "{told}: {}", said.err);
    }
}

#[test]
fn without_credentials_the_lines_to_type_are_told() {
    let laptop = Laptop::new();
    let up = ["up", "blueprints/elastic-cache.yaml", "--target", "aws"];
    let said = laptop.run(&up, 1);
    for told in ["no AWS credentials", "aws configure", "Learner Lab"] {
        assert!(said.err.contains(told), "{told}: {}", said.err);
    }
    let doctor = laptop.run(&["doctor", "--target", "aws", "--json"], 1);
    let told: Value = serde_json::from_str(&doctor.out).unwrap();
    assert_eq!(told["result"], "failed");
    let findings = told["findings"].as_array().unwrap();
    let account = findings.iter().find(|f| f["check"] == "account").unwrap();
    assert_eq!(account["fact"], "no AWS credentials were found");
}

#[test]
fn the_doctor_finds_this_laptop_fit_and_makes_nothing() {
    let laptop = Laptop::new();
    let said = laptop.run(&["doctor"], 0);
    for told in ["PostgreSQL", "127.77.0.0/16", "disk", "0 failed"] {
        assert!(said.out.contains(told), "{told}: {}", said.out);
    }
    assert!(said.out.lines().all(|line| line.chars().count() <= 80));
    laptop.assert_no_trace();
}

#[test]
fn a_blueprint_of_ones_own_is_planned_from_an_empty_folder() {
    let laptop = Laptop::new();
    let folder = laptop.blueprint().with_file_name("My Photos");
    std::fs::create_dir(&folder).unwrap();
    let run = |arguments: &[&str], code: i32| {
        let mut command = laptop.deploy(arguments);
        let said = Said::from(command.current_dir(&folder).output().unwrap());
        assert_eq!(said.code, Some(code), "{}{}", said.out, said.err);
        said
    };
    let said = run(&["init", "photos.yaml"], 0);
    assert!(said.out.contains("named my-photos"), "{}", said.out);
    let plan = run(&["plan", "photos.yaml"], 0);
    assert!(plan.out.starts_with("my-photos: "), "{}", plan.out);
    std::fs::write(folder.join("photos.yaml"), "mine").unwrap();
    let again = run(&["init", "photos.yaml"], 3);
    assert!(
        again.err.contains("photos.yaml is there already"),
        "{}",
        again.err
    );
    std::fs::write(folder.join("ami/node.yaml"), "changed").unwrap();
    let beside = run(&["init", "other.yaml"], 3);
    assert!(beside.err.contains("ami/node.yaml"), "{}", beside.err);
    assert!(!folder.join("other.yaml").exists());
}

#[test]
fn shells_and_man_take_what_is_written_for_them() {
    let laptop = Laptop::new();
    let script = laptop.run(&["completions", "bash"], 0).out;
    let complete = format!("{script}\ncomplete -p deploy");
    let said = Said::from(
        Command::new("bash")
            .args(["-c", &complete])
            .output()
            .unwrap(),
    );
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("_deploy"), "{}", said.out);
    let folder = laptop.blueprint().with_file_name("man1");
    laptop.run(&["man", folder.to_str().unwrap()], 0);
    let page = std::fs::read_to_string(folder.join("deploy-doctor.1")).unwrap();
    assert!(page.contains(".TH"), "{page}");
    let schema = laptop.run(&["schema"], 0).out;
    let file = std::fs::read_to_string(source().join("blueprints/schema.json")).unwrap();
    assert_eq!(schema, file);
}

#[test]
fn a_check_of_what_is_not_there_says_so() {
    let laptop = Laptop::new();
    let said = laptop.run(&["check", "http://127.0.0.1:1"], 1);
    assert!(said.err.contains("nothing answers"), "{}", said.err);
    let said = laptop.run(&["check", "elastic-cache"], 1);
    assert!(said.err.contains("no deployment named"), "{}", said.err);
}
