//! A laptop for one test: a home of its own, the blueprints, and a look at what is left at the end.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// The root of the source tree.
pub(crate) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

pub(crate) struct Laptop {
    folder: TempDir,
}

/// Where homes are: not the usual folder for temporary files, which may be closed to PostgreSQL's
/// user.
pub(crate) const HOMES: &str = "/var/tmp";

impl Laptop {
    pub(crate) fn new() -> Laptop {
        Laptop::in_folder(Path::new(HOMES))
    }

    pub(crate) fn in_folder(homes: &Path) -> Laptop {
        let folder = tempfile::Builder::new()
            .prefix("bivouac-test-")
            .tempdir_in(homes)
            .unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        for kept in ["blueprints", "ami"] {
            copy(&source().join(kept), &folder.path().join(kept));
        }
        Laptop { folder }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn blueprint(&self) -> PathBuf {
        self.folder.path().join("blueprints/elastic-cache.yaml")
    }

    /// Changes the blueprint; what is replaced has to be there.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        self.edit_in("blueprints/elastic-cache.yaml", from, to);
    }

    /// Changes a file in the laptop's folder; what is replaced has to be there.
    pub(crate) fn edit_in(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// The program as a user has it, with nothing of cargo's and no account.
    pub(crate) fn deploy(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        self.surround(&mut command);
        command
    }

    /// The environment of a test's programs.
    pub(crate) fn surround(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_")
                || text.starts_with("CARGO_MANIFEST_")
                || text.starts_with("AWS_")
            {
                command.env_remove(&name);
            }
        }
        command
            .env_remove("CARGO")
            .env("BIVOUAC_HOME", self.home())
            .env("SHELL", "/bin/sh")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    }

    /// Runs a program in a shell that has taken in what `deploy env` prints. The AWS command line is on
    /// its PATH.
    pub(crate) fn with_env(&self, words: &[&str]) -> Said {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let tools = target.join("clients/today/bin");
        assert!(
            tools.join("aws").is_file(),
            "there is no {}/aws; make it: cargo xtask ci --only tools",
            tools.display()
        );
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        // Without an address the tools would call AWS.
        let script = r#"eval "$("$DEPLOY" env)"; : "${AWS_ENDPOINT_URL:?}"; exec "$@""#;
        command
            .args(["-c", script, "sh"])
            .args(words)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        self.surround(&mut command);
        command
            .env("DEPLOY", env!("CARGO_BIN_EXE_deploy"))
            .env("PATH", path);
        Said::from(command.output().unwrap())
    }

    /// Runs a command to its end, and shows all it said when its exit code is another.
    pub(crate) fn run(&self, arguments: &[&str], code: i32) -> Said {
        let output = self.deploy(arguments).output().unwrap();
        let said = Said::from(output);
        assert_eq!(
            said.code,
            Some(code),
            "deploy {arguments:?} said\n{}\n{}",
            said.out,
            said.err
        );
        said
    }

