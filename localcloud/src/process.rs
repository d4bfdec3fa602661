//! Other processes, as /proc shows them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a process that held something may take to let go of it.
const LET_GO: Duration = Duration::from_secs(5);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);

/// Attempts something until it is not held by somebody who is about to let go of it. A process that is
/// just being started holds a copy of every socket and lock of the one that starts it, also when that
/// one has ended, until it runs its own program.
pub(crate) async fn once_let_go<T, E>(
    mut attempt: impl FnMut() -> Result<T, E>,
    is_held: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let deadline = Instant::now() + LET_GO;
    loop {
        match attempt() {
            Err(error) if is_held(&error) && Instant::now() < deadline => {
                tokio::time::sleep(BETWEEN_ATTEMPTS).await;
            }
            other => return other,
        }
    }
}

/// Everything that descends from a process, itself not included. For a child subreaper that is all
/// it ever started: nothing leaves by forking twice or by opening a session.
pub(crate) fn descendants(ancestor: Pid) -> Vec<Pid> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (pid, parent) in pids().filter_map(|pid| Some((pid, parent_of(pid)?))) {
        children.entry(parent).or_default().push(pid);
    }
    let mut found = Vec::new();
    let mut next = vec![ancestor.as_raw()];
    while let Some(parent) = next.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            found.push(Pid::from_raw(child));
            next.push(child);
        }
    }
    found
}

/// Kills every process whose environment, where this user may read it, has an entry (`NAME=value`)
/// that matches. One may start another while this looks: it looks until there are none. False if they
/// do not end.
pub(crate) fn kill_with_environment(matches: impl Fn(&[u8]) -> bool) -> bool {
    const MOST_LOOKS: usize = 100;
    const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
    let mut found_none = false;
    for _ in 0..MOST_LOOKS {
        let left = with_environment(&matches);
        // While a process becomes another program it has no environment for a moment, and is missed:
        // only two looks in a row that find none tell that there is none.
        if left.is_empty() && found_none {
            return true;
        }
        found_none = left.is_empty();
        signal_all(&left, Signal::SIGKILL);
        std::thread::sleep(BETWEEN_LOOKS);
    }
    false
}

/// Processes whose environment has an entry that matches.
fn with_environment(matches: impl Fn(&[u8]) -> bool) -> Vec<Pid> {
    pids()
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(&matches))
        })
        .map(Pid::from_raw)
        .collect()
}

/// Sends a signal to each. One that has ended meanwhile has what was wanted.
pub(crate) fn signal_all(pids: &[Pid], signal: Signal) {
    for pid in pids {
        let _ = kill(*pid, signal);
    }
}

fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The parent of a process that still runs; a zombie does not.
fn parent_of(pid: i32) -> Option<i32> {
    let stat = stat_of(&pid)?;
    let mut fields = stat.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (state != "Z").then_some(parent)
}

/// Whether a process is there and has not ended.
pub(crate) fn runs(pid: u32) -> bool {
    stat_of(&pid).is_some_and(|stat| !stat.starts_with(" Z"))
}

/// When a process began, in the kernel's ticks.
pub(crate) fn start_of(pid: u32) -> Option<u64> {
    stat_of(&pid)?.split_whitespace().nth(19)?.parse().ok()
}

/// The fields of a process from its state on, the third of all (proc_pid_stat(5)): before it is the
/// command's name, in parentheses, which may hold anything.
fn stat_of(pid: &dyn Display) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')').map(|(_, fields)| fields.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn children_are_found_by_descent_and_by_their_environment() {
        let mark = format!("BIVOUAC_TEST_MARK={}", uuid::Uuid::new_v4());
        let (name, value) = mark.split_once('=').unwrap();
        let mut child = Command::new("sleep")
            .arg("600")
            .env(name, value)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let by_descent = descendants(Pid::this());
        let by_mark = || with_environment(|entry| entry == mark.as_bytes());
        let deadline = Instant::now() + Duration::from_secs(30);
        // It has its environment only a moment after its program has begun.
        while by_mark().is_empty() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let by_mark = by_mark();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(by_descent.contains(&pid));
        assert_eq!(by_mark, [pid]);
    }
}
