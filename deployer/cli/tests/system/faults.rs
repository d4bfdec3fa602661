//! Whatever dies, and whenever: what was acknowledged is there, and it serves again.

use std::net::TcpListener;
use std::process::Child;
use std::time::{Duration, Instant};

use load::walk::Deployment;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::runtime::Runtime;

use crate::laptop::{Laptop, kill_all};
use crate::outages::until;
use crate::photos::{PATIENCE, Photos};

/// Networks that no other test begins with: they have to be free when localcloud comes back.
const NETWORKS: [u8; 2] = [201, 202];

/// What is killed, and what its command line says. Each comes back with no command from anybody.
const MORTAL: [(&str, &str); 7] = [
    ("a cache node", "bin/cache-node"),
    ("the front-end", "bin/front-end"),
    ("the manager", "bin/manager"),
    ("a server process of PostgreSQL", "postgres: bivouac"),
    ("PostgreSQL itself", "bin/postgres -D"),
    ("PostgreSQL's guard", "localcloud guard"),
    ("a node's init", "localcloud init"),
];

const SETTLED: [&str; 3] = [
    "plan",
    "blueprints/elastic-cache.yaml",
    "--detailed-exitcode",
];
const PASSWORD: [&str; 3] = ["output", "elastic-cache", "--show-password"];

fn started_in(network: u8) -> (Laptop, Child, Photos) {
    let laptop = Laptop::new();
    let localcloud = laptop.start_localcloud(network);
    laptop.up();
    let photos = Photos::at(&laptop.front_end());
    (laptop, localcloud, photos)
}

/// Waits until two nodes run and the front-end's table has them. What the manager has written of its
/// pool may be from before they died.
fn await_two_nodes(laptop: &Laptop) {
    until("two nodes", || {
        laptop.processes("bin/cache-node").len() == 2
    });
    let deployment = Deployment::new(&laptop.front_end().parse().unwrap());
    let has_two = deployment.until_it_has(2, PATIENCE);
    Runtime::new().unwrap().block_on(has_two).unwrap();
}

#[test]
fn whatever_is_killed_under_load_comes_back_and_nothing_acknowledged_is_lost() {
    let (laptop, mut localcloud, photos) = started_in(NETWORKS[0]);
    photos.ask("/api/configure_cache?numNodes=2").unwrap();
    await_two_nodes(&laptop);
    let password = laptop.run(&PASSWORD, 0).out;
    let load = photos.load();
    photos.await_service();
    for (what, words) in MORTAL {
        // The youngest: of the inits it is a node's, the manager's is older.
        let victim = laptop.processes(words).pop();
        kill_all(&[victim.unwrap_or_else(|| panic!("nothing is {what}"))]);
        photos.await_service();
        photos.assert_all_there();
    }
    every_boot_is_killed(&laptop, &photos);
    await_two_nodes(&laptop);

    laptop.cut_power();
    localcloud.wait().unwrap();
    load.end();
    assert!(laptop.up().err.contains("no changes"));
    photos.await_service();
    photos.assert_all_there();
    await_two_nodes(&laptop);
    assert_eq!(laptop.run(&PASSWORD, 0).out, password);
    laptop.run(&SETTLED, 0);
    laptop.down_to_zero();
}

/// The services that it started go with it: beside them the new ones would find their ports taken.
fn every_boot_is_killed(laptop: &Laptop, photos: &Photos) {
    let services = || laptop.processes("opt/bivouac/bin/");
    let before = services();
    kill_all(&laptop.processes("bin/boot"));
    let begun = Instant::now();
    while services().iter().any(|pid| before.contains(pid)) || services().len() < before.len() {
        assert!(begun.elapsed() < PATIENCE, "{before:?} are still there");
        std::thread::sleep(Duration::from_millis(50));
    }
    photos.await_service();
    photos.assert_all_there();
}

#[test]
fn a_program_that_took_a_port_meanwhile_is_named_and_nothing_is_lost() {
    let (laptop, mut localcloud, photos) = started_in(NETWORKS[1]);
    photos.upload("kept", 1000).unwrap();
    let pid = i32::try_from(localcloud.id()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    assert!(localcloud.wait().unwrap().success());
    assert!(laptop.processes("").is_empty());

    // Inside, where the service itself would listen.
    let service = format!("{}:5000", private_address(&laptop, photos.address()));
    let foreign = TcpListener::bind(&service).unwrap();
    let refused = laptop.run(&["up", "blueprints/elastic-cache.yaml"], 1);
    let named = format!("(process {}) listens on {service}", std::process::id());
    assert!(refused.err.contains(&named), "{}", refused.err);
    drop(foreign);
    laptop.up();
    // It was stopped and started: its public address is another one.
    assert_ne!(laptop.front_end(), format!("http://{}", photos.address()));
    let photos = photos.moved_to(&laptop.front_end());
    photos.await_service();
    photos.assert_all_there();
    laptop.run(&SETTLED, 0);
    laptop.down_to_zero();
}

/// The address inside of the instance whose front-end has this one outside, as localcloud's state has
/// it.
fn private_address(laptop: &Laptop, front_end: &str) -> String {
    let state = std::fs::read(laptop.home().join("localcloud/state/ec2.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    let (public, _) = front_end.split_once(':').unwrap();
    let regions = state["regions"].as_object().unwrap().values();
    let mut instances =
        regions.flat_map(|region| region["instances"].as_object().unwrap().values());
    let instance = instances.find(|instance| instance["public-address"] == public);
    instance.unwrap()["address"].as_str().unwrap().to_owned()
}

#[test]
fn two_deployments_come_and_go_at_once_in_one_home() {
    let laptop = Laptop::new();
    let names = ["one", "other"];
    for name in names {
        let text = std::fs::read_to_string(laptop.blueprint()).unwrap();
        let text = text.replacen("name: elastic-cache", &format!("name: {name}"), 1);
        let path = laptop.blueprint().with_file_name(format!("{name}.yaml"));
        std::fs::write(path, text).unwrap();
    }
    at_once(names, |name| {
        laptop.run(&["up", &format!("blueprints/{name}.yaml")], 0);
    });
    at_once(names, |name| {
        laptop.run(&["down", name, "--yes"], 0);
    });
    laptop.assert_no_trace();
}

fn at_once(names: [&str; 2], work: impl Fn(&str) + Sync) {
    std::thread::scope(|scope| {
        for name in names {
            let work = &work;
            scope.spawn(move || work(name));
        }
    });
}
