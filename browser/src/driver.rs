//! `chromedriver`, the browser it runs, and the calls to it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use http::{Method, Request};
use kit::client::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

const INSTALL: &str =
    "the tests of the pages need Chromium and its driver: apt-get install chromium chromium-driver";
/// A start of Chromium on a busy machine, and some.
const DEADLINE: Duration = Duration::from_secs(120);
/// How long the driver looks for an element that is not there yet, in milliseconds.
const FIND_TIME: u64 = 30_000;

/// How often a driver may find its port taken.
const STARTS: usize = 20;

/// Ends the driver and the browser when the pipe on its standard input closes: when the test is over,
/// has failed, or was killed. Standard output is the driver's alone, so that its end is seen.
const GUARD: &str = r#"
"$@" </dev/null &
exec >/dev/null
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
    /// Goes before the files.
    _guard: Guard,
    /// Profile and temporary files.
    _home: TempDir,
}

/// Why the driver did not do something.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Refusal {
    code: String,
    message: String,
}

impl Refusal {
    /// Whether the element was there no longer: the page had been replaced.
    pub(crate) fn is_of_a_page_that_was_left(&self) -> bool {
        // While the next page is taking its place the driver has only words of its own for that.
        self.code == "stale element reference"
            || self.message.contains("does not belong to the document")
    }
}

impl Driver {
    pub(crate) async fn start() -> Self {
        let home = tempfile::Builder::new()
            .prefix("bivouac-browser-")
            .tempdir()
            .unwrap();
        let (guard, port) = start_driver(&on_path(&["chromedriver"]), home.path());
        let mut driver = Self {
            client: Client::new(),
            session: format!("http://127.0.0.1:{port}/session"),
            _guard: guard,
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

/// The shell that ends driver and browser.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Starts the driver on a free port, which it tells in a line.
///
/// It takes a port that is free at `::1`, and ends when the same port is not free at `127.0.0.1`. The
/// connections of a busy minute of tests take hundreds there, so it is started again.
fn start_driver(program: &Path, home: &Path) -> (Guard, u16) {
    let mut said = String::new();
    for _ in 0..STARTS {
        let (guard, output) = launch_driver(program, home);
        let mut lines = BufReader::new(output).lines().map(Result::unwrap);
        said.clear();
        for line in lines.by_ref() {
            if let Some(port) = port_in(&line) {
                // What it says later has to go somewhere.
                std::thread::spawn(move || lines.for_each(drop));
                return (guard, port);
            }
            said.push_str(&line);
            said.push('\n');
        }
    }
    panic!("chromedriver ended {STARTS} times without naming its port; it said:\n{said}");
}

fn launch_driver(program: &Path, home: &Path) -> (Guard, ChildStdout) {
    let mut guard = Command::new("/bin/sh")
        .args(["-c", GUARD, "guard"])
        .arg(program)
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
    let output = guard.stdout.take().unwrap();
    (Guard(guard), output)
}

fn port_in(line: &str) -> Option<u16> {
    let (_, port) = line.split_once("started successfully on port ")?;
    port.trim_end_matches('.').parse().ok()
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A driver that ends as often as that, as when its port is taken, before it starts.
    fn driver_that_ends(home: &Path, times: usize) -> PathBuf {
        let program = home.join("driver");
        let script = format!(
            r#"#!/bin/sh
echo once >>"$HOME/starts"
if [ "$(wc -l <"$HOME/starts")" -le {times} ]; then
  echo "IPv4 port not available. Exiting..."
  exit 1
fi
echo "ChromeDriver was started successfully on port 4711."
exec sleep 60
"#
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    #[test]
    fn a_driver_that_finds_its_port_taken_is_started_again() {
        let home = tempfile::tempdir().unwrap();
        let (_guard, port) = start_driver(&driver_that_ends(home.path(), 2), home.path());
        assert_eq!(port, 4711);
        let starts = fs::read_to_string(home.path().join("starts")).unwrap();
        assert_eq!(starts.lines().count(), 3);
    }

    #[test]
    #[should_panic(expected = "IPv4 port not available")]
    fn a_driver_that_never_starts_is_told_with_what_it_said() {
        let home = tempfile::tempdir().unwrap();
        start_driver(&driver_that_ends(home.path(), STARTS), home.path());
    }
}
