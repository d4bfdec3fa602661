//! Real machines: a root folder, an address, and processes led by `localcloud init`.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::{Domain, Socket, Type};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use super::{Ended, Events, MachineError, MachineSpec, Machines, RootSource, base, tree};
use crate::home::{make_private_folder, remove_tree};
use crate::init::{POWERED_OFF, STOP_DEADLINE};
use crate::network::{METADATA_PORT, listeners};
use crate::process;

/// What an init may take beyond its own deadline before it is killed.
const INIT_GRACE: Duration = Duration::from_secs(10);
/// What GetConsoleOutput shows.
const CONSOLE_TAIL: u64 = 64 << 10;
/// PATH of instances where localcloud itself has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Machines of processes.
#[derive(Debug)]
pub struct RealMachines {
    home: PathBuf,
    init_program: PathBuf,
    endpoint: SocketAddrV4,
    events: Events,
    running: Mutex<HashMap<String, Running>>,
}

/// A machine that runs.
#[derive(Debug)]
struct Running {
    init: Option<Pid>,
    /// Init ends everything when this closes.
    lifeline: Option<ChildStdin>,
    told_to_stop: Arc<AtomicBool>,
    ended: watch::Receiver<bool>,
}

impl RealMachines {
    /// Machines in the folders `instances` and `snapshots` of a home. Processes that a killed
    /// localcloud left there are ended.
    pub fn new(
        home: &Path,
        init_program: PathBuf,
        endpoint: SocketAddrV4,
        events: Events,
    ) -> Arc<Self> {
        let machines = Self {
            home: home.to_owned(),
            init_program,
            endpoint,
            events,
            running: Mutex::default(),
        };
        kill_marked(&machines.home.join("instances"));
        Arc::new(machines)
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.home.join("instances").join(id)
    }

    fn root(&self, id: &str) -> PathBuf {
        self.folder(id).join("root")
    }

    fn console_log(&self, id: &str) -> PathBuf {
        self.folder(id).join("console.log")
    }

    fn snapshot_root(&self, snapshot: &str) -> PathBuf {
        self.home.join("snapshots").join(snapshot).join("root")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What cloud-init would have fetched; the instance's own copy.
    fn write_user_data(&self, spec: &MachineSpec) -> Result<(), MachineError> {
        let folder = self
            .root(&spec.id)
            .join("var/lib/cloud/instances")
            .join(&spec.id);
        let file = folder.join("user-data.txt");
        let written = make_private_folder(&folder).and_then(|()| match &spec.user_data {
            // Written once: an instance boots again on a full disk, too.
            Some(bytes) if fs::read(&file).is_ok_and(|there| there == *bytes) => Ok(()),
            Some(bytes) => OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&file)
                .and_then(|mut open| io::Write::write_all(&mut open, bytes)),
            None => match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        });
        written.map_err(failed("write", &file))
    }

    /// The command that boots an instance, with the environment of everything on it.
    fn init_command(&self, spec: &MachineSpec) -> Result<Command, MachineError> {
        let root = self.root(&spec.id);
        let console = self.console_log(&spec.id);
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&console)
            .map_err(failed("open", &console))?;
        let host_path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
        let mut path = root.join("usr/bin").into_os_string();
        for part in [root.join("usr/sbin").as_os_str(), &host_path] {
            path.push(":");
            path.push(part);
        }
        let metadata = SocketAddrV4::new(spec.address, METADATA_PORT);
        let mut command = Command::new(&self.init_program);
        command
            .arg("init")
            .args(["--instance", &spec.id])
            .args(["--boot-ms", &spec.boots_for.as_millis().to_string()])
            .arg("--root")
            .arg(&root)
            .arg("--console")
            .arg(&console)
            .current_dir(&root)
            .env_clear()
            .env("BIVOUAC_INSTANCE", &spec.id)
            .env("BIVOUAC_ROOT", &root)
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.endpoint))
            .env(
                "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                format!("http://{metadata}"),
            )
            .env("PATH", path)
            .env("HOME", root.join("root"))
            .env("TMPDIR", root.join("tmp"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log);
        Ok(command)
    }

    /// Waits for an init to end, then makes sure that nothing else is left.
    async fn watch(
        self: Arc<Self>,
        id: String,
        mut child: Child,
        told_to_stop: Arc<AtomicBool>,
        ended: watch::Sender<bool>,
    ) {
        let status = child.wait().await;
        // Whatever ended init, nothing that it started stays.
        let root = self.root(&id);
        if let Err(error) = tokio::task::spawn_blocking(move || kill_marked(&root)).await {
            tracing::error!(%error, instance = id, "cannot look for left processes");
        }
        self.lock().remove(&id);
        let _ = ended.send(true);
        if !told_to_stop.load(Ordering::Acquire) {
            let code = status.ok().as_ref().and_then(ExitStatus::code);
            let _ = self.events.send(Ended {
                id,
                powered_off: code == Some(i32::from(POWERED_OFF)),
            });
        }
    }
}

