//! Services as processes: started, started again when they end, stopped when it is time.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Times;

/// The running services of this instance.
pub struct Services {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Services {
    /// Starts `$ROOT/opt/bivouac/bin/<name>` for each name. What they print goes where boot's own
    /// output goes.
    #[must_use]
    pub fn start(names: &[String], root: &Path, settings: &Path, times: Times) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for name in names {
            let service = Service {
                name: name.clone(),
                path: root.join("opt/bivouac/bin").join(name),
                settings: settings.to_owned(),
                times,
            };
            tasks.spawn(service.keep(stop.clone()));
        }
        Self { stop, tasks }
    }

    /// Asks all of them to stop at once and waits until they have, by force if need be.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

struct Service {
    name: String,
    path: PathBuf,
    settings: PathBuf,
    times: Times,
}

impl Service {
    /// Keeps the service running until `stop`.
    async fn keep(self, stop: CancellationToken) {
        let mut wait = self.times.first_wait;
        loop {
            let started = Instant::now();
            match self.spawn() {
                Ok(mut child) => {
                    tokio::select! {
                        () = stop.cancelled() => return self.end(child).await,
                        ended = child.wait() => self.tell_end(ended, started.elapsed()),
                    }
                }
                Err(error) => {
                    let path = self.path.display();
                    tracing::error!(program = self.name, %path, "cannot be started: {error}");
                }
            }
            if started.elapsed() >= self.times.steady {
                wait = self.times.first_wait;
            }
            tracing::info!(
                program = self.name,
                wait_ms = millis(wait),
                "starting it again"
            );
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(self.times.longest_restart);
        }
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let child = Command::new(&self.path)
            .env(kit::settings::VARIABLE, &self.settings)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        tracing::info!(program = self.name, pid = child.id(), "started");
        Ok(child)
    }

    fn tell_end(&self, ended: std::io::Result<ExitStatus>, after: Duration) {
        let seconds = after.as_secs();
        match ended {
            Ok(status) => tracing::warn!(program = self.name, seconds, "ended by itself: {status}"),
            Err(error) => {
                tracing::warn!(program = self.name, seconds, "cannot be watched: {error}");
            }
        }
    }

    /// SIGTERM, and after the time it has, SIGKILL.
    async fn end(&self, mut child: Child) {
        if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It has not been waited for, so its number cannot be another's; it may have ended.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        match tokio::time::timeout(self.times.stop, child.wait()).await {
            Ok(Ok(status)) => tracing::info!(program = self.name, "stopped: {status}"),
            Ok(Err(error)) => tracing::warn!(program = self.name, "cannot be watched: {error}"),
            Err(_) => {
                tracing::warn!(program = self.name, "did not stop in time: killing it");
                if let Err(error) = child.kill().await {
                    tracing::warn!(program = self.name, "cannot be killed: {error}");
                }
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
