//! Servers as processes of their own, each on the core where servers are measured.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::errors::BenchError;
use crate::processor;

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(30);

/// Who works where.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    /// The core of the servers that are measured.
    pub servers: usize,
    /// The core of everything else; the same if the machine has only one.
    pub others: usize,
}

impl Cores {
    /// Divides what this process may use, and goes to its own core, with all that it starts later.
    /// To be called before there is a second thread.
    ///
    /// # Errors
    /// When the system does not tell, or `taskset` (util-linux) is not there.
    pub fn divide() -> Result<Self, BenchError> {
        let status = fs::read_to_string("/proc/self/status")
            .map_err(BenchError::machine("reading /proc/self/status"))?;
        let cores = allowed(&status);
        let (Some(first), Some(last)) = (cores.first(), cores.last()) else {
            let source = io::Error::other("no line Cpus_allowed_list");
            return Err(BenchError::machine("reading /proc/self/status")(source));
        };
        let divided = Self {
            others: *first,
            servers: *last,
        };
        let moved = std::process::Command::new("taskset")
            .args(["-c", "-p", &divided.others.to_string()])
            .arg(std::process::id().to_string())
            .stdout(Stdio::null())
            .status()
            .map_err(|source| BenchError::Start {
                program: "taskset".to_owned(),
                source,
            })?;
        if moved.success() {
            Ok(divided)
        } else {
            let source = io::Error::other("taskset refused");
            Err(BenchError::machine("going to a core of its own")(source))
        }
    }
}

/// The cores in a line such as `Cpus_allowed_list: 0-1,4` (proc(5)).
fn allowed(status: &str) -> Vec<usize> {
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.unwrap_or_default()
        .split(',')
        .filter_map(range)
        .flatten()
        .collect()
}

/// A running server; ended when dropped.
pub(super) struct Process {
    child: Child,
    program: String,
    log: PathBuf,
}

/// What to start.
pub(super) struct Program<'a> {
    pub(super) path: &'a Path,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(&'static str, String)>,
    /// Where its output goes.
    pub(super) log: PathBuf,
}

impl Program<'_> {
    /// Starts it on `core` and waits until it listens at `address`.
    pub(super) async fn start(
        self,
        core: usize,
        address: SocketAddr,
    ) -> Result<Process, BenchError> {
        let program = self
            .path
            .file_name()
            .map(OsStr::to_string_lossy)
            .unwrap_or_default()
            .into_owned();
        let failed = |source| BenchError::Start {
            program: self.path.display().to_string(),
            source,
        };
        if self.path.is_absolute() && !self.path.exists() {
            return Err(failed(io::ErrorKind::NotFound.into()));
        }
        let output = fs::File::create(&self.log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        // taskset becomes the program: its process is the server's.
        let child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(self.path)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let mut process = Process {
            child,
            program,
            log: self.log,
        };
        process.until_it_listens(address).await?;
        Ok(process)
    }
}

impl Process {
    async fn until_it_listens(&mut self, address: SocketAddr) -> Result<(), BenchError> {
        let deadline = Instant::now() + START;
        while TcpStream::connect(address).await.is_err() {
            let ended = matches!(self.child.try_wait(), Ok(Some(_)) | Err(_));
            if ended || Instant::now() > deadline {
                return Err(BenchError::Silent {
                    program: self.program.clone(),
                    address: address.to_string(),
                    log: self.end_of_log(),
                });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    /// What it has used of its core so far.
    pub(super) fn cpu_time(&self) -> Result<Duration, BenchError> {
        let id = self.child.id().ok_or(io::ErrorKind::NotFound.into());
        id.and_then(processor::time_used)
            .map_err(BenchError::machine("reading a server's processor time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cores_are_read_as_linux_writes_them() {
        assert_eq!(
            allowed("a:\t1\nCpus_allowed_list:\t0-2,5\nb: 7"),
            [0, 1, 2, 5]
        );
        assert_eq!(allowed("Cpus_allowed_list:\t3\n"), [3]);
        assert!(allowed("").is_empty());
    }
}
