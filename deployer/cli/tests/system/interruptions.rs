//! Ctrl-C, or the death of the program, at any moment of `up`; then `down` ends at nothing.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cuts::{self, UP, kill_at};
use crate::laptop::Laptop;

/// Starts `up`, and sends the signal once it has said that many lines. A moment is told by what was
/// done until then, so that a slow machine cuts at the same places as a quick one.
fn cut_off(laptop: &Laptop, lines: usize, signal: Signal) -> Option<i32> {
    let mut command = laptop.deploy(&["up", "blueprints/elastic-cache.yaml"]);
    let mut child = command
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    for (count, line) in said.lines().enumerate() {
        if line.is_err() || count == lines {
            let _ = kill(pid, signal);
        }
    }
    child.wait().unwrap().code()
}

#[test]
fn interrupted_anywhere_it_goes_down_to_zero() {
    for lines in [0, 19, 24, 30, 35, 38, 42] {
        let laptop = Laptop::new();
        let code = cut_off(&laptop, lines, Signal::SIGINT);
        assert!(
            matches!(code, Some(130 | 0)),
            "cut after {lines} lines, it ended with {code:?}"
        );
        laptop.down_to_zero();
    }
}

#[test]
fn killed_anywhere_it_goes_down_to_zero() {
    for lines in [20, 29, 37] {
        let laptop = Laptop::new();
        cut_off(&laptop, lines, Signal::SIGKILL);
        laptop.down_to_zero();
    }
}

#[test]
fn killed_anywhere_a_second_up_finishes_it() {
    for lines in [22, 33] {
        let laptop = Laptop::new();
        cut_off(&laptop, lines, Signal::SIGKILL);
        assert!(laptop.up().out.contains("elastic-cache is up"));
        laptop.run(
            &[
                "plan",
                "blueprints/elastic-cache.yaml",
                "--detailed-exitcode",
            ],
            0,
        );
        laptop.down_to_zero();
    }
}

#[test]
fn what_is_not_finished_says_how_to_go_on() {
    // In a call, not after a line: once the manager is launched there are addresses to tell.
    let (laptop, mut localcloud) = cuts::laptop(220);
    assert!(kill_at(&laptop, &UP, "24:after:stop"));
    let goes_on = "up blueprints/elastic-cache.yaml goes on with it";
    let status = laptop.run(&["status", "elastic-cache"], 0).out;
    assert!(status.contains("not well"), "{status}");
    assert!(status.contains(goes_on), "{status}");
    let output = laptop.run(&["output", "elastic-cache"], 1).err;
    assert!(output.contains(goes_on), "{output}");
    laptop.down_to_zero();
    localcloud.wait().unwrap();
}

#[test]
fn a_second_command_is_refused_while_one_is_at_work() {
    let laptop = Laptop::new();
    let mut command = laptop.deploy(&["up", "blueprints/elastic-cache.yaml"]);
    let mut child = command
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    said.next().unwrap().unwrap();
    let refused = laptop.run(&["up", "blueprints/elastic-cache.yaml"], 3);
    assert!(
        refused.err.contains(&format!("up, process {}", child.id())),
        "{}",
        refused.err
    );
    said.for_each(drop);
    assert!(child.wait().unwrap().success());
    laptop.down_to_zero();
}
