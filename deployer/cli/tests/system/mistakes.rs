//! The likeliest mistakes of a user: each is named, with what to do, and nothing was made.

use std::os::unix::fs::PermissionsExt;

use crate::laptop::{Laptop, Said};

fn refused(laptop: &Laptop, arguments: &[&str], code: i32, named: &[&str]) -> Said {
    let said = laptop.run(arguments, code);
    for text in named {
        assert!(said.err.contains(text), "{text:?} is not in\n{}", said.err);
    }
    assert!(
        !laptop.home().join("localcloud").exists(),
        "something was made"
    );
    said
}

#[test]
fn mistakes_in_a_blueprint_are_shown_at_their_place() {
    let laptop = Laptop::new();
    laptop.edit("security-group: data", "security-grop: data");
    laptop.edit("from: door }", "from: dor }");
    let told = [
        "elastic-cache.yaml:",
        "security-grop",
        "security-group",
        "dor",
        "^",
    ];
    refused(&laptop, &["up", "blueprints/elastic-cache.yaml"], 64, &told);
    refused(
        &laptop,
        &["plan", "blueprints/elastic-cache.yaml"],
        64,
        &told,
    );
}

#[test]
fn a_service_behind_a_closed_door_is_refused() {
    let laptop = Laptop::new();
    laptop.edit("ports: 5000-5001", "ports: 5000-5000");
    refused(
        &laptop,
        &["plan", "blueprints/elastic-cache.yaml"],
        64,
        &["5001"],
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let laptop = Laptop::new();
    refused(
        &laptop,
        &["up", "elastic-cache.yaml"],
        64,
        &["elastic-cache.yaml", "blueprints/elastic-cache.yaml"],
    );
}

#[test]
fn what_is_no_file_of_a_blueprint_is_not_read_for_ever() {
    let laptop = Laptop::new();
    for (path, told) in [
        ("blueprints", "directory"),
        ("/dev/zero", "larger than 1 MiB"),
        ("/dev/null", "the file is empty"),
    ] {
        refused(&laptop, &["plan", path], 64, &[path, told]);
    }
}

#[test]
fn a_trace_is_simulated_and_one_that_is_wrong_is_shown_at_its_place() {
    let laptop = Laptop::new();
    let trace = laptop.blueprint().with_file_name("trace.csv");
    let path = trace.to_str().unwrap();
    let rows = "minute,lookups,misses\n0,100,71\n1,100,71\n";
    std::fs::write(&trace, rows).unwrap();
    let said = laptop.run(&["simulate", "--trace", path], 0);
    assert!(said.out.contains("grew 1 -> 2: 0.71 above 0.60"));
    std::fs::write(&trace, format!("{rows}2,100,171\n")).unwrap();
    refused(
        &laptop,
        &["simulate", "--trace", path],
        64,
        &["trace.csv:4: 171 misses"],
    );
    refused(&laptop, &["simulate"], 64, &["--trace"]);
    let help = laptop.run(&["simulate", "--help"], 0);
    assert!(help.out.contains("rate1, rate2"));
}

#[test]
fn a_command_line_that_is_wrong_ends_with_64() {
    let laptop = Laptop::new();
    refused(&laptop, &["upp"], 64, &["up"]);
    refused(&laptop, &["up"], 64, &["<BLUEPRINT>"]);
    refused(&laptop, &["down", "Elastic_Cache"], 64, &["lower-case"]);
    refused(
        &laptop,
        &["up", "x.yaml", "--target", "azure"],
        64,
        &["local", "aws"],
    );
    laptop.run(&["--help"], 0);
}

#[test]
fn what_was_never_made_is_no_error_to_take_away() {
    let laptop = Laptop::new();
    assert!(
        laptop
            .run(&["down", "elastic-cache"], 0)
            .out
            .contains("nothing of elastic-cache")
    );
    refused(
        &laptop,
        &["status", "elastic-cache"],
        1,
        &["no deployment named elastic-cache"],
    );
    refused(
        &laptop,
        &["output", "elastic-cache"],
        1,
        &["no deployment named elastic-cache"],
    );
    refused(
        &laptop,
        &["logs", "elastic-cache"],
        1,
        &["no deployment named elastic-cache"],
    );
    refused(
        &laptop,
        &["env"],
        1,
        &["no localcloud runs", "up blueprints/elastic-cache.yaml"],
    );
    assert!(laptop.run(&["status"], 0).out.contains("no deployment"));
}

#[test]
fn without_credentials_an_account_is_not_reached() {
    let laptop = Laptop::new();
    let up = ["up", "blueprints/elastic-cache.yaml", "--target", "aws"];
    refused(&laptop, &up, 1, &["connecting to AWS", "credentials"]);
}

#[test]
fn an_account_is_not_looked_for_on_this_machine() {
    let laptop = Laptop::new();
    let mut command = laptop.deploy(&["status", "elastic-cache", "--target", "aws"]);
    let said = Said::from(
        command
            .env("AWS_ENDPOINT_URL", "http://127.77.0.1:4766")
            .output()
            .unwrap(),
    );
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("unset AWS_ENDPOINT_URL"), "{}", said.err);
}

#[test]
fn plan_writes_nothing() {
    let laptop = Laptop::new();
    let said = laptop.run(
        &[
            "plan",
            "blueprints/elastic-cache.yaml",
            "--detailed-exitcode",
        ],
        2,
    );
    assert!(said.out.contains("database/catalog"), "{}", said.out);
    laptop.assert_no_trace();
}

#[test]
fn a_deployment_is_found_under_nearly_its_name_and_in_its_own_region() {
    let laptop = Laptop::new();
    laptop.up();
    let near = "there is elastic-cache: did you mean it?";
    let status = laptop.run(&["status", "elastic-cach"], 1).err;
    assert!(status.contains(near), "{status}");
    let down = laptop.run(&["down", "elastic-cach", "--yes"], 0);
    assert!(down.out.to_lowercase().contains(near), "{}", down.out);
    let elsewhere = ["down", "elastic-cache", "--region", "eu-west-1", "--yes"];
    let refusal = laptop.run(&elsewhere, 3).err;
    assert!(refusal.contains("us-east-1"), "{refusal}");
    assert!(refusal.contains("leave --region out"), "{refusal}");
    laptop.down_to_zero();
}

#[test]
fn down_without_a_terminal_asks_for_yes() {
    let laptop = Laptop::new();
    laptop.up();
    let said = laptop.run(&["down", "elastic-cache"], 3);
    assert!(
        said.err.contains("--yes") && said.err.contains("0 photos"),
        "{}",
        said.err
    );
    laptop.down_to_zero();
}

#[test]
fn a_home_that_the_database_cannot_enter_is_named() {
    if !nix::unistd::geteuid().is_root() {
        // Only root's databases run under another user; an ordinary user's folder is entered by itself.
        return;
    }
    let laptop = Laptop::new();
    let closed = laptop.home();
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    let told = closed.display().to_string();
    refused(
        &laptop,
        &["up", "blueprints/elastic-cache.yaml"],
        3,
        &[&told, "chmod o+x"],
    );
}
