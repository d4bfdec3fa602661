//! `localcloud guard`: runs one program that must not outlive localcloud.
//!
//! It reads a pipe from localcloud. When the pipe closes, because localcloud stopped or died, the
//! program gets its signal, then a deadline, then SIGKILL, with all that descends from it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

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
    stop_signal: nix::sys::signal::Signal,
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
