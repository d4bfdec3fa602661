//! Other people's tools against localcloud, with the environment that `deploy env` prints and no
//! other: boto3 of today and of 2023, and the AWS command line. The scripts are beside this file; what
//! they run on is installed by `cargo xtask ci --only tools`. Machines and databases are on paper.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod python;
mod table;

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use jiff::SignedDuration;
use localcloud::auth::{Credential, Principal};
use localcloud::{Options, Running};
use tempfile::TempDir;

const BOTO3: [&str; 4] = [
    "test_compute",
    "test_storage",
    "test_metrics",
    "test_refusals",
];

/// A call as the scripts write it down: the service as in signatures, and the action.
type Call = (String, String);

struct Place {
    folder: TempDir,
    cloud: Running,
}

impl Place {
    async fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        // Whatever the umask: `deploy` wants a home that PostgreSQL's user could enter.
        let open = Permissions::from_mode(0o711);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let cloud = localcloud::start(Options::paper(folder.path().join("localcloud")));
        let cloud = cloud.await.unwrap();
        Place { folder, cloud }
    }

    /// A shell that runs a script with `deploy` and nothing else of ours, in a folder of no account.
    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(&name);
            }
        }
        command
            .env("BIVOUAC_HOME", self.folder.path())
            .env("DEPLOY", env!("CARGO_BIN_EXE_deploy"))
            .env("SHELL", "/bin/sh")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        command
    }

    /// Runs scripts with Python of an environment; gives back the calls that were answered.
    fn run(&self, environment: &str, scripts: &[&str]) -> BTreeSet<Call> {
        let environment = python::installed(environment);
        let calls = self.folder.path().join("calls");
        // Without an address the tools would call AWS.
        let script = r#"eval "$("$DEPLOY" env)"; : "${AWS_ENDPOINT_URL:?}"; exec "$@""#;
        let mut command = self.shell(script);
        command
            .arg(environment.join("bin/python"))
            .args(["-m", "unittest"])
            .args(scripts)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients"))
            // No compiled files in the source tree.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("BIVOUAC_TEST_AWS", environment.join("bin/aws"))
            .env("BIVOUAC_TEST_CALLS", &calls);
        let an_hour = SignedDuration::from_hours(1);
        for (name, validity) in [("EXPIRED", SignedDuration::ZERO), ("POWERLESS", an_hour)] {
            let session = self.session(validity);
            let variable = |part| format!("BIVOUAC_TEST_{name}_{part}");
            command
                .env(variable("KEY"), session.access_key_id)
                .env(variable("SECRET"), session.secret_access_key)
                .env(variable("TOKEN"), session.session_token.unwrap());
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let calls = std::fs::read_to_string(calls).unwrap();
        let calls = calls.lines().map(|line| line.split_once(' ').unwrap());
        calls
            .map(|(service, action)| {
                (
                    service.replace("cloudwatch", "monitoring"),
                    action.to_owned(),
                )
            })
            .collect()
    }

    /// A session of a role that is not there any more and so has no rights.
    fn session(&self, validity: SignedDuration) -> Credential {
        let role = Principal::Role {
            name: "r".into(),
            id: "AROA1".into(),
            session: "i-1".into(),
        };
        let credentials = &self.cloud.cloud().context.credentials;
        credentials.issue(role, validity)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_of_today_and_of_2023_is_served_as_the_table_says() {
    for environment in ["today", "2023"] {
        let place = Place::new().await;
        let calls = tokio::task::block_in_place(|| place.run(environment, &BOTO3));
        table::assert_tells(table::Column::Boto3, &calls);
        place.cloud.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_command_line_is_served_as_the_table_says() {
    let place = Place::new().await;
    let calls = tokio::task::block_in_place(|| place.run("today", &["test_command_line"]));
    table::assert_tells(table::Column::CommandLine, &calls);
    place.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_is_taken_away_again_and_what_was_in_the_way_before() {
    let place = Place::new().await;
    let foreign = "AWS_PROFILE=work AWS_SESSION_TOKEN=t AWS_ENDPOINT_URL_S3=https://example.com";
    let script = format!(
        r#"export {foreign}
           eval "$("$DEPLOY" env --region eu-west-1)"; env
           echo --
           eval "$("$DEPLOY" env --unset)"; env"#
    );
    let output = tokio::task::block_in_place(|| place.shell(&script).output().unwrap());
    let said = said(&output);
    let (with, without) = said.split_once("--\n").expect("two listings");
    let names = |listing: &str| -> BTreeSet<String> {
        let lines = listing.lines().filter(|line| line.starts_with("AWS_"));
        let names = lines.map(|line| line.split('=').next().unwrap().to_owned());
        names.filter(|name| !name.ends_with("_FILE")).collect()
    };
    let set = [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
    ];
    assert_eq!(names(with), BTreeSet::from(set.map(str::to_owned)));
    assert!(with.contains("AWS_DEFAULT_REGION=eu-west-1\n"));
    assert!(with.contains(&format!("AWS_ENDPOINT_URL={}\n", place.cloud.endpoint())));
    assert_eq!(names(without), BTreeSet::new());
    place.cloud.shutdown().await;
}
