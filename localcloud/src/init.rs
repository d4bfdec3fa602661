//! `localcloud init`: the first process of an instance.
//!
//! It leads the instance's session and takes in every orphan, runs the user data once, starts what
//! is enabled, restarts it as its unit says, keeps the console, and powers the instance off. It reads
//! a pipe from localcloud: when that closes, because localcloud stopped the instance or died, it ends
//! everything it ever started and then itself.

mod boot;
mod console;
mod unit;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::{guard, process};
use boot::Boot;
use console::Console;
use unit::{INVOCATION, Service};

/// Exit code of an init whose instance powered itself off, so that localcloud can tell.
pub const POWERED_OFF: u8 = 100;
/// How long processes may take to end after SIGTERM.
pub const STOP_DEADLINE: Duration = Duration::from_secs(3);
/// How long a program may still be open for writing.
const WRITTEN: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Where `poweroff` and `reboot` write their wish; the name is sysvinit's.
pub const CONTROL: &str = "run/initctl";

/// What `localcloud init` was asked to do.
#[derive(Clone, Debug, clap::Args)]
pub struct InitArguments {
    /// The instance's id
    #[arg(long)]
    pub instance: String,
    /// The instance's root folder
    #[arg(long)]
    pub root: PathBuf,
    /// File for the console log
    #[arg(long)]
    pub console: PathBuf,
    /// How long it boots before anything runs, in milliseconds
    #[arg(long, default_value_t = 0)]
    pub boot_ms: u64,
}

/// Why an instance's processes are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// localcloud wants it, or is gone.
    Stop,
    /// A process of the instance asked.
    PowerOff,
    /// A process of the instance asked for a fresh start.
    Reboot,
}

/// Runs an instance until it is stopped or powers itself off.
///
/// # Errors
/// The root folder or the console cannot be used.
pub async fn run(arguments: InitArguments) -> io::Result<ExitCode> {
    let lifeline = guard::lifeline()?;
    guard::become_root_of_descendants()?;
    let mut instance = Instance {
        console: Console::open(&arguments.console)?,
        root: arguments.root,
        id: arguments.instance,
        children: HashMap::new(),
        restarts: Vec::new(),
    };
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        guard::closed(lifeline).await;
        let _ = stop.send(true);
    });
    let booted = tokio::time::sleep(Duration::from_millis(arguments.boot_ms));
    tokio::select! {
        () = booted => {}
        _ = stopped.wait_for(|stop| *stop) => return Ok(ExitCode::SUCCESS),
    }
    loop {
        let end = instance.live(&mut stopped).await?;
        instance.end_everything().await;
        match end {
            End::Stop => return Ok(ExitCode::SUCCESS),
            End::PowerOff => return Ok(ExitCode::from(POWERED_OFF)),
            End::Reboot => instance.console.note("rebooting"),
        }
    }
}

/// What a child of init is.
enum Child {
    UserData,
    Service(Service),
}

struct Instance {
    id: String,
    root: PathBuf,
    console: Console,
    children: HashMap<Pid, Child>,
    restarts: Vec<(Instant, Service)>,
}

