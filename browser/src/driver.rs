//! `chromedriver`, the browser it runs, and the calls to it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::{Method, Request};
use kit::client::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

const INSTALL: &str =
    "the tests of the pages need Chromium and its driver: apt-get install chromium chromium-driver";
/// A start of Chromium on a busy machine, and some.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long the driver looks for an element that is not there yet, in milliseconds.
const FIND_TIME: u64 = 10_000;

/// Ends the driver and the browser when the pipe on its standard input closes: when the test is over,
/// has failed, or was killed.
const GUARD: &str = r#"
"$@" </dev/null &
read -r _
kill -KILL 0
"#;

/// No window, nothing of the machine's user, no way out of the machine: names are not looked up, and
/// what the browser does by itself is off.
const SWITCHES: [&str; 14] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-breakpad",
    "--lang=en-GB",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.*",
];

/// A running driver with one session.
pub(crate) struct Driver {
    client: Client,
    session: String,
    guard: Child,
    /// Profile and temporary files.
    _home: TempDir,
}

/// Why the driver did not do something.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Refusal {
    pub(crate) code: String,
    message: String,
}

impl Driver {
    pub(crate) async fn start() -> Self {
        let home = tempfile::Builder::new()
            .prefix("bivouac-browser-")
            .tempdir()
            .unwrap();
        let (guard, port) = start_driver(home.path());
        let mut driver = Self {
            client: Client::new(),
            session: format!("http://127.0.0.1:{port}/session"),
            guard,
            _home: home,
        };
        let begun = driver.post("", &driver.wishes()).await;
        let id = begun["sessionId"].as_str().unwrap();
        driver.session = format!("{}/{id}", driver.session);
        driver
    }

    fn wishes(&self) -> Value {
        let profile = format!(
            "--user-data-dir={}",
            self._home.path().join("profile").display()
        );
        let switches: Vec<_> = SWITCHES.into_iter().chain([profile.as_str()]).collect();
        let browser = on_path(&["chromium", "chromium-browser", "google-chrome"]);
        json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": switches, "binary": browser },
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "implicit": FIND_TIME },
            "unhandledPromptBehavior": "ignore",
        }}})
    }

    pub(crate) async fn post(&self, what: &str, body: &Value) -> Value {
        self.call(Method::POST, what, &body.to_string())
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// One command; its refusal has WebDriver's own code (section 6.6).
    pub(crate) async fn call(
        &self,
        method: Method,
        what: &str,
        body: &str,
    ) -> Result<Value, Refusal> {
        let address = format!("{}/{what}", self.session);
        let request = Request::builder()
            .method(method)
            .uri(address.trim_end_matches('/'))
            .header("content-type", "application/json")
            .body(kit::body::full(body.to_owned()))
            .unwrap();
        let answer = self.client.send(request, DEADLINE).await.unwrap();
        let mut told: Value = serde_json::from_slice(answer.body()).unwrap();
        let value = told["value"].take();
        if answer.status().is_success() {
            return Ok(value);
        }
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Err(Refusal {
            code: text("error"),
            message: text("message"),
        })
    }

    /// Ends the session, so that the browser is gone before its profile is removed.
    pub(crate) async fn end(self) {
        self.call(Method::DELETE, "", "").await.unwrap();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Starts the driver on a free port, which it tells in a line.
fn start_driver(home: &Path) -> (Child, u16) {
    let driver = on_path(&["chromedriver"]);
    let mut guard = Command::new("/bin/sh")
        .args(["-c", GUARD, "guard"])
        .arg(driver)
        .arg("--port=0")
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("TZ", "UTC")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(guard.stdout.take().unwrap()).lines();
    let port = said.by_ref().find_map(|line| {
        let line = line.unwrap();
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    // What it says later has to go somewhere.
    std::thread::spawn(move || said.for_each(drop));
    (
        guard,
        port.expect("chromedriver ended without naming its port"),
    )
}

/// The first of these programs that is there.
fn on_path(names: &[&str]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let found = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file());
    found.expect(INSTALL)
}
