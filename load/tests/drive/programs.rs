//! The programs `load` and `walk` as people have them.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::server::{Fault, Server};

const LOAD: &str = env!("CARGO_BIN_EXE_load");
const WALK: &str = env!("CARGO_BIN_EXE_walk");

async fn said(program: &'static str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let Output {
        status,
        stdout,
        stderr,
    } = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[tokio::test]
async fn load_prints_a_summary_and_writes_what_it_is_asked_for() {
    let server = Server::start(None).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (csv, json) = (file("run.csv"), file("run.json"));
    let pictures = folder.path().join("pictures");
    std::fs::create_dir(&pictures).unwrap();
    std::fs::write(pictures.join("a.png"), b"a picture").unwrap();
    let pictures = pictures.display().to_string();
    let arguments = [
        &server.base,
        "--prepare",
        "--verify",
        "--rate",
        "200",
        "--duration",
        "1200ms",
        "--keys",
        "10",
        "--files",
        &pictures,
        "--csv",
        &csv,
        "--json",
        &json,
        "--max-failures",
        "0",
    ];
    let (code, out, err) = said(LOAD, &arguments).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("prepared 10   verified 10"), "{out}");
    assert!(out.contains("µs of processor time a request"), "{out}");
    assert!(!err.contains('\u{1b}'), "no colours off a terminal: {err}");
    assert!(std::fs::read_to_string(csv).unwrap().lines().count() >= 2);
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(json["prepared"]["uploads"]["answered"], 10);
    assert!(server.photo("load-0").starts_with(b"a picture"));
}

#[tokio::test]
async fn load_ends_with_1_for_a_violation_and_for_more_failures_than_allowed() {
    let server = Server::start(Some(Fault::Stale)).await;
    let closed = [
        &server.base,
        "--prepare",
        "--clients",
        "4",
        "--duration",
        "3s",
        "--reads",
        "0.5",
        "--keys",
        "5",
    ];
    let (code, out, _) = said(LOAD, &closed).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("stale: version "), "{out}");
    server.turn(Some(Fault::Refuses));
    let (code, out, _) = said(LOAD, &closed).await;
    assert_eq!(code, Some(0), "failures alone are counted: {out}");
    let strict = [&closed[..], &["--max-failures", "0"]].concat();
    assert_eq!(said(LOAD, &strict).await.0, Some(1));
}

#[tokio::test]
async fn ctrl_c_ends_the_run_with_its_summary() {
    let server = Server::start(None).await;
    let mut load = tokio::process::Command::new(LOAD);
    load.args([&server.base, "--duration", "1h", "--rate", "50"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let load = load.spawn().unwrap();
    while server.keys().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let interrupt = format!("kill -INT {}", load.id().unwrap());
    let interrupted = tokio::process::Command::new("sh")
        .args(["-c", &interrupt])
        .status();
    assert!(interrupted.await.unwrap().success());
    let ended = load.wait_with_output().await.unwrap();
    let told = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{told}");
    assert!(
        told.contains("failed 0   stale 0   lost 0   wrong 0"),
        "{told}"
    );
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_what_would_be_right() {
    let here = "http://127.0.0.1:1";
    for (arguments, right) in [
        (vec!["127.0.0.1:5000"], "such as http://"),
        (vec![here, "--rate", "0"], "a number of requests a second"),
        (vec![here, "--distribution", "normal"], "zipf:0.9"),
        (vec![here, "--reads", "95"], "from 0 (uploads only) to 1"),
        (vec![here, "--size", "big"], "20KiB"),
        (vec![here, "--duration", "30"], "30s"),
        (vec![here, "--keys", "0"], "1..=10000000"),
        (
            vec![here, "--rate", "5", "--clients", "5"],
            "cannot be used with",
        ),
        (vec![here, "--think", "1s"], "--clients"),
        (vec![], "<URL>"),
    ] {
        for program in [LOAD, WALK] {
            if program == WALK && arguments.contains(&"--duration") {
                continue;
            }
            let (code, out, err) = said(program, &arguments).await;
            assert_eq!(code, Some(2), "{arguments:?}: {out}{err}");
            assert!(err.contains(right), "{arguments:?}: {err}");
        }
    }
    for (arguments, right) in [
        (vec![here, "--size", "5B"], "a photo has 64 bytes"),
        (vec![here, "--files", "/nowhere"], "/nowhere"),
        (
            vec![here, "--csv", "/nowhere/a.csv"],
            "creating /nowhere/a.csv",
        ),
    ] {
        let (code, _, err) = said(LOAD, &arguments).await;
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(err.starts_with("error: ") && err.contains(right), "{err}");
    }
}

#[tokio::test]
async fn walk_prints_its_table_and_ends_with_1_when_a_request_failed() {
    let server = Server::start(None).await;
    let short = [
        &server.base,
        "--steps",
        "1,3",
        "--hold",
        "150ms",
        "--keys",
        "10",
    ];
    let (code, out, err) = said(WALK, &short).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("baseline"), "{out}");
    assert_eq!(server.sizes(), [1, 3]);
    server.turn(Some(Fault::Refuses));
    assert_eq!(said(WALK, &short).await.0, Some(1));
    let (code, _, err) = said(WALK, &[&server.base, "--steps", "9"]).await;
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("1..=8"), "{err}");
}