#[async_trait]
impl Machines for Arc<RealMachines> {
    fn check_ports(&self, address: Ipv4Addr, ports: &[u16]) -> Result<(), MachineError> {
        for &port in ports {
            let at = SocketAddrV4::new(address, port);
            if let Err(error) = try_port(at)
                && error.kind() == io::ErrorKind::AddrInUse
                && let Some(listener) = listeners::on(at)
            {
                return Err(MachineError::PortTaken {
                    address,
                    port,
                    listener,
                });
            }
        }
        Ok(())
    }

    async fn create(&self, id: &str, source: &RootSource) -> Result<(), MachineError> {
        let root = self.root(id);
        let from = match source {
            RootSource::Base(distribution) => Err(*distribution),
            RootSource::Snapshot(snapshot) => Ok(self.snapshot_root(snapshot)),
        };
        off_thread(move || {
            if root.exists() {
                return Ok(());
            }
            let made = match from {
                Ok(snapshot) => tree::copy_root(&snapshot, &root),
                Err(distribution) => {
                    tree::make_whole(&root, |partial| base::make(partial, distribution))
                }
            };
            made.map_err(failed("make", &root))
        })
        .await
    }

    async fn start(&self, spec: MachineSpec) -> Result<(), MachineError> {
        self.write_user_data(&spec)?;
        let mut child = self
            .init_command(&spec)?
            .spawn()
            .map_err(failed("run", &self.init_program))?;
        let told_to_stop = Arc::new(AtomicBool::new(false));
        let (ended, has_ended) = watch::channel(false);
        let running = Running {
            init: child
                .id()
                .and_then(|pid| i32::try_from(pid).ok())
                .map(Pid::from_raw),
            lifeline: child.stdin.take(),
            told_to_stop: Arc::clone(&told_to_stop),
            ended: has_ended,
        };
        self.lock().insert(spec.id.clone(), running);
        tokio::spawn(Arc::clone(self).watch(spec.id, child, told_to_stop, ended));
        Ok(())
    }

    async fn stop(&self, id: &str) {
        let (mut ended, init) = {
            let mut running = self.lock();
            let Some(machine) = running.get_mut(id) else {
                return;
            };
            machine.told_to_stop.store(true, Ordering::Release);
            machine.lifeline = None;
            (machine.ended.clone(), machine.init)
        };
        let deadline = STOP_DEADLINE + INIT_GRACE;
        if tokio::time::timeout(deadline, ended.wait_for(|ended| *ended))
            .await
            .is_err()
        {
            tracing::warn!(instance = id, "its init does not end; it is killed");
            if let Some(init) = init {
                let _ = kill(init, Signal::SIGKILL);
            }
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }

    async fn delete(&self, id: &str) {
        remove(self.folder(id)).await;
    }

    async fn snapshot(&self, id: &str, snapshot: &str) -> Result<(), MachineError> {
        let (from, to) = (self.root(id), self.snapshot_root(snapshot));
        off_thread(move || tree::keep_root(&from, &to).map_err(failed("copy", &from))).await
    }

    async fn delete_snapshot(&self, snapshot: &str) {
        remove(self.home.join("snapshots").join(snapshot)).await;
    }

    fn console(&self, id: &str) -> Vec<u8> {
        tail(&self.console_log(id)).unwrap_or_default()
    }

    async fn stop_all(&self) {
        let ids: Vec<String> = self.lock().keys().cloned().collect();
        futures::future::join_all(ids.iter().map(|id| self.stop(id))).await;
    }

    async fn keep_only(&self, instances: &[String], snapshots: &[String]) {
        for (folder, kept) in [("instances", instances), ("snapshots", snapshots)] {
            let Ok(entries) = fs::read_dir(self.home.join(folder)) else {
                continue;
            };
            for entry in entries.flatten() {
                if !kept.iter().any(|id| entry.file_name() == id.as_str()) {
                    remove(entry.path()).await;
                }
            }
        }
    }
}

/// Takes a port without listening there: what a process that is just being started has a copy of keeps
/// nobody from listening.
fn try_port(at: SocketAddrV4) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&at.into())
}

/// Kills every process whose environment says that it belongs to an instance at or below a folder.
fn kill_marked(folder: &Path) {
    let exactly = [b"BIVOUAC_ROOT=", folder.as_os_str().as_bytes()].concat();
    let below = [exactly.as_slice(), b"/"].concat();
    if !process::kill_with_environment(|entry| entry == exactly || entry.starts_with(&below)) {
        tracing::error!(folder = %folder.display(), "processes of an instance cannot be ended");
    }
}

async fn remove(folder: PathBuf) {
    let shown = folder.clone();
    let removed = off_thread(move || remove_tree(&folder).map_err(failed("remove", &folder))).await;
    if let Err(error) = removed {
        tracing::error!(%error, folder = %shown.display(), "files are left");
    }
}

/// Work on files, away from the threads that answer requests.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MachineError> + Send + 'static,
) -> Result<T, MachineError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| MachineError::Io {
            operation: "finish the work on",
            path: PathBuf::new(),
            source: io::Error::other(error),
        })?
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MachineError + use<> {
    let path = path.to_owned();
    move |source| MachineError::Io {
        operation,
        path,
        source,
    }
}

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(CONSOLE_TAIL)))?;
    let mut bytes = Vec::new();
    file.take(CONSOLE_TAIL).read_to_end(&mut bytes)?;
    Ok(bytes)
}
