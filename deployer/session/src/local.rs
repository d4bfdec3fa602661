//! Finds localcloud, starts it when it is not running, and ends it when nothing is left in it.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use deployer_aws::{Pace, Target, TargetKind};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use crate::failure::Failure;
use crate::home::Home;
use crate::lock::{AtWork, Starting};

/// How long localcloud may take to come up: it starts instances and databases anew after a reboot, and
/// a database whose machine lost its power reads its log first.
const START_DEADLINE: Duration = Duration::from_secs(90);

/// How long an answer of localcloud may take: a busy machine keeps it waiting, and one that is taken
/// for gone is started a second time, in a folder that the first still holds.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// The file in localcloud's folder that takes what it writes while it runs.
const LOG: &str = "localcloud.log";

/// What localcloud says of itself in its folder once it is ready.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Endpoint {
    endpoint: String,
    access_key_id: String,
    secret_access_key: String,
    ca: std::path::PathBuf,
    pid: u32,
}

/// What another program needs to call it.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// Where it answers.
    pub endpoint: &'a str,
    /// The account's key.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret_access_key: &'a str,
}

/// A localcloud that runs.
#[derive(Clone)]
pub struct Localcloud(Endpoint);

impl Localcloud {
    /// The one that runs on this machine, if one does.
    pub async fn running(home: &Home) -> Option<Localcloud> {
        let text = std::fs::read(home.localcloud().join("endpoint.json")).ok()?;
        let endpoint: Endpoint = serde_json::from_slice(&text).ok()?;
        if !runs(endpoint.pid) {
            return None;
        }
        let url = format!("{}/_localcloud/health", endpoint.endpoint);
        let health = request("GET", &url, None, ANSWER_DEADLINE).await.ok()?;
        let same =
            serde_json::from_slice::<serde_json::Value>(&health.1).ok()?["pid"] == endpoint.pid;
        (health.0 == 200 && same).then_some(Localcloud(endpoint))
    }

    /// Whether localcloud keeps anything, running or not.
    pub fn has_state(home: &Home) -> bool {
        home.localcloud().join("state").exists() || home.localcloud().join("endpoint.json").exists()
    }

    /// The one that runs, or a new one.
    pub async fn start(home: &Home, programs: &Path) -> Result<Localcloud, Failure> {
        Localcloud::start_with(home, programs, &[]).await
    }

