//! A folder that passes for a machine, as on a laptop: shims first on PATH, `BIVOUAC_ROOT` set;
//! and a server that passes for the bucket.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, Vec<u8>>,
    /// How many requests are still answered with 503.
    busy: usize,
    requests: Vec<String>,
}

pub(crate) struct Machine {
    folder: tempfile::TempDir,
    address: String,
    bucket: Arc<Mutex<Bucket>>,
}

impl Machine {
    pub(crate) fn new(objects: &[(&str, &[u8])]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let objects = objects
            .iter()
            .map(|(name, bytes)| (format!("/{name}"), bytes.to_vec()));
        let bucket = Bucket {
            objects: objects.collect(),
            ..Bucket::default()
        };
        let bucket = Arc::new(Mutex::new(bucket));
        let shared = Arc::clone(&bucket);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &shared);
            }
        });
        let machine = Machine {
            folder: tempfile::tempdir().unwrap(),
            address,
            bucket,
        };
        for folder in ["tmp", "root", "usr/bin", "usr/sbin", "etc"] {
            std::fs::create_dir_all(machine.root().join(folder)).unwrap();
        }
        machine.shim(
            "usr/bin/systemctl",
            "echo \"systemctl $*\" >> \"$BIVOUAC_ROOT/calls\"",
        );
        // Power goes off under the script, too.
        let off = "echo poweroff >> \"$BIVOUAC_ROOT/calls\"; kill -TERM $PPID";
        machine.shim("usr/sbin/poweroff", off);
        machine
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root of it")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}?X-Amz-Signature=0&a='b", self.address)
    }

    pub(crate) fn busy_for(&self, requests: usize) {
        self.bucket.lock().unwrap().busy = requests;
    }

    pub(crate) fn object(&self, name: &str) -> Option<Vec<u8>> {
        self.bucket.lock().unwrap().objects.get(name).cloned()
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.bucket.lock().unwrap().requests.clone()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        let path = self.root().join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.root().join(path).symlink_metadata().is_ok()
    }

    /// What systemctl and poweroff were called with, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.root().join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// A program of one line. Another process writes it: what this one writes may be open for writing
    /// in whatever other tests are just starting, and such a file does not run.
    fn shim(&self, path: &str, line: &str) {
        let write = "printf '#!/bin/bash\\n%s\\n' \"$0\" > \"$1\" && chmod 755 \"$1\"";
        let mut bash = Command::new("/bin/bash");
        bash.args(["-c", write, line]).arg(self.root().join(path));
        assert!(bash.status().unwrap().success());
    }

    /// Runs user data as the first boot does, and gives the console.
    pub(crate) fn boot(&self, script: &str) -> (bool, String) {
        let before = listing(self.folder.path());
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(script).output().unwrap();
        assert_eq!(
            listing(self.folder.path()),
            before,
            "something was written beside the root"
        );
        let console = format!(
            "{}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        );
        (status.success(), console)
    }

    fn command(&self, script: &str) -> Command {
        self.write("user-data", script);
        let root = self.root();
        let path = std::env::var("PATH").unwrap();
        let shims = format!("{0}/usr/bin:{0}/usr/sbin:{path}", root.display());
        let mut command = Command::new("/bin/bash");
        command
            .arg(root.join("user-data"))
            .env_clear()
            .env("PATH", shims)
            .env("BIVOUAC_ROOT", &root)
            .env("HOME", root.join("root"))
            .env("TMPDIR", root.join("tmp"))
            .current_dir(&root);
        command
    }
}

fn listing(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    entries
}

/// One request on a connection, read whole and answered.
fn answer(stream: TcpStream, bucket: &Mutex<Bucket>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let mut length = 0;
    loop {
        let mut field = String::new();
        reader.read_line(&mut field).unwrap();
        if field.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = field.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let name = target.split('?').next().unwrap_or("").to_owned();

    let mut bucket = bucket.lock().unwrap();
    bucket.requests.push(format!("{method} {name}"));
    let (status, body) = if bucket.busy > 0 {
        bucket.busy -= 1;
        ("503 Slow Down", Vec::new())
    } else if method == "PUT" {
        bucket.objects.insert(name, body);
        ("200 OK", Vec::new())
    } else {
        match bucket.objects.get(&name) {
            Some(bytes) => ("200 OK", bytes.clone()),
            None => ("404 Not Found", b"<Error/>".to_vec()),
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = reader.into_inner();
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&body));
}
