//! A running PostgreSQL: started under a guard, started again when it dies, stopped in good order.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStdin};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::binaries::Binaries;
use super::cluster::Cluster;
use crate::guard;
use crate::network::who_listens;

/// How long a server may take to be ready, recovery after a crash included.
const READY: Duration = Duration::from_secs(60);
/// How long a fast shutdown (open transactions are cut off) may take before the server is killed.
const SHUTDOWN: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Between two attempts at a server that does not stay up.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a server is not ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// The process cannot be started.
    #[error("cannot start PostgreSQL")]
    Spawn(#[source] io::Error),
    /// It ended at once.
    #[error("PostgreSQL ended at once{listener}: {log}")]
    Ended {
        /// Who has its address, if somebody has.
        listener: String,
        /// The end of its log.
        log: String,
    },
    /// It takes too long.
    #[error("PostgreSQL is not ready after {} s: {log}", READY.as_secs())]
    Slow {
        /// The end of its log.
        log: String,
    },
}

/// What a server is started with.
#[derive(Debug)]
struct Start {
    cluster: Cluster,
    program: PathBuf,
    guard: PathBuf,
    address: SocketAddrV4,
}

/// A guard with its server. The server ends when `lifeline` is dropped.
#[derive(Debug)]
struct Process {
    guard: Child,
    lifeline: Option<ChildStdin>,
}

/// A server that is kept running until it is stopped or this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    stop: DropGuard,
    kept: JoinHandle<()>,
}

impl Server {
    /// Starts the server of a configured cluster and returns when it takes connections. From then on
    /// it is started again whenever it ends.
    ///
    /// # Errors
    /// It does not come up the first time.
    pub(crate) async fn start(
        cluster: Cluster,
        binaries: &Binaries,
        guard: &Path,
        address: Ipv4Addr,
        port: u16,
    ) -> Result<Self, ServerError> {
        let start = Start {
            cluster,
            program: binaries.program("postgres"),
            guard: guard.to_owned(),
            address: SocketAddrV4::new(address, port),
        };
        let process = start.up().await?;
        let stop = CancellationToken::new();
        let kept = tokio::spawn(keep(start, process, stop.clone()));
        Ok(Self {
            stop: stop.drop_guard(),
            kept,
        })
    }

    /// Stops it: open transactions are cut off, what was committed stays.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.kept.await {
            tracing::error!(%error, "the task that keeps a database running ended badly");
        }
    }
}

async fn keep(start: Start, mut process: Process, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return process.down().await,
            ended = process.guard.wait() => {
                tracing::warn!(database = %start.address, ?ended, "PostgreSQL ended by itself; starting it again");
            }
        }
        drop(process);
        let Some(next) = stop.run_until_cancelled(start.up_at_last()).await else {
            return;
        };
        process = next;
    }
}

impl Start {
    /// Tries until it is up: after a crash, processes of the old server may still be on their way out.
    async fn up_at_last(&self) -> Process {
        let mut pause = PAUSE;
        loop {
            match self.up().await {
                Ok(process) => return process,
                Err(error) => {
                    tracing::warn!(database = %self.address, %error, "cannot start PostgreSQL again yet");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn up(&self) -> Result<Process, ServerError> {
        end_orphan(&self.cluster.data()).await;
        let mut process = self.spawn().map_err(ServerError::Spawn)?;
        let deadline = Instant::now() + READY;
        while !is_ready(&self.cluster.data()) {
            let ended = process
                .guard
                .try_wait()
                .map_err(ServerError::Spawn)?
                .is_some();
            if ended {
                return Err(ServerError::Ended {
                    listener: who_listens(self.address),
                    log: self.last_words(),
                });
            }
            if Instant::now() > deadline {
                process.down().await;
                return Err(ServerError::Slow {
                    log: self.last_words(),
                });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(process)
    }

    fn spawn(&self) -> io::Result<Process> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.cluster.log())?;
        let user = self.cluster.account().user();
        let mut command =
            guard::command(&self.guard, &self.program, Signal::SIGINT, SHUTDOWN, user);
        command
            .arg("-D")
            .arg(self.cluster.data())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut guard = command.spawn()?;
        let lifeline = guard.stdin.take();
        Ok(Process { guard, lifeline })
    }

    /// The last lines of the server's log.
    fn last_words(&self) -> String {
        let text = fs::read(self.cluster.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("; ")
    }
}

impl Process {
    async fn down(mut self) {
        drop(self.lifeline.take());
        if let Err(error) = self.guard.wait().await {
            tracing::error!(%error, "cannot wait for a database's guard");
        }
    }
}

fn pid_file(data: &Path) -> PathBuf {
    data.join("postmaster.pid")
}

/// Whether the server says of itself that it takes connections: the eighth line of its pid file.
/// <https://github.com/postgres/postgres/blob/master/src/include/utils/pidfile.h>
fn is_ready(data: &Path) -> bool {
    let text = fs::read_to_string(pid_file(data)).unwrap_or_default();
    text.lines()
        .nth(7)
        .is_some_and(|state| state.trim() == "ready")
}

/// Ends a server that outlived its guard, and removes what a killed one left: its process id may by
/// now be that of something else, which would keep the next server from starting.
async fn end_orphan(data: &Path) {
    let text = fs::read_to_string(pid_file(data)).unwrap_or_default();
    if let Some(pid) = text
        .lines()
        .next()
        .and_then(|line| line.trim().parse().ok())
        .map(Pid::from_raw)
    {
        let deadline = Instant::now() + SHUTDOWN;
        while works_in(pid, data) {
            let signal = if Instant::now() < deadline {
                Signal::SIGQUIT
            } else {
                Signal::SIGKILL
            };
            let _ = kill(pid, signal);
            tokio::time::sleep(LOOK_AGAIN * 5).await;
        }
    }
    let _ = fs::remove_file(pid_file(data));
}

/// Whether a process is a server of that data directory: it works in it.
fn works_in(pid: Pid, data: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data)
}
