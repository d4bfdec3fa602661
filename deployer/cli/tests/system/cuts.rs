//! The deployer killed in the middle of a call, before or after it took effect, with everything
//! behind it real. The laws in `teardown/tests/laws` do it at every call, on paper.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::laptop::Laptop;

/// A command reaches every call before it.
const DEADLINE: Duration = Duration::from_secs(120);

/// Kills the command once localcloud keeps it waiting in the call of the plan; false if it ended
/// without that call.
pub(crate) fn kill_at(laptop: &Laptop, arguments: &[&str], plan: &str) -> bool {
    laptop.tell_localcloud(&format!("faults?{plan}"));
    let mut command = laptop.deploy(arguments);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child: Child = command.spawn().unwrap();
    let begun = Instant::now();
    let cut = loop {
        if child.try_wait().unwrap().is_some() {
            break false;
        }
        let report: Value = laptop.ask_localcloud("faults");
        if !report["happened"].as_array().unwrap().is_empty() {
            break true;
        }
        assert!(begun.elapsed() < DEADLINE, "{arguments:?} hangs, {report}");
        std::thread::sleep(Duration::from_millis(5));
    };
    // One that has ended meanwhile cannot be killed.
    let _ = child.kill();
    child.wait().unwrap();
    laptop.tell_localcloud("faults");
    cut
}

/// A laptop with a localcloud that was there before.
pub(crate) fn laptop(network: u8) -> (Laptop, Child) {
    let laptop = Laptop::new();
    let localcloud = laptop.start_localcloud(network);
    (laptop, localcloud)
}

pub(crate) const UP: [&str; 2] = ["up", "blueprints/elastic-cache.yaml"];
const DOWN: [&str; 3] = ["down", "elastic-cache", "--yes"];

#[test]
fn killed_in_a_call_of_up_it_goes_down_to_zero_with_its_journal_and_without() {
    let cuts = [
        "12:before",
        "24:after",
        "31:after",
        "36:before",
        "42:after",
        "48:after",
    ];
    for (index, cut) in cuts.into_iter().enumerate() {
        let (laptop, mut localcloud) = laptop(180);
        assert!(kill_at(&laptop, &UP, &format!("{cut}:stop")), "{cut}");
        if index % 2 == 1 {
            std::fs::remove_dir_all(laptop.home().join("deployments")).unwrap();
        }
        laptop.down_to_zero();
        localcloud.wait().unwrap();
    }
}

#[test]
fn killed_in_a_call_of_up_a_second_up_finishes_it() {
    for cut in ["27:after", "40:before", "50:after"] {
        let (laptop, mut localcloud) = laptop(190);
        assert!(kill_at(&laptop, &UP, &format!("{cut}:stop")), "{cut}");
        laptop.up();
        laptop.run(&["plan", UP[1], "--detailed-exitcode"], 0);
        laptop.down_to_zero();
        localcloud.wait().unwrap();
    }
}

#[test]
fn killed_in_a_call_of_down_another_down_ends_at_zero() {
    let (laptop, mut localcloud) = laptop(200);
    for cut in ["14:after", "17:before", "22:after"] {
        laptop.up();
        assert!(kill_at(&laptop, &DOWN, &format!("{cut}:stop")), "{cut}");
    }
    laptop.down_to_zero();
    localcloud.wait().unwrap();
}
