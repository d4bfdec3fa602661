//! Boot on a machine made of fixed answers: as a library with short times, and as the program that
//! knows nothing but its environment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod expiry;
mod support;

use std::process::Stdio;
use std::time::Duration;

use boot::order::OrderError;
use boot::{Error, Times};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use support::{Machine, SECRETS, SETTINGS, read_until, short};

/// A service that notes its start and its end.
const POLITE: &str = r#"
trap 'echo stopped >> "$NOTES"; exit 0' TERM
echo started >> "$NOTES"
while :; do sleep 0.02; done"#;

struct Library {
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), Error>>,
}

fn run(machine: &Machine, times: Times) -> Library {
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(boot::run(machine.boot(times), shutdown.clone()));
    Library { shutdown, running }
}

impl Library {
    async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap().unwrap();
    }
}

/// The program, told all it needs as on an instance; it prints into the machine's `console`.
fn program(machine: &Machine) -> Child {
    let console = std::fs::File::create(machine.root.path().join("console")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_boot"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", machine.root.path())
        .env("BIVOUAC_ROOT", machine.root.path())
        .env("AWS_ENDPOINT_URL", format!("http://{}", machine.address))
        .env(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            format!("http://{}", machine.address),
        )
        .stdin(Stdio::null())
        .stdout(console.try_clone().unwrap())
        .stderr(console)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn console(machine: &Machine, enough: impl Fn(&str) -> bool) -> String {
    read_until(&machine.root.path().join("console"), enough).await
}

/// How often it is said loudly that the settings cannot be read for this cause; on a busy machine there
/// may be others.
fn warnings(text: &str, cause: &str) -> usize {
    let parts = [r#""level":"warn""#, "reading the settings", cause];
    let says_all = |line: &&str| parts.iter().all(|part| line.contains(*part));
    text.lines().filter(says_all).count()
}

async fn signalled(mut child: Child, signal: Signal) -> Option<i32> {
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    kill(Pid::from_raw(pid), signal).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), child.wait()).await;
    ended.expect("boot ends when told to").unwrap().code()
}

#[tokio::test]
async fn the_program_needs_nothing_but_its_environment() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let machine = Machine::new(r#""cache-node""#).await;
        machine.program("cache-node", POLITE);
        let child = program(&machine);
        machine.noted(|notes| notes.contains("started")).await;
        assert_eq!(signalled(child, signal).await, Some(0));
        assert_eq!(
            std::fs::read_to_string(machine.notes()).unwrap(),
            "started\nstopped\n"
        );
        let lines = console(&machine, |text| text.contains("stopped")).await;
        for line in lines.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect(line);
            assert_eq!(line["service"], "boot");
        }
        assert!(
            !lines.contains("0123456789abcdef\""),
            "no secret is printed: {lines}"
        );
    }
}