    /// The same; a new one is told more.
    pub async fn start_with(
        home: &Home,
        programs: &Path,
        told: &[String],
    ) -> Result<Localcloud, Failure> {
        if let Some(running) = Localcloud::running(home).await {
            return Ok(running);
        }
        home.make()?;
        let folder = home.localcloud();
        let _starting = Starting::begin(&folder).await?;
        if let Some(running) = Localcloud::running(home).await {
            return Ok(running);
        }
        let log = folder.join(LOG);
        let said_before = std::fs::metadata(&log).map_or(0, |log| log.len());
        let mut child = spawn(&programs.join("localcloud"), &folder, &log, told)?;
        let begun = Instant::now();
        loop {
            if let Some(running) = Localcloud::running(home).await {
                return Ok(running);
            }
            let ended = child
                .try_wait()
                .map_err(Failure::here("starting localcloud"))?;
            if ended.is_some() || begun.elapsed() > START_DEADLINE {
                let said = last_words(&log, said_before);
                return Err(Failure::Unfinished {
                    what: format!("localcloud did not come up; it said:\n    {said}"),
                    hint: format!("its log is {}", log.display()),
                });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Where the deployer's calls go.
    pub fn target(&self) -> Result<Target, Failure> {
        let Localcloud(at) = self;
        let ca = std::fs::read_to_string(&at.ca);
        Ok(Target {
            kind: TargetKind::Local,
            endpoint: Some(at.endpoint.clone()),
            credentials: Some(aws_credential_types::Credentials::new(
                &at.access_key_id,
                &at.secret_access_key,
                None,
                None,
                "localcloud",
            )),
            database_ca: ca.map_err(Failure::here(format!("reading {}", at.ca.display())))?,
            address_lookup: format!("{}/checkip", at.endpoint),
            pace: Pace::LAPTOP,
        })
    }

    /// Its address and the account's key and secret.
    pub fn access(&self) -> Access<'_> {
        let Localcloud(at) = self;
        Access {
            endpoint: &at.endpoint,
            access_key_id: &at.access_key_id,
            secret_access_key: &at.secret_access_key,
        }
    }

    /// What it answers in its own name to the account's owner, for example at `calls`.
    pub async fn tell(&self, what: &str) -> Result<Bytes, Failure> {
        let Localcloud(at) = self;
        let url = format!("{}/_localcloud/{what}", at.endpoint);
        let bearer = format!("Bearer {}", at.secret_access_key);
        let answer = request("GET", &url, Some(&bearer), ANSWER_DEADLINE).await;
        let (_, body) = answer.map_err(Failure::here(format!("asking {url}")))?;
        Ok(body)
    }

    /// Ends it, whatever is in it, and waits until its process is gone.
    pub fn end_now(&self) {
        let Localcloud(at) = self;
        let Some(process) = i32::try_from(at.pid).ok().map(nix::unistd::Pid::from_raw) else {
            return;
        };
        // One that is gone already is as good.
        let _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM);
        let begun = Instant::now();
        while runs(at.pid) && begun.elapsed() < START_DEADLINE {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it if nothing is left in it and no other command is at work, and waits until its process
    /// is gone. Otherwise it stays, and the answer is `false`.
    pub async fn end_if_empty(&self, home: &Home, at_work: &AtWork) -> Result<bool, Failure> {
        let Localcloud(at) = self;
        if !at_work.is_alone() {
            return Ok(false);
        }
        let url = format!("{}/_localcloud/shutdown?if-empty", at.endpoint);
        let bearer = format!("Bearer {}", at.secret_access_key);
        let asked = request("POST", &url, Some(&bearer), ANSWER_DEADLINE).await;
        if matches!(asked, Ok((409, _))) {
            return Ok(false);
        }
        let begun = Instant::now();
        while runs(at.pid) && begun.elapsed() < START_DEADLINE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // One that was at its end already does not answer, and is gone all the same.
        if let Err(source) = asked
            && runs(at.pid)
        {
            return Err(Failure::here("ending localcloud")(source));
        }
        // What it wrote while it ran; it has removed all else by itself.
        let _ = std::fs::remove_file(home.localcloud().join(LOG));
        let _ = std::fs::remove_dir(home.localcloud());
        Ok(true)
    }
}

/// The last lines of a log, of those after its first `from` bytes.
fn last_words(log: &Path, from: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    let said = String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n    ")
}

/// Whether a process is there and has not ended: one that has, and whose parent was not told yet, is
/// still listed, as a zombie (proc_pid_stat(5)).
fn runs(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest.trim_start());
    !state.starts_with('Z')
}

/// Starts it in a process group of its own, so that Ctrl-C on the terminal does not reach it.
fn spawn(
    program: &Path,
    folder: &Path,
    log: &Path,
    told: &[String],
) -> Result<std::process::Child, Failure> {
    let open = || File::options().create(true).append(true).open(log);
    let failed = |what: &Path| Failure::here(format!("starting {}", what.display()));
    let output = open().map_err(failed(log))?;
    let errors = open().map_err(failed(log))?;
    Command::new(program)
        .args(["serve", "--home"])
        .arg(folder)
        .args(told)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(failed(program))
}

/// One small HTTP request to this machine: the status and the body, if they come in time.
pub async fn request(
    method: &str,
    url: &str,
    authorization: Option<&str>,
    time: Duration,
) -> Result<(u16, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let mut request = http::Request::builder().method(method).uri(url);
    if let Some(value) = authorization {
        request = request.header(http::header::AUTHORIZATION, value);
    }
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let exchange = async {
        let answer = client.request(request.body(Empty::new())?).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    };
    tokio::time::timeout(time, exchange).await?
}
