//! What has expired goes by itself, whoever is left to do it; what was extended lives on.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use deployer_aws::{Account, Pace, Target, TargetKind, read};
use deployer_core::inventory::{InstanceState, Inventory};
use deployer_core::names::Kind;
use serde_json::Value;

use crate::laptop::{Laptop, kill_all};
use crate::photos::Photos;
use crate::story::{ask, between, log_in};

/// Long enough for a loaded machine to take everything away.
const PATIENCE: Duration = Duration::from_secs(240);
/// Until the expiry, when it is near: `extend` and a look at what runs fit in well.
const NEAR: &str = "25s";
/// Time for a boot to be started anew and to look, and for another `extend`; and when that is over.
const SEEN: &str = "60s";
const SEEN_IS_OVER: Duration = Duration::from_secs(65);

/// A deployment that would live for an hour.
fn up() -> Laptop {
    let laptop = Laptop::new();
    laptop.edit("region: us-east-1", "ttl: 1h\nregion: us-east-1");
    laptop.up();
    laptop
}

fn extend(laptop: &Laptop, to: &str) {
    laptop.run(&["extend", "elastic-cache", "--to", to], 0);
}

/// The deployment as it is, asked without `deploy`, which could do something about it.
fn inventory(laptop: &Laptop) -> Inventory {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let account = Account::connect(target(&laptop.home()), "us-east-1").await;
        let account = account.unwrap();
        let scope = account.scope("elastic-cache".parse().unwrap());
        read::inventory(&account, &scope).await.unwrap()
    })
}

/// What there is of the deployment.
fn left(laptop: &Laptop) -> Vec<String> {
    let listed = inventory(laptop).listed();
    listed.into_iter().map(|line| line.resource).collect()
}

/// The ids of those in a state.
fn instances(laptop: &Laptop, state: InstanceState) -> BTreeSet<String> {
    let all = inventory(laptop).instances.into_iter();
    all.filter(|instance| instance.state == state)
        .map(|instance| instance.id)
        .collect()
}

fn target(home: &Path) -> Target {
    let file = std::fs::read(home.join("localcloud/endpoint.json")).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    let text = |name: &str| file[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("access-key-id"), text("secret-access-key"));
    Target {
        kind: TargetKind::Local,
        endpoint: Some(text("endpoint")),
        credentials: Some(Credentials::new(id, secret, None, None, "test")),
        database_ca: String::new(),
        address_lookup: String::new(),
        pace: Pace::LAPTOP,
    }
}

fn await_left(laptop: &Laptop, expected: &[&str]) {
    let begun = Instant::now();
    loop {
        let left = left(laptop);
        if left == expected {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "it stays at {left:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Waits until a page of the manager says something: the page.
fn await_page(manager: &str, path: &str, cookie: &str, text: &str) -> String {
    let begun = Instant::now();
    loop {
        match ask(manager, &format!("GET {path}"), cookie, "") {
            Ok(page) if page.contains(text) => return page,
            said => assert!(begun.elapsed() < PATIENCE, "no {text:?} in {said:?}"),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Starts the manager's boot anew, and waits until it has told the end: it looks at once then, and
/// otherwise once a minute.
fn let_the_manager_look(laptop: &Laptop) {
    let status = laptop.run(&["status", "elastic-cache", "--json"], 0).out;
    let status: Value = serde_json::from_str(&status).unwrap();
    let end = status["expires-at"].as_str().unwrap();
    // The oldest is the manager's, which has launched the nodes.
    kill_all(&laptop.processes("bin/boot")[..1]);
    let begun = Instant::now();
    while !laptop.run(&["logs", "elastic-cache"], 0).out.contains(end) {
        assert!(
            begun.elapsed() < PATIENCE,
            "its boot knows nothing of {end}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What the roles were refused.
fn refused(laptop: &Laptop) -> Vec<Value> {
    let roles = laptop.ask_localcloud("roles");
    let roles = roles.as_object().unwrap().values();
    roles
        .flat_map(|role| role["refused"].as_array().unwrap().clone())
        .collect()
}

#[test]
fn with_the_laptop_off_what_has_expired_takes_itself_away() {
    let laptop = up();
    let photos = Photos::at(&laptop.front_end());
    photos.upload("kept", 1000).unwrap();
    extend(&laptop, NEAR);
    await_left(
        &laptop,
        &["security-group/door", "role/manager", "role/node"],
    );
    let refused = refused(&laptop);
    assert!(refused.is_empty(), "{refused:#?}");
    laptop.down_to_zero();
}

#[test]
fn without_a_manager_a_node_takes_away_what_has_expired() {
    let laptop = up();
    extend(&laptop, NEAR);
    // Its init is the oldest; an instance that loses it is terminated.
    let managers = laptop.processes("localcloud init")[0];
    kill_all(&[managers]);
    await_left(
        &laptop,
        &["security-group/nodes", "role/manager", "role/node"],
    );
    laptop.down_to_zero();
}

#[test]
fn what_is_extended_in_time_lives_on() {
    let laptop = up();
    let photos = Photos::at(&laptop.front_end());
    photos.upload("kept", 1000).unwrap();
    let before = left(&laptop);
    extend(&laptop, SEEN);
    let told = Instant::now();
    let_the_manager_look(&laptop);
    extend(&laptop, "1h");
    while told.elapsed() < SEEN_IS_OVER {
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(left(&laptop), before);
    photos.assert_all_there();
    laptop.down_to_zero();
}

/// As in an AWS Learner Lab, whose session has ended and begins again.
#[test]
fn what_slept_through_its_expiry_says_so_and_has_a_grace() {
    let laptop = up();
    let ids = instances(&laptop, InstanceState::Running);
    let mut found = inventory(&laptop).instances.into_iter();
    let manager = found.find(|instance| instance.resource.kind == Kind::Instance);
    let managers = BTreeSet::from([manager.unwrap().id]);
    let aws = |what: &str, ids: &BTreeSet<String>| {
        let mut words = vec!["aws", "ec2", what, "--instance-ids"];
        words.extend(ids.iter().map(String::as_str));
        let said = laptop.with_env(&words);
        assert_eq!(said.code, Some(0), "{words:?} said\n{}", said.err);
    };
    let await_all = |state: InstanceState, ids: &BTreeSet<String>| {
        let begun = Instant::now();
        while instances(&laptop, state) != *ids {
            assert!(begun.elapsed() < PATIENCE, "they are not {state:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    // The manager first: it would replace a node that stops.
    aws("stop-instances", &managers);
    await_all(InstanceState::Stopped, &managers);
    aws("stop-instances", &(&ids - &managers));
    await_all(InstanceState::Stopped, &ids);
    // Its end comes only now, so that they sleep through it however long they took to stop. It counts
    // from the beginning of `extend` and is a whole second, so it has passed when they start.
    extend(&laptop, "1s");
    std::thread::sleep(Duration::from_secs(3));
    aws("start-instances", &ids);
    await_all(InstanceState::Running, &ids);
    let manager = laptop.outputs()["manager"].as_str().unwrap().to_owned();
    await_page(&manager, "/login", "", "csrf-token");
    let cookie = log_in(&laptop);
    let slept = "This deployment expired while it was off";
    let page = await_page(&manager, "/", &cookie, slept);
    let said = between(&page, slept, "</p>");
    assert!(said.contains("and goes in 1"), "{said}");
    laptop.run(&["extend", "elastic-cache", "2h"], 0);
    await_page(&manager, "/", &cookie, "Expires in ");
    laptop.down_to_zero();
}
