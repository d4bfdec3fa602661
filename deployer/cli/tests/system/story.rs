//! From a blueprint to photos and back to nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use load::endpoints::{Options, Unusable, check};
use serde_json::Value;

use crate::laptop::Laptop;
use crate::photos::asked_again;

#[test]
fn a_deployment_comes_serves_changes_and_goes() {
    let laptop = Laptop::new();
    let said = laptop.up();
    assert!(said.out.contains("elastic-cache is up"), "{}", said.out);
    assert!(said.out.contains("down elastic-cache"), "{}", said.out);
    the_addresses_are_told_again(&laptop, &said.out);
    every_endpoint_answers_as_the_contract_says(&laptop);
    somebody_looks_at_the_charts(&laptop);
    each_permission_of_the_roles_is_needed(&laptop);
    a_second_plan_is_empty(&laptop);
    a_changed_rule_is_all_that_changes(&laptop);
    its_state_and_its_logs_are_shown(&laptop);
    the_aws_command_line_sees_it(&laptop);
    let said = laptop.down_to_zero();
    assert!(said.out.contains("ZERO"), "{}", said.out);
    assert!(
        laptop
            .run(&["down", "elastic-cache", "--yes"], 0)
            .out
            .contains("nothing of elastic-cache")
    );
    laptop.assert_no_trace();
}

fn the_addresses_are_told_again(laptop: &Laptop, told: &str) {
    let outputs = laptop.outputs();
    for service in ["front-end", "manager"] {
        let url = outputs[service].as_str().unwrap();
        assert!(told.contains(url), "{url} was not told: {told}");
    }
    assert!(outputs.get("password").is_none());
    let shown = laptop
        .run(&["output", "elastic-cache", "--show-password"], 0)
        .out;
    let password = shown
        .lines()
        .find_map(|l| l.strip_prefix("password"))
        .unwrap()
        .trim();
    assert!(told.contains(password));
}

fn every_endpoint_answers_as_the_contract_says(laptop: &Laptop) {
    let options = Options {
        with_resize: true,
        delete_photos: true,
        ..Options::default()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // The manager deletes everything as a front-end does, and says of nothing that it is there.
    let manager = laptop.outputs()["manager"].as_str().unwrap().to_owned();
    let refusal = runtime.block_on(check(&manager, Options::default()));
    assert!(matches!(refusal, Err(Unusable::Uncounted { .. })));
    let report = runtime
        .block_on(check(&laptop.front_end(), options))
        .unwrap();
    assert!(report.is_clean(), "{report}");
}

/// Logs in to the manager and opens its overview, for which it reads CloudWatch.
fn somebody_looks_at_the_charts(laptop: &Laptop) {
    let cookie = log_in(laptop);
    let manager = laptop.outputs()["manager"].as_str().unwrap().to_owned();
    let overview = ask(&manager, "GET /", &cookie, "").unwrap();
    assert!(overview.contains("The last 30 minutes"), "{overview}");
}

/// Logs in to the manager as soon as it answers: the cookie.
pub(crate) fn log_in(laptop: &Laptop) -> String {
    let said = laptop.run(&["output", "elastic-cache", "--show-password", "--json"], 0);
    let outputs: Value = serde_json::from_str(&said.out).unwrap();
    let (manager, password) = (
        outputs["manager"].as_str().unwrap(),
        outputs["password"].as_str().unwrap(),
    );
    let visitor = ask(manager, "GET /login", "", "").unwrap();
    let begun = between(&visitor, "set-cookie: ", ";");
    let token = between(&visitor, "name=\"csrf-token\" value=\"", "\"");
    let form = format!("csrf-token={token}&password={password}");
    let let_in = ask(manager, "POST /login", begun, &form).unwrap();
    assert!(let_in.starts_with("HTTP/1.1 303"), "{let_in}");
    between(&let_in, "set-cookie: ", ";").to_owned()
}

/// What the manager answers; an error where the connection is closed without an answer, as by an
/// instance on which nobody listens yet.
pub(crate) fn ask(address: &str, what: &str, cookie: &str, form: &str) -> std::io::Result<String> {
    let host = address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host)?;
    let length = form.len();
    write!(
        stream,
        "{what} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{text}"))
        .1;
    rest.split_once(after).unwrap().0
}