    /// Starts localcloud in a network of the test's choice, before `up` would start it.
    pub(crate) fn start_localcloud(&self, network: u8) -> Child {
        let program = Path::new(env!("CARGO_BIN_EXE_deploy")).with_file_name("localcloud");
        let home = self.home().join("localcloud");
        std::fs::create_dir_all(&home).unwrap();
        std::fs::set_permissions(self.home(), std::fs::Permissions::from_mode(0o711)).unwrap();
        let mut command = Command::new(program);
        command
            .arg("serve")
            .arg("--home")
            .arg(&home)
            .args(["--first-network", &network.to_string()]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !home.join("endpoint.json").exists() {
            assert!(child.try_wait().unwrap().is_none(), "localcloud ended");
            assert!(Instant::now() < deadline, "localcloud did not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
        child
    }

    /// What localcloud answers its owner in its own name.
    pub(crate) fn ask_localcloud(&self, what: &str) -> Value {
        self.call_localcloud("GET", what)
    }

    /// Tells localcloud something, as its owner.
    pub(crate) fn tell_localcloud(&self, what: &str) -> Value {
        self.call_localcloud("POST", what)
    }

    fn call_localcloud(&self, method: &str, what: &str) -> Value {
        let file = self.home().join("localcloud/endpoint.json");
        let file: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let address = file["endpoint"].as_str().unwrap().replace("http://", "");
        let secret = file["secret-access-key"].as_str().unwrap();
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "{method} /_localcloud/{what} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: Bearer {secret}\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    pub(crate) fn up(&self) -> Said {
        self.run(&["up", "blueprints/elastic-cache.yaml"], 0)
    }

    pub(crate) fn outputs(&self) -> Value {
        serde_json::from_str(&self.run(&["output", "elastic-cache", "--json"], 0).out).unwrap()
    }

    pub(crate) fn front_end(&self) -> String {
        self.outputs()["front-end"].as_str().unwrap().to_owned()
    }

    /// The processes of the home whose command line holds these words, the oldest first. Their ids do
    /// not tell: they begin anew once the kernel has given out the highest.
    pub(crate) fn processes(&self, words: &str) -> Vec<i32> {
        let all = processes_of(&self.home()).into_iter();
        all.filter(|process| process.words.contains(words))
            .map(|process| process.pid)
            .collect()
    }

    /// Ends all that the home runs at once, as when the machine loses its power.
    pub(crate) fn cut_power(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let left = self.processes("");
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "these stay: {left:?}");
            kill_all(&left);
        }
    }

    /// Takes the deployment away and looks with other means than ours whether it went.
    pub(crate) fn down_to_zero(&self) -> Said {
        let said = self.run(&["down", "elastic-cache", "--yes"], 0);
        self.assert_no_trace();
        said
    }

    pub(crate) fn assert_no_trace(&self) {
        let left = processes_of(&self.home());
        assert!(left.is_empty(), "processes are left: {left:?}");
        // The receipts of what went are meant to stay.
        let receipts = self.home().join("receipts");
        let is_receipt = |path: &PathBuf| {
            let kind = path.extension();
            *path == receipts
                || path.parent() == Some(&receipts)
                    && kind.is_some_and(|kind| kind == "json" || kind == "html")
        };
        let mut kept = walk(&self.home());
        kept.retain(|path| !is_receipt(path));
        assert!(kept.is_empty(), "files are left: {kept:?}");
    }
}

impl Drop for Laptop {
    /// A test that failed leaves nothing running.
    fn drop(&mut self) {
        kill_all(&self.processes(""));
    }
}

/// `kill -9`. One that has ended meanwhile has what was wanted.
pub(crate) fn kill_all(pids: &[i32]) {
    for pid in pids {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
}

/// What a program said, and how it ended.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A process as /proc showed it.
#[derive(Debug)]
struct Process {
    pid: i32,
    /// In the kernel's ticks since it began.
    started: u64,
    /// Its command line.
    words: String,
    /// Whether it was started for the home that was asked about: it carries it in its words or
    /// environment, or works in it.
    is_of_home: bool,
}

impl Process {
    /// `None` if the entry is no process, or one that has ended meanwhile.
    fn read(entry: &Path, home: &Path) -> Option<Process> {
        let read = |name: &str| {
            let bytes = std::fs::read(entry.join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let pid = entry.file_name()?.to_str()?.parse().ok()?;
        let stat = read("stat");
        // The second field is the program's name, which may hold anything; the start is the 22nd
        // (proc_pid_stat(5)).
        let (_, fields) = stat.rsplit_once(')')?;
        let started = fields.split_whitespace().nth(19)?.parse().ok()?;
        let words = read("cmdline").replace('\0', " ");
        let name = home.to_str()?;
        let works_in = std::fs::read_link(entry.join("cwd"));
        let is_of_home = words.contains(name)
            || read("environ").contains(name)
            || works_in.is_ok_and(|folder| folder.starts_with(home));
        Some(Process {
            pid,
            started,
            words,
            is_of_home,
        })
    }
}

/// The processes that were started for a home, the oldest first. Our own `deploy` of this moment has
/// ended when this is asked.
fn processes_of(home: &Path) -> Vec<Process> {
    let this = i32::try_from(std::process::id()).unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let mut found: Vec<Process> = entries
        .filter_map(|entry| Process::read(&entry.path(), home))
        .filter(|process| process.is_of_home && process.pid != this)
        .collect();
    found.sort_by_key(|process| (process.started, process.pid));
    found
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flatten()
        .flat_map(|entry| [vec![entry.path()], walk(&entry.path())].concat())
        .collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
