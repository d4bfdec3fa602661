//! `localcloud guard`: runs one program that must not outlive localcloud.
//!
//! It reads a pipe from localcloud. When the pipe closes, because localcloud stopped or died, or when
//! it is told to end itself, the program gets its signal, then a deadline, then SIGKILL, with all that
//! descends from it.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, setsid};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::process;

/// How often a group that has been told to end is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The unprivileged user that a guarded program runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A command that runs `program` under a guard. Keep the child's stdin: closing it ends the program
/// (`stop_signal`, then after `deadline` SIGKILL to it and all its descendants) and then the guard.
/// The guard exits with the program's exit code, 128 + n if signal n ended it. Add the program's
/// arguments with `.arg()`, its environment, folder, stdout and stderr as usual.
pub fn command(
    init_program: &Path,
    program: impl AsRef<OsStr>,
    stop_signal: Signal,
    deadline: Duration,
    user: Option<User>,
) -> Command {
    let mut command = Command::new(init_program);
    command
        .arg("guard")
        .args(["--stop-signal", stop_signal.as_str()])
        .args(["--deadline-ms", &deadline.as_millis().to_string()]);
    if let Some(User { uid, gid }) = user {
        command
            .args(["--uid", &uid.to_string()])
            .args(["--gid", &gid.to_string()]);
    }
    command.arg("--").arg(program).stdin(Stdio::piped());
    command
}

/// What `localcloud guard` was asked to do.
#[derive(Clone, Debug, clap::Args)]
pub struct GuardArguments {
    /// Signal that asks the program to end
    #[arg(long, default_value = "SIGTERM")]
    stop_signal: Signal,
    /// How long it may take, in milliseconds
    #[arg(long, default_value_t = 5000)]
    deadline_ms: u64,
    /// Run the program as this user
    #[arg(long, requires = "gid")]
    uid: Option<u32>,
    /// Run the program as this group
    #[arg(long, requires = "uid")]
    gid: Option<u32>,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    program: Vec<OsString>,
}

/// Runs the program until it ends or stdin closes.
///
/// # Errors
/// The program cannot be started.
pub async fn run(arguments: &GuardArguments) -> io::Result<ExitCode> {
    let lifeline = lifeline()?;
    become_root_of_descendants()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let Some((program, rest)) = arguments.program.split_first() else {
        return Err(io::Error::other("there is no program to run"));
    };
    let mut command = std::process::Command::new(program);
    command.args(rest).stdin(Stdio::null());
    if let (Some(uid), Some(gid)) = (arguments.uid, arguments.gid) {
        command.uid(uid).gid(gid);
    }
    let mut child = Command::from(command).spawn()?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    let status = tokio::select! {
        status = child.wait() => status?,
        () = async {
            // `pkill localcloud` means the guards too: what they guard must not be left behind.
            tokio::select! { () = closed(lifeline) => {}, _ = terminate.recv() => {} }
        } => {
            if let Some(pid) = pid {
                let _ = kill(Pid::from_raw(pid), arguments.stop_signal);
            }
            let deadline = Duration::from_millis(arguments.deadline_ms);
            match tokio::time::timeout(deadline, child.wait()).await {
                Ok(status) => status?,
                Err(_) => {
                    child.start_kill()?;
                    child.wait().await?
                }
            }
        }
    };
    end_descendants(Instant::now()).await;
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// Opens a session and takes in every orphan among the descendants.
///
/// # Errors
/// The kernel refused.
pub fn become_root_of_descendants() -> io::Result<()> {
    // Refused to a leader of a group, which a child of localcloud is not; started by hand from a
    // shell it is one already.
    let _ = setsid();
    nix::sys::prctl::set_child_subreaper(true)?;
    Ok(())
}

/// The pipe from localcloud on stdin.
///
/// # Errors
/// Stdin is not a pipe.
pub fn lifeline() -> io::Result<pipe::Receiver> {
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    pipe::Receiver::from_owned_fd(stdin).map_err(|error| {
        io::Error::new(
            error.kind(),
            "stdin must be a pipe from localcloud; this command is not for people",
        )
    })
}

/// Returns when localcloud has closed its end of the pipe, by will or by dying.
pub async fn closed(mut lifeline: pipe::Receiver) {
    let mut ignored = [0; 64];
    while matches!(lifeline.read(&mut ignored).await, Ok(1..)) {}
}

/// Ends every descendant: SIGTERM once to each, also to one that is born meanwhile, and from the given
/// moment on SIGKILL. Returns when none is left.
pub async fn end_descendants(kill_from: Instant) {
    let mut told = HashSet::new();
    loop {
        reap();
        let left = process::descendants(Pid::this());
        if left.is_empty() {
            return;
        }
        if Instant::now() >= kill_from {
            process::signal_all(&left, Signal::SIGKILL);
        } else {
            let untold: Vec<Pid> = left.into_iter().filter(|pid| told.insert(*pid)).collect();
            process::signal_all(&untold, Signal::SIGTERM);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Collects every child that has ended: its process id and how.
pub fn reap() -> Vec<(Pid, nix::sys::wait::WaitStatus)> {
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    let mut ended = Vec::new();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(_) => return ended,
            Ok(status) => ended.extend(status.pid().map(|pid| (pid, status))),
        }
    }
}