/// Every action on every resource that a role's policy allows was, for something that was done, the
/// only one to allow it: without it that would have been refused. And nothing was refused.
fn each_permission_of_the_roles_is_needed(laptop: &Laptop) {
    let is_shipped = |role: &str| role.contains("-manager-") || role.contains("-node-");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let roles = laptop.ask_localcloud("roles");
        let roles = roles.as_object().unwrap();
        assert_eq!(roles.len(), 2, "{roles:#?}");
        assert!(roles.keys().all(|role| is_shipped(role)), "{roles:#?}");
        let none = |what: &str| {
            roles
                .values()
                .all(|role| role[what] == serde_json::json!([]))
        };
        assert!(none("refused"), "{roles:#?}");
        if none("unneeded") {
            return;
        }
        // Metrics are put every few seconds.
        assert!(Instant::now() < deadline, "{roles:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn a_second_plan_is_empty(laptop: &Laptop) {
    let said = laptop.run(
        &[
            "plan",
            "blueprints/elastic-cache.yaml",
            "--detailed-exitcode",
        ],
        0,
    );
    assert!(said.out.contains("No changes"), "{}", said.out);
    assert!(laptop.up().err.contains("no changes"));
}

fn a_changed_rule_is_all_that_changes(laptop: &Laptop) {
    laptop.edit(
        "from: my-ip }",
        "from: my-ip }\n      - { port: 5000, from: 203.0.113.0/24 }",
    );
    let said = laptop.run(
        &[
            "plan",
            "blueprints/elastic-cache.yaml",
            "--json",
            "--detailed-exitcode",
        ],
        2,
    );
    let plan: Value = serde_json::from_str(&said.out).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 1, "{plan:#}");
    assert_eq!(steps[0]["resource"], "security-group/door rules");
    assert_eq!(steps[0]["detail"], "open port 5000 from 203.0.113.0/24");
    laptop.up();
    laptop.run(
        &[
            "plan",
            "blueprints/elastic-cache.yaml",
            "--detailed-exitcode",
        ],
        0,
    );
}

/// Waits until all is well: for a moment a busy machine may answer too late.
fn await_well(laptop: &Laptop) {
    asked_again(|| {
        let status = laptop.run(&["status", "elastic-cache", "--json"], 0).out;
        let status: Value = serde_json::from_str(&status).unwrap();
        if status["well"] == true {
            Ok(())
        } else {
            Err(format!("{status:#}"))
        }
    });
}

fn its_state_and_its_logs_are_shown(laptop: &Laptop) {
    await_well(laptop);
    let text = laptop.run(&["status", "elastic-cache"], 0).out;
    assert!(
        text.contains("instance/manager") && text.contains("running"),
        "{text}"
    );
    assert!(laptop.run(&["status"], 0).out.contains("elastic-cache"));
    assert!(
        laptop
            .run(&["logs", "elastic-cache"], 0)
            .out
            .contains("\"service\":\"manager\"")
    );
    assert!(
        laptop
            .run(&["logs", "elastic-cache", "cache"], 0)
            .out
            .contains("cache-node")
    );
    let said = laptop.run(&["logs", "elastic-cache", "nobody"], 1);
    assert!(said.err.contains("instance/manager"), "{}", said.err);
}

fn the_aws_command_line_sees_it(laptop: &Laptop) {
    let aws = |words: &[&str]| {
        let said = laptop.with_env(&[&["aws"], words].concat());
        assert_eq!(said.code, Some(0), "aws {words:?} said\n{}", said.err);
        said.out
    };
    let running = "Name=instance-state-name,Values=running";
    let instances = aws(&["ec2", "describe-instances", "--filters", running]);
    assert!(instances.contains("elastic-cache"), "{instances}");
    let listed = aws(&["s3", "ls"]);
    let bucket = listed.split_whitespace().last().expect("a bucket");
    let objects = aws(&["s3", "ls", "--recursive", &format!("s3://{bucket}")]);
    assert!(objects.contains("status/manager.json"), "{objects}");
    // `down` takes away what others put there, too, under whatever key.
    let odd = ["--bucket", bucket, "--key", "a+b %41 \u{1}\r & ü"];
    aws(&[&["s3api", "put-object"], &odd[..]].concat());
    // The nodes tell their figures every five seconds.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !aws(&["cloudwatch", "list-metrics"]).contains("Lookups") {
        assert!(Instant::now() < deadline, "no node has told its figures");
    }
    let plan = [
        "plan",
        "blueprints/elastic-cache.yaml",
        "--detailed-exitcode",
    ];
    let said = laptop.with_env(&[&[env!("CARGO_BIN_EXE_deploy")], &plan[..]].concat());
    assert_eq!(
        said.code,
        Some(0),
        "with these variables plan said\n{}",
        said.err
    );
}

#[test]
fn two_laptops_side_by_side_do_not_meet() {
    let (one, other) = (Laptop::new(), Laptop::new());
    one.up();
    other.up();
    assert_ne!(one.front_end(), other.front_end());
    one.down_to_zero();
    await_well(&other);
    other.down_to_zero();
}

#[test]
fn what_is_remembered_on_the_laptop_is_only_a_help() {
    let laptop = Laptop::new();
    laptop.up();
    std::fs::remove_dir_all(laptop.home().join("deployments")).unwrap();
    assert!(laptop.outputs()["manager"].is_string());
    laptop.down_to_zero();
}

#[test]
fn localcloud_killed_comes_back_with_its_photos() {
    let laptop = Laptop::new();
    // In a network that no other test begins with: it has to be free when it comes back.
    let mut localcloud = laptop.start_localcloud(210);
    laptop.up();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = Options {
        delete_photos: true,
        ..Options::default()
    };
    assert!(
        runtime
            .block_on(check(&laptop.front_end(), options))
            .unwrap()
            .is_clean()
    );
    let before = laptop
        .run(&["output", "elastic-cache", "--show-password"], 0)
        .out;
    localcloud.kill().unwrap();
    localcloud.wait().unwrap();
    let said = laptop.up();
    assert!(said.err.contains("no changes"), "{}", said.err);
    assert_eq!(
        laptop
            .run(&["output", "elastic-cache", "--show-password"], 0)
            .out,
        before
    );
    laptop.down_to_zero();
}