impl Instance {
    /// From power on to the wish for an end.
    async fn live(&mut self, stopped: &mut tokio::sync::watch::Receiver<bool>) -> io::Result<End> {
        let boot = Boot::of(&self.root, &self.id);
        boot.clear_volatile_folders()?;
        let mut control = open_control(&self.root)?;
        let mut ended = signal(SignalKind::child())?;
        let mut terminate = signal(SignalKind::terminate())?;
        self.console.note(&format!("instance {} boots", self.id));
        match boot.first_boot_script() {
            Ok(Some(script)) => self.run_user_data(&script),
            Ok(None) => self.start_enabled_units(),
            Err(error) => {
                self.console
                    .note(&format!("cannot prepare the user data: {error}"));
                self.start_enabled_units();
            }
        }
        let mut order = String::new();
        loop {
            let next_restart = self.restarts.iter().map(|(at, _)| *at).min();
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return Ok(End::Stop),
                _ = terminate.recv() => return Ok(End::Stop),
                _ = ended.recv() => self.after_children(),
                () = self.console.copy() => {}
                read = control.read_line(&mut order) => {
                    read?;
                    match std::mem::take(&mut order).trim() {
                        "poweroff" => return Ok(End::PowerOff),
                        "reboot" => return Ok(End::Reboot),
                        other => self.console.note(&format!("unknown order {other:?}")),
                    }
                }
                () = sleep_until(next_restart) => self.restart_due_services(),
            }
        }
    }

    fn run_user_data(&mut self, script: &Path) {
        self.console.note("user data runs");
        let mut command = std::process::Command::new(script);
        command.current_dir(&self.root);
        self.spawn(command, Child::UserData);
    }

    fn start_enabled_units(&mut self) {
        for unit in unit::enabled(&self.root) {
            match unit {
                Ok(service) => self.start(service),
                Err(problem) => self.console.note(&problem),
            }
        }
    }

    fn start(&mut self, mut service: Service) {
        self.console.note(&format!("starts {}", service.name));
        service.started_at = Some(Instant::now());
        service.invocation = uuid::Uuid::new_v4().simple().to_string();
        let command = service.command(&self.root);
        self.spawn(command, Child::Service(service));
    }

    fn spawn(&mut self, mut command: std::process::Command, child: Child) {
        let spawned = self
            .console
            .attach(&mut command)
            .and_then(|()| spawn_once_written(&mut command));
        match spawned {
            Ok(process) => {
                let pid = i32::try_from(process.id()).unwrap_or_default();
                self.children.insert(Pid::from_raw(pid), child);
            }
            Err(error) => {
                let program = command.get_program().display().to_string();
                self.console.note(&format!("cannot run {program}: {error}"));
                match child {
                    Child::UserData => self.start_enabled_units(),
                    Child::Service(service) => self.plan_restart(service, false),
                }
            }
        }
    }

    fn after_children(&mut self) {
        for (pid, status) in guard::reap() {
            match self.children.remove(&pid) {
                Some(Child::UserData) => {
                    self.console
                        .note(&format!("user data {}", describe(status)));
                    self.start_enabled_units();
                }
                Some(Child::Service(service)) => {
                    self.console
                        .note(&format!("{} {}", service.name, describe(status)));
                    let clean = matches!(status, WaitStatus::Exited(_, 0));
                    kill_rest(&service);
                    self.plan_restart(service, clean);
                }
                // An orphan, taken in when its parent ended.
                None => {}
            }
        }
    }

    fn plan_restart(&mut self, mut service: Service, clean: bool) {
        if let Some(delay) = service.restart_after(clean) {
            self.restarts.push((Instant::now() + delay, service));
        }
    }

    fn restart_due_services(&mut self) {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.restarts)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.restarts = later;
        let due: Vec<(Instant, Service)> = due;
        for (_, service) in due {
            self.start(service);
        }
    }

    /// SIGTERM to every process of the instance, then SIGKILL to those that stay.
    async fn end_everything(&mut self) {
        self.restarts.clear();
        let kill_from = Instant::now() + STOP_DEADLINE;
        let mut end = std::pin::pin!(guard::end_descendants(kill_from));
        loop {
            tokio::select! {
                () = &mut end => break,
                () = self.console.copy() => {}
            }
        }
        self.children.clear();
        self.console.copy_what_is_there();
        self.console.note(&format!("instance {} is off", self.id));
    }
}

/// localcloud has just written the user data and the image's files. What it was starting meanwhile has
/// them open until it runs its own program, and the kernel runs nothing that is open for writing.
fn spawn_once_written(command: &mut std::process::Command) -> io::Result<std::process::Child> {
    let deadline = Instant::now() + WRITTEN;
    loop {
        match command.spawn() {
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(LOOK_AGAIN);
            }
            other => return other,
        }
    }
}

/// Kills what a service that has ended left behind, as systemd does: started again beside it, the
/// service would find its ports taken.
fn kill_rest(service: &Service) {
    let mark = format!("{INVOCATION}={}", service.invocation).into_bytes();
    process::kill_with_environment(|entry| entry == mark);
}

/// The pipe that `poweroff` writes into. Opened for writing too, so that it never ends.
fn open_control(root: &Path) -> io::Result<BufReader<pipe::Receiver>> {
    let path = root.join(CONTROL);
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600))?;
    let receiver = pipe::OpenOptions::new()
        .read_write(true)
        .open_receiver(path)?;
    Ok(BufReader::new(receiver))
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn describe(status: WaitStatus) -> String {
    match status {
        WaitStatus::Exited(_, 0) => "ended".to_owned(),
        WaitStatus::Exited(_, code) => format!("failed with exit code {code}"),
        WaitStatus::Signaled(_, signal, _) => format!("was ended by {signal}"),
        other => format!("{other:?}"),
    }
}
