//! localcloud stops, dies, starts again.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use aws_sdk_ec2::types::{InstanceStateName, Reservation};
use localcloud::home::Home;
use localcloud::{EndpointFile, Options};

use crate::machines::{kill, service_processes, with_service};
use crate::support::{
    Clients, Cloud, INIT_PROGRAM, code, content, eventually, is_alive, keys, lonely_network,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_boots_what_was_running_and_does_not_repeat_user_data() {
    let cloud = Cloud::real().await;
    let id = cloud.launch(&with_service()).await;
    let stopped = cloud.launch("#!/bin/sh\npoweroff\n").await;
    let old = service_processes(&cloud, &id).await;
    cloud.wait_for(&stopped, InstanceStateName::Stopped).await;
    let address = cloud.instance(&id).await.private_ip_address;

    let mut cloud = cloud.restart().await;
    assert!(!old.iter().any(|pid| is_alive(pid)));
    let var = cloud.root_of(&id).join("var");
    eventually("the unit to start again", || {
        std::fs::read_to_string(var.join("starts")).is_ok_and(|text| text.lines().count() == 2)
    })
    .await;
    assert_eq!(content(&var.join("runs")).await, "ran\n");
    cloud.wait_for(&id, InstanceStateName::Running).await;
    cloud.wait_for(&stopped, InstanceStateName::Stopped).await;
    assert_eq!(cloud.instance(&id).await.private_ip_address, address);
    cloud.stop().await;
}

/// A `localcloud serve` of its own, killed when the test ends.
struct Program {
    child: Child,
    home: tempfile::TempDir,
}

impl Program {
    fn serve() -> Self {
        Self::serve_in(tempfile::tempdir().unwrap())
    }

    fn serve_in(home: tempfile::TempDir) -> Self {
        let mut child = Command::new(INIT_PROGRAM)
            .args([
                "serve",
                "--first-network",
                &lonely_network().to_string(),
                "--home",
            ])
            .arg(home.path().join("home"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        assert!(ready.contains("serves http://127.77."), "{ready}");
        Self { child, home }
    }

    fn endpoint_file(&self) -> EndpointFile {
        let path = EndpointFile::path(&self.home.path().join("home"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    fn clients(&self) -> Clients {
        let file = self.endpoint_file();
        let credentials = keys(&file.access_key_id, &file.secret_access_key, None);
        Clients::new(&file.endpoint, &credentials)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_localcloud_leaves_no_process_of_an_instance() {
    let mut program = Program::serve();
    let clients = program.clients();
    let images = clients
        .ec2
        .describe_images()
        .owners("amazon")
        .send()
        .await
        .unwrap();
    let image = images
        .images()
        .iter()
        .find(|image| image.name().is_some_and(|name| name.ends_with("x86_64")));
    let launched = clients
        .ec2
        .run_instances()
        .image_id(image.unwrap().image_id().unwrap())
        .instance_type("t3.micro".into())
        .min_count(1)
        .max_count(1)
        .user_data(base64_simd::STANDARD.encode_to_string(with_service()))
        .send()
        .await
        .unwrap();
    let id = launched.instances()[0].instance_id().unwrap();
    let var = program
        .home
        .path()
        .join("home/instances")
        .join(id)
        .join("root/var");
    let mut pids = Vec::new();
    for name in ["in-a-session", "without-environment", "service"] {
        pids.push(content(&var.join(name)).await);
    }
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    eventually("the instance's processes to end", || {
        !pids.iter().any(|pid| is_alive(pid))
    })
    .await;
}

#[tokio::test]
async fn a_second_localcloud_in_the_same_home_is_told_who_holds_it() {
    let program = Program::serve();
    let second = Command::new(INIT_PROGRAM)
        .args(["serve", "--home"])
        .arg(program.home.path().join("home"))
        .output()
        .unwrap();
    assert!(!second.status.success());
    let message = String::from_utf8(second.stderr).unwrap();
    assert!(
        message.contains(&program.child.id().to_string()),
        "{message}"
    );
}

#[tokio::test]
async fn a_home_that_this_process_is_about_to_let_go_of_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let held = Home::claim(&home).unwrap();
    let starting = localcloud::start(Options::paper(&home));
    // It finds the home held before that lets go.
    let (started, ()) = tokio::join!(starting, async { drop(held) });
    started.unwrap().shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_localcloud_that_stops_leaves_no_file() {
    let mut program = Program::serve();
    let file = program.endpoint_file();
    let clients = program.clients();
    let ec2 = &clients.ec2;
    let made = ec2
        .create_security_group()
        .group_name("left")
        .description("left")
        .send()
        .await;
    let group = made.unwrap().group_id.unwrap();
    let ask = |method: &str, path: &str, secret: &str| {
        Command::new("curl")
            .args(["-s", "-X", method, "-w", " %{http_code}", "-H"])
            .arg(format!("authorization: Bearer {secret}"))
            .arg(format!("{}{path}", file.endpoint))
            .output()
            .map(|output| String::from_utf8(output.stdout).unwrap())
            .expect("this test needs curl: install it")
    };
    assert!(ask("POST", "/_localcloud/shutdown", "guessed").ends_with(" 401"));
    let roles = "/_localcloud/roles";
    assert!(ask("GET", roles, "guessed").ends_with(" 401"));
    assert!(ask("POST", roles, &file.secret_access_key).ends_with(" 405"));
    assert_eq!(ask("GET", roles, &file.secret_access_key), "{} 200");
    let refused = ask(
        "POST",
        "/_localcloud/shutdown?if-empty",
        &file.secret_access_key,
    );
    assert!(
        refused.ends_with(" 409") && refused.contains(&group),
        "{refused}"
    );
    ec2.delete_security_group()
        .group_id(&group)
        .send()
        .await
        .unwrap();
    let stopping = ask(
        "POST",
        "/_localcloud/shutdown?if-empty",
        &file.secret_access_key,
    );
    assert!(stopping.ends_with(" 200"), "{stopping}");
    assert!(program.child.wait().unwrap().success());
    assert!(!program.home.path().join("home").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_keeps_the_state() {
    let mut program = Program::serve();
    let account = program.endpoint_file().account;
    let ec2 = program.clients().ec2;
    ec2.create_security_group()
        .group_name("kept")
        .description("x")
        .send()
        .await
        .unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(program.child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(program.child.wait().unwrap().success());
    assert!(!EndpointFile::path(&program.home.path().join("home")).exists());

    let home = std::mem::replace(&mut program.home, tempfile::tempdir().unwrap());
    let again = Program::serve_in(home);
    assert_eq!(again.endpoint_file().account, account);
    let ec2 = again.clients().ec2;
    let answer = ec2
        .create_security_group()
        .group_name("kept")
        .description("x")
        .send()
        .await;
    assert_eq!(code(answer), "InvalidGroup.Duplicate");
}

#[tokio::test]
async fn a_home_whose_network_is_taken_says_so() {
    let mut program = Program::serve();
    let endpoint = program.endpoint_file().endpoint;
    let made = program.clients().ec2;
    made.create_security_group()
        .group_name("kept")
        .description("x")
        .send()
        .await
        .unwrap();
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    let address = endpoint.strip_prefix("http://").unwrap();
    let _foreign = std::net::TcpListener::bind(address).unwrap();
    let refused = Command::new(INIT_PROGRAM)
        .args(["serve", "--home"])
        .arg(program.home.path().join("home"))
        .output()
        .unwrap();
    assert!(!refused.status.success());
    let message = String::from_utf8(refused.stderr).unwrap();
    let holder = format!("process {}", std::process::id());
    assert!(
        message.contains(address) && message.contains(&holder),
        "{message}"
    );
}

#[test]
fn init_is_not_for_people() {
    let output = Command::new(INIT_PROGRAM)
        .args(["guard", "--", "true"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("pipe from localcloud"), "{message}");
}

#[tokio::test]
async fn a_guarded_program_ends_with_its_pipe_and_with_its_guard() {
    for told_by_signal in [false, true] {
        let mut child = localcloud::guard::command(
            INIT_PROGRAM.as_ref(),
            "sleep",
            // Not SIGINT: a shell starts what runs in the background with that one ignored.
            nix::sys::signal::Signal::SIGTERM,
            std::time::Duration::from_secs(60),
            None,
        )
        .arg("1004")
        .spawn()
        .unwrap();
        let guard = child.id().unwrap();
        let children = format!("/proc/{guard}/task/{guard}/children");
        let mut sleeping = String::new();
        eventually("the program to start", || {
            sleeping = std::fs::read_to_string(&children).unwrap_or_default();
            !sleeping.trim().is_empty()
        })
        .await;
        if told_by_signal {
            let guard = nix::unistd::Pid::from_raw(i32::try_from(guard).unwrap());
            nix::sys::signal::kill(guard, nix::sys::signal::Signal::SIGTERM).unwrap();
        } else {
            drop(child.stdin.take());
        }
        let status = child.wait().await.unwrap();
        assert_eq!(status.code(), Some(128 + 15));
        assert!(!is_alive(&sleeping));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_localcloud_left_in_the_middle_is_finished() {
    let mut program = Program::serve();
    let ec2 = program.clients().ec2;
    let images = ec2
        .describe_images()
        .owners("136693071363")
        .send()
        .await
        .unwrap();
    let image = images
        .images()
        .iter()
        .find(|image| image.name().is_some_and(|name| name.contains("amd64")));
    let launched = ec2
        .run_instances()
        .image_id(image.unwrap().image_id().unwrap())
        .instance_type("t3.micro".into())
        .min_count(2)
        .max_count(2)
        .send()
        .await
        .unwrap();
    let ids: Vec<_> = launched
        .instances()
        .iter()
        .map(|i| i.instance_id().unwrap())
        .collect();
    ec2.terminate_instances()
        .instance_ids(ids[0])
        .send()
        .await
        .unwrap();
    kill(&program.child.id().to_string());
    program.child.wait().unwrap();

    let home = std::mem::replace(&mut program.home, tempfile::tempdir().unwrap());
    let again = Program::serve_in(home);
    let answer = again
        .clients()
        .ec2
        .describe_instances()
        .send()
        .await
        .unwrap();
    let state = |id: &str| {
        answer
            .reservations()
            .iter()
            .flat_map(Reservation::instances)
            .find(|instance| instance.instance_id() == Some(id))
            .map(|instance| instance.state().unwrap().name().unwrap().clone())
    };
    assert_eq!(state(ids[0]), Some(InstanceStateName::Terminated));
    assert_eq!(state(ids[1]), Some(InstanceStateName::Running));
    let folders = std::fs::read_dir(again.home.path().join("home/instances")).unwrap();
    assert_eq!(folders.count(), 1);
}