#[tokio::test]
async fn services_find_their_settings() {
    let machine = Machine::new(r#""front-end","manager""#).await;
    for name in ["front-end", "manager"] {
        let script = format!(r#"cp "$BIVOUAC_SETTINGS" "$NOTES-{name}"; exec sleep 60"#);
        machine.program(name, &script);
    }
    let library = run(&machine, short());
    for name in ["front-end", "manager"] {
        let path = machine.root.path().join(format!("notes-{name}"));
        let text = read_until(&path, |text| text.ends_with('}')).await;
        let settings: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(settings["instance"]["id"], "i-0123456789abcdef0");
        assert_eq!(settings["secrets"]["internal-token"], "0123456789abcdef");
        assert_eq!(settings["settings-hash"].as_str().unwrap().len(), 64);
    }
    library.stop().await;
}

#[tokio::test]
async fn a_service_that_ends_is_started_again_and_leaves_the_other_alone() {
    let machine = Machine::new(r#""crashes","stays""#).await;
    machine.program("crashes", r#"echo crashed >> "$NOTES"; exit 3"#);
    machine.program("stays", r#"echo up >> "$NOTES"; exec sleep 60"#);
    let library = run(&machine, short());
    let notes = machine
        .noted(|notes| notes.matches("crashed").count() >= 4 && notes.contains("up"))
        .await;
    assert_eq!(notes.matches("up").count(), 1);
    library.stop().await;
}

#[tokio::test]
async fn a_program_that_appears_later_is_started() {
    let machine = Machine::new(r#""late""#).await;
    let library = run(&machine, short());
    let file = machine.root.path().join("run/bivouac/settings.json");
    read_until(&file, |text| !text.is_empty()).await;
    machine.program("late", r#"echo up >> "$NOTES"; exec sleep 60"#);
    machine.noted(|notes| notes.contains("up")).await;
    library.stop().await;
}

#[tokio::test]
async fn what_ignores_sigterm_is_killed() {
    let machine = Machine::new(r#""stubborn""#).await;
    machine.program(
        "stubborn",
        r#"trap '' TERM; echo $$ >> "$NOTES"; while :; do sleep 0.02; done"#,
    );
    let library = run(
        &machine,
        Times {
            stop: Duration::from_millis(50),
            ..short()
        },
    );
    let pid: i32 = machine
        .noted(|notes| notes.ends_with('\n'))
        .await
        .trim()
        .parse()
        .unwrap();
    library.stop().await;
    // The number may be another's by now.
    let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let own = machine.root.path().to_str().unwrap();
    assert!(!command.contains(own), "process {pid} is still there");
}

#[tokio::test]
async fn changed_settings_are_taken_up_and_unusable_ones_left() {
    let machine = Machine::new(r#""cache-node""#).await;
    let script = format!("grep -o '\"round\": .' \"$BIVOUAC_SETTINGS\" >> \"$NOTES\"\n{POLITE}");
    machine.program("cache-node", &script);
    let library = run(&machine, short());
    machine.noted(|notes| notes.ends_with("started\n")).await;
    let denied = "<Error><Code>AccessDenied</Code></Error>";
    for (status, text) in [
        (200, "not JSON"),
        (200, r#"{"services":[]}"#),
        (403, denied),
    ] {
        machine.says(SETTINGS, status, text);
        machine.is_asked(SETTINGS, 4).await;
    }
    assert_eq!(
        std::fs::read_to_string(machine.notes()).unwrap(),
        "\"round\": 1\nstarted\n"
    );
    machine.settings(r#"{"services":["cache-node"],"round":2}"#);
    let notes = machine
        .noted(|notes| notes.matches("started").count() == 2)
        .await;
    assert_eq!(
        notes,
        "\"round\": 1\nstarted\nstopped\n\"round\": 2\nstarted\n"
    );
    library.stop().await;
}

#[tokio::test]
async fn user_data_that_is_not_ours_ends_it_with_the_reason() {
    let machine = Machine::new("").await;
    for (status, user_data) in [
        (404, ""),
        (200, "#!/bin/bash\n"),
        (200, "# bivouac: {\"bucket\":1}"),
    ] {
        machine.says("/latest/user-data", status, user_data);
        let error = boot::run(machine.boot(short()), CancellationToken::new())
            .await
            .unwrap_err();
        let Error::Order(reason) = error else {
            panic!("{error}")
        };
        match (status, user_data.len()) {
            (404, _) => assert!(matches!(reason, OrderError::None)),
            (_, 12) => assert!(matches!(reason, OrderError::NoLine)),
            _ => assert!(matches!(reason, OrderError::Malformed(_))),
        }
    }
}

#[tokio::test]
async fn the_program_says_once_that_it_has_nothing_to_do() {
    let machine = Machine::new("").await;
    machine.says("/latest/user-data", 200, "#!/bin/bash\necho hello\n");
    let child = program(&machine);
    console(&machine, |text| text.contains("nothing to do here")).await;
    assert_eq!(signalled(child, Signal::SIGTERM).await, Some(1));
    let text = console(&machine, |text| text.contains("giving up")).await;
    assert_eq!(text.matches("nothing to do here").count(), 1);
}

#[tokio::test]
async fn settings_that_are_not_there_yet_are_waited_for_in_one_line() {
    let machine = Machine::new("").await;
    let no_key = "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>";
    machine.says(SETTINGS, 404, no_key);
    machine.program("cache-node", POLITE);
    let child = program(&machine);
    console(&machine, |text| text.contains("is not in the bucket yet")).await;
    machine.is_asked(SETTINGS, 2).await;
    machine.settings(r#"{"services":["cache-node"]}"#);
    machine.noted(|notes| notes.contains("started")).await;
    assert_eq!(signalled(child, Signal::SIGTERM).await, Some(0));
    let text = console(&machine, |_| true).await;
    assert_eq!(
        text.matches("is not in the bucket yet").count(),
        1,
        "{text}"
    );
    assert_eq!(warnings(&text, "is not in the bucket yet"), 0, "{text}");
}

#[tokio::test]
async fn a_role_that_does_not_work_yet_is_waited_for_and_each_cause_told_once() {
    let machine = Machine::new("").await;
    let denied = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    machine.says(SETTINGS, 403, denied);
    machine.says("/latest/meta-data/iam/security-credentials/", 404, "");
    machine.program("cache-node", POLITE);
    let child = program(&machine);
    console(&machine, |text| text.contains("no credentials")).await;
    machine.says("/latest/meta-data/iam/security-credentials/", 200, "role");
    console(&machine, |text| text.contains("AccessDenied")).await;
    machine.settings(r#"{"services":["cache-node"]}"#);
    machine.noted(|notes| notes.contains("started")).await;
    assert_eq!(signalled(child, Signal::SIGTERM).await, Some(0));
    let text = console(&machine, |_| true).await;
    for cause in ["no credentials", "AccessDenied"] {
        assert_eq!(warnings(&text, cause), 1, "{cause}: {text}");
    }
}

#[tokio::test]
async fn a_failure_that_lasts_is_said_loudly_and_tried_further() {
    let machine = Machine::new("").await;
    machine.says(SECRETS, 403, "<Error><Code>AccessDenied</Code></Error>");
    machine.settings(r#"{"services":["cache-node"]}"#);
    machine.program("cache-node", POLITE);
    let library = run(
        &machine,
        Times {
            patience: Duration::ZERO,
            ..short()
        },
    );
    machine.is_asked(SECRETS, 5).await;
    assert!(!library.running.is_finished());
    machine.says(SECRETS, 200, "{}");
    machine.noted(|notes| notes.contains("started")).await;
    library.stop().await;
}

#[tokio::test]
async fn it_can_be_stopped_while_it_waits() {
    let machine = Machine::new("").await;
    machine.says("/latest/meta-data/instance-id", 503, "");
    let library = run(&machine, short());
    tokio::task::yield_now().await;
    library.stop().await;
}
