//! What the deployer and the services ask, and what localcloud answers, held against AWS's own models of
//! its services, which botocore has: a deployment goes up, is used, is changed and goes down while
//! localcloud writes down every call.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../clients/python.rs"]
mod python;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(60);

/// What has to be among the calls; without it the check would say less than it seems to.
const CALLS: [&str; 12] = [
    "ec2 CreateImage",
    "ec2 DescribeInstances",
    "ec2 RunInstances",
    "iam PutRolePolicy",
    "monitoring GetMetricData",
    "monitoring PutMetricData",
    "rds CreateDBInstance",
    "rds ModifyDBInstance",
    "s3 CreateBucket",
    "s3 DeleteObjects",
    "s3 GetObject",
    "s3 PutObject",
];

/// A home of its own, in which localcloud writes down what it is asked.
struct Stage {
    folder: TempDir,
    localcloud: Child,
}

impl Drop for Stage {
    /// A test that failed leaves nothing running: what localcloud runs ends with it.
    fn drop(&mut self) {
        if self
            .localcloud
            .try_wait()
            .is_ok_and(|ended| ended.is_none())
        {
            let id = i32::try_from(self.localcloud.id()).unwrap();
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
            let _ = self.localcloud.wait();
        }
    }
}

impl Stage {
    fn new() -> Stage {
        // Not the usual folder for temporary files, which may be closed to PostgreSQL's user.
        let folder = tempfile::Builder::new()
            .prefix("bivouac-models-")
            .tempdir_in("/var/tmp")
            .unwrap();
        let home = folder.path().join("home/localcloud");
        std::fs::create_dir_all(&home).unwrap();
        for open in [folder.path(), &folder.path().join("home")] {
            std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o711)).unwrap();
        }
        let mut localcloud = Command::new(deploy().with_file_name("localcloud"));
        localcloud.arg("serve").arg("--home").arg(&home);
        localcloud.arg("--record").arg(folder.path().join("record"));
        localcloud.stdin(Stdio::null()).stdout(Stdio::null());
        let localcloud = localcloud.stderr(Stdio::null()).spawn().unwrap();
        let stage = Stage { folder, localcloud };
        wait_for("localcloud", || home.join("endpoint.json").exists());
        stage
    }

    fn record(&self) -> PathBuf {
        self.folder.path().join("record")
    }

    fn deploy(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(deploy());
        command.args(arguments).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(&name);
            }
        }
        command
            .env_remove("CARGO")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("BIVOUAC_HOME", self.folder.path().join("home"));
        said(&command.output().unwrap())
    }

    /// The blueprint, with some of it changed; what is changed has to be there.
    fn blueprint(&self, changes: &[(&str, &str)]) -> String {
        let blueprints = source().join("blueprints");
        let mut text = std::fs::read_to_string(blueprints.join("elastic-cache.yaml")).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "the blueprint has no {from:?}");
            text = text.replace(from, to);
        }
        let beside = format!("{}/ami/", source().display());
        let path = self.folder.path().join("elastic-cache.yaml");
        std::fs::write(&path, text.replace("../ami/", &beside)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn source() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap()
}

fn deploy() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_deploy"))
}

fn script(arguments: &[&str]) -> Command {
    let mut command = Command::new(python::installed("moto").join("bin/python"));
    command
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models"))
        .stdin(Stdio::null())
        // No compiled files in the source tree.
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn said(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn every_request_and_every_answer_is_as_the_models_of_aws_say() {
    let mut stage = Stage::new();
    stage.deploy(&["up", &stage.blueprint(&[])]);
    let outputs = stage.deploy(&["output", "elastic-cache", "--json", "--show-password"]);
    let outputs: Value = serde_json::from_str(&outputs).unwrap();
    let output = |name: &str| outputs[name].as_str().unwrap().to_owned();
    let (front_end, manager) = (output("front-end"), output("manager"));
    said(
        &script(&["use.py", &front_end, &manager, &output("password")])
            .output()
            .unwrap(),
    );
    let record = stage.record();
    wait_for("statistics of a node", || {
        std::fs::read_to_string(&record)
            .unwrap()
            .contains("operation/PutMetricData")
    });
    let changed = [
        ("storage: 20 GiB", "storage: 25 GiB"),
        (
            "{ port: 5003, from: [door, nodes] }",
            "{ ports: 5003-5004, from: [door, nodes] }",
        ),
        ("start: 1 }", "start: 2 }"),
    ];
    stage.deploy(&["up", &stage.blueprint(&changed)]);
    stage.deploy(&["down", "elastic-cache", "--yes"]);
    wait_for("localcloud's end", || {
        stage.localcloud.try_wait().unwrap().is_some()
    });
    let checked = script(&["check.py", record.to_str().unwrap()]).output();
    let counted = said(&checked.unwrap());
    let missing: Vec<_> = CALLS
        .iter()
        .filter(|call| !counted.contains(*call))
        .collect();
    assert!(
        missing.is_empty(),
        "not called: {missing:?}; called:\n{counted}"
    );
}

#[test]
fn a_request_or_an_answer_that_is_wrong_is_found() {
    let tests = script(&["-m", "unittest", "--quiet", "test_check"]).output();
    said(&tests.unwrap());
}
