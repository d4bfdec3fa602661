//! Photos of a running deployment: single ones, sent and read again, with what was acknowledged
//! remembered; and load, of which every answer is checked.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use load::drive::{Drive, Pace, Pictures, Running, Workload};
use serde_json::Value;
use tokio::runtime::Runtime;

/// How long anything that comes back by itself may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The photos of one front-end. Clones are the same photos.
#[derive(Clone)]
pub(crate) struct Photos(Arc<Inner>);

struct Inner {
    /// `address:port`.
    at: String,
    sent: Mutex<BTreeMap<String, Sent>>,
    count: AtomicU32,
    drive: Drive,
    runtime: Runtime,
}

/// What a key may hold: what was acknowledged last, or what was sent since then without an answer.
#[derive(Clone, Default)]
struct Sent {
    acknowledged: Option<Vec<u8>>,
    unsure: Vec<Vec<u8>>,
}

impl Sent {
    fn may_be(&self, content: &[u8]) -> bool {
        self.acknowledged
            .iter()
            .chain(&self.unsure)
            .any(|sent| sent == content)
    }
}

impl Photos {
    pub(crate) fn at(front_end: &str) -> Photos {
        Photos(Arc::new(Inner {
            at: front_end.strip_prefix("http://").unwrap().to_owned(),
            sent: Mutex::default(),
            count: AtomicU32::new(0),
            drive: Drive::new(&front_end.parse().unwrap(), workload()),
            runtime: Runtime::new().unwrap(),
        }))
    }

    /// The same photos, where their front-end is now.
    pub(crate) fn moved_to(&self, front_end: &str) -> Photos {
        let moved = Photos::at(front_end);
        let sent = self.0.sent.lock().unwrap().clone();
        *moved.0.sent.lock().unwrap() = sent;
        moved
    }

    /// `address:port` of the front-end.
    pub(crate) fn address(&self) -> &str {
        &self.0.at
    }

    /// Sends a new photo of so many bytes; the status and the message of a refusal otherwise.
    pub(crate) fn upload(&self, key: &str, length: usize) -> Result<(), String> {
        let seed = self.0.count.fetch_add(1, Ordering::Relaxed);
        let content: Vec<u8> = (0..length)
            .map(|place| (place as u32).wrapping_mul(seed | 1).to_be_bytes()[1])
            .chain(seed.to_be_bytes())
            .collect();
        self.change(key, |sent| sent.unsure.push(content.clone()));
        self.send(key, &content)?;
        self.change(key, |sent| {
            *sent = Sent {
                acknowledged: Some(content),
                unsure: Vec::new(),
            };
        });
        Ok(())
    }

    /// Sends a photo that need not be remembered.
    pub(crate) fn send(&self, key: &str, content: &[u8]) -> Result<(), String> {
        let answer = self.post("/api/upload", FORM_TYPE, &form(key, content))?;
        assert_eq!(answer["key"], key);
        Ok(())
    }

    pub(crate) fn read(&self, key: &str) -> Result<Vec<u8>, String> {
        let answer = self.post(&format!("/api/key/{key}"), "text/plain", b"")?;
        let content = answer["content"].as_str().unwrap();
        Ok(base64_simd::STANDARD.decode_to_vec(content).unwrap())
    }

    /// Asks for something below `/api`.
    pub(crate) fn ask(&self, path: &str) -> Result<Value, String> {
        self.post(path, "text/plain", b"")
    }

    /// Waits until a photo can be stored and read.
    pub(crate) fn await_service(&self) {
        asked_again(|| {
            self.upload("probe", 1000)
                .and_then(|()| self.read("probe").map(drop))
        });
    }

    /// Reads every photo that was acknowledged, those of the load too; each has to be there, to the
    /// byte. What was killed a moment ago may be away once more: whoever is refused asks again.
    pub(crate) fn assert_all_there(&self) {
        let keys: Vec<String> = self.0.sent.lock().unwrap().keys().cloned().collect();
        let mut there = 0;
        for key in keys {
            let before = self.sent(&key);
            if before.acknowledged.is_none() {
                continue;
            }
            let found = asked_again(|| self.read(&key));
            let fits = before.may_be(&found) || self.sent(&key).may_be(&found);
            assert!(fits, "{key} is another photo than the one stored");
            there += 1;
        }
        assert!(there > 0, "no upload was acknowledged");
        asked_again(|| {
            let read = self.0.runtime.block_on(self.0.drive.read_all());
            self.assert_no_violation();
            match read.failed() {
                0 => Ok(()),
                _ => Err(format!("{:?}", read.failures)),
            }
        });
    }

    fn assert_no_violation(&self) {
        let violations = self.0.drive.violations();
        assert!(violations.is_empty(), "{violations:?}");
    }

    /// What the load was not answered since this was last asked, and how often.
    pub(crate) fn failures(&self) -> BTreeMap<String, u64> {
        self.0.drive.cut_phase().tally.failures
    }

    /// Sends and reads photos until the load is ended. A reader may be turned away, but never be given
    /// another photo.
    pub(crate) fn load(&self) -> Load {
        let pace = Pace::Closed {
            clients: 2,
            think: Duration::from_millis(15),
        };
        let _inside = self.0.runtime.enter();
        Load {
            running: self.0.drive.start(pace).unwrap(),
            photos: self.clone(),
        }
    }

    fn sent(&self, key: &str) -> Sent {
        let sent = self.0.sent.lock().unwrap();
        sent.get(key).cloned().unwrap_or_default()
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Sent)) {
        change(
            self.0
                .sent
                .lock()
                .unwrap()
                .entry(key.to_owned())
                .or_default(),
        );
    }

    fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Value, String> {
        let answer = exchange(&self.0.at, path, content_type, body);
        let answer = answer.map_err(|error| error.to_string())?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status != "200" {
            return Err(format!("{status} {body}"));
        }
        serde_json::from_str(body).map_err(|error| error.to_string())
    }
}

/// What is answered in the end: whoever is refused asks again, for as long as [`PATIENCE`].
pub(crate) fn asked_again<T>(ask: impl Fn() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "it stays so: {error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn workload() -> Workload {
    Workload {
        keys: 20,
        prefix: "photo-".to_owned(),
        distribution: "uniform".parse().unwrap(),
        reads: "0.5".parse().unwrap(),
        pictures: Pictures::made_up(300..=120_000, 1).unwrap(),
        seed: 1,
        time: Duration::from_secs(30),
    }
}

/// Clients that use a deployment.
pub(crate) struct Load {
    running: Running,
    photos: Photos,
}

impl Load {
    pub(crate) fn end(self) {
        self.photos.0.runtime.block_on(self.running.stop());
        self.photos.assert_no_violation();
    }
}

const FORM_TYPE: &str = "multipart/form-data; boundary=7MA4YWxkTrZu0gW";

fn form(key: &str, content: &[u8]) -> Vec<u8> {
    let part = |name: &str| {
        format!("--7MA4YWxkTrZu0gW\r\nContent-Disposition: form-data; name={name}\r\n\r\n")
    };
    let head = format!(
        "{}{key}\r\n{}",
        part("\"key\""),
        part("\"file\"; filename=\"a.png\"")
    );
    [head.as_bytes(), content, b"\r\n--7MA4YWxkTrZu0gW--\r\n"].concat()
}

/// What a service tells whoever asks.
pub(crate) fn get(at: &str, path: &str) -> std::io::Result<String> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    send(at, head.as_bytes())
}

fn exchange(at: &str, path: &str, content_type: &str, body: &[u8]) -> std::io::Result<String> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    send(at, &[head.as_bytes(), body].concat())
}

fn send(at: &str, request: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
