//! The servers of one part, what they hand out, and what has to be there for them to work.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::TempDir;

use super::asking::{Protocol, Question};
use super::backstage::{Backstage, EPOCH, TOKEN};
use super::content::{content, key, key_answer};
use super::database::Database;
use super::errors::BenchError;
use super::process::{Cores, Process, Program};
use super::rival;
use super::{Bare, Part, SIZES};

const BARE: u16 = 5010;
const FRONT_END: u16 = 5000;
const NODE: u16 = 5003;
const BACKSTAGE: u16 = 5001;

/// A server that is measured, and what it is asked, in the order of [`SIZES`].
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) process: Process,
    pub(super) questions: Vec<Question>,
}

/// See the module. Everything ends when it is dropped.
pub(super) struct Stage {
    pub(super) title: &'static str,
    /// What a reader of the table has to know beside it.
    pub(super) note: Option<String>,
    pub(super) subjects: Vec<Subject>,
    /// The place of ours among them.
    pub(super) ours: usize,
    _needed: Needed,
}

/// What works for the servers, on the others' core.
struct Needed {
    _backstage: Backstage,
    _node: Option<Process>,
    _database: Option<Database>,
    _home: TempDir,
}

/// Where everything of a part is.
struct Place {
    cores: Cores,
    address: Ipv4Addr,
    home: TempDir,
    programs: PathBuf,
}

impl Stage {
    pub(super) async fn set(part: Part, cores: Cores) -> Result<Self, BenchError> {
        let place = Place::new(part, cores)?;
        match part {
            Part::Node => place.node_part().await,
            Part::Key => place.key_part().await,
            Part::Upload => place.upload_part().await,
        }
    }
}

impl Place {
    fn new(part: Part, cores: Cores) -> Result<Self, BenchError> {
        let home = TempDir::new().map_err(BenchError::machine("making a folder"))?;
        let bench = std::env::current_exe().map_err(BenchError::machine("finding this program"))?;
        let programs = bench.parent().unwrap_or(Path::new("/")).to_owned();
        // An address of this process's own: the servers have the ports that they have on an instance.
        let [.., third, fourth] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 80 + part as u8, third, fourth);
        Ok(Self {
            cores,
            address,
            home,
            programs,
        })
    }

    fn at(&self, port: u16) -> SocketAddr {
        (self.address, port).into()
    }

    async fn node_part(self) -> Result<Stage, BenchError> {
        let backstage = Backstage::open(self.at(BACKSTAGE), self.at(NODE)).await?;
        let bare = self.bare(Bare::Content, self.at(NODE)).await?;
        let node = self.node(self.cores.servers).await?;
        backstage.fill().await?;
        let of = |address| SIZES.map(|size| entry(address, size)).to_vec();
        let mut subjects = vec![
            Subject {
                name: "bare hyper",
                process: bare,
                questions: of(self.at(BARE)),
            },
            Subject {
                name: "cache-node",
                process: node,
                questions: of(self.at(NODE)),
            },
        ];
        let rival =
            rival::start(self.cores.servers, self.at(rival::PORT), self.home.path()).await?;
        let note = rival.is_none().then(|| rival::MISSING.to_owned());
        subjects.extend(rival);
        Ok(Stage {
            title: "GET of a cache node",
            note,
            subjects,
            ours: 1,
            _needed: Needed {
                _backstage: backstage,
                _node: None,
                _database: None,
                _home: self.home,
            },
        })
    }

    async fn key_part(self) -> Result<Stage, BenchError> {
        let behind = self.at(NODE);
        let title = "/api/key of the front-end, found in a cache node";
        let question = |address, size| {
            let key = key(size);
            let answer = key_answer(&key, &content(size));
            let head = format!(
                "POST /api/key/{key} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\n\r\n"
            );
            http(address, head.into(), answer.into())
        };
        self.front_end_part(title, Bare::Hop, behind, question, question)
            .await
    }

    async fn upload_part(self) -> Result<Stage, BenchError> {
        let behind = self.at(BACKSTAGE);
        let title = "/api/upload of the front-end, over what it holds already";
        let bare = |address, size| http(address, upload(address, size), Bytes::from_static(b"{}"));
        let ours = |address, size| {
            let answer = format!(r#"{{"success":"true","key":"{}"}}"#, key(size));
            http(address, upload(address, size), answer.into())
        };
        self.front_end_part(title, Bare::Writer, behind, bare, ours)
            .await
    }

    async fn front_end_part(
        self,
        title: &'static str,
        bare: Bare,
        behind: SocketAddr,
        bare_question: impl Fn(SocketAddr, usize) -> Question,
        question: impl Fn(SocketAddr, usize) -> Question,
    ) -> Result<Stage, BenchError> {
        let backstage = Backstage::open(self.at(BACKSTAGE), self.at(NODE)).await?;
        let node = self.node(self.cores.others).await?;
        backstage.fill().await?;
        let database = Database::start().await?;
        let bare = self.bare(bare, behind).await?;
        let front_end = self.front_end(&database).await?;
        let address = self.at(FRONT_END);
        backstage.until_ready(address).await?;
        let subjects = vec![
            Subject {
                name: "bare proxy",
                process: bare,
                questions: SIZES
                    .map(|size| bare_question(self.at(BARE), size))
                    .to_vec(),
            },
            Subject {
                name: "front-end",
                process: front_end,
                questions: SIZES.map(|size| question(address, size)).to_vec(),
            },
        ];
        Ok(Stage {
            title,
            note: None,
            subjects,
            ours: 1,
            _needed: Needed {
                _backstage: backstage,
                _node: Some(node),
                _database: Some(database),
                _home: self.home,
            },
        })
    }

    async fn bare(&self, bare: Bare, behind: SocketAddr) -> Result<Process, BenchError> {
        use clap::ValueEnum;
        let kind = bare
            .to_possible_value()
            .map(|value| value.get_name().to_owned());
        let mut arguments = vec!["serve".to_owned(), kind.unwrap_or_default()];
        arguments.extend([self.at(BARE).to_string(), behind.to_string()]);
        if bare == Bare::Hop {
            arguments.push(format!("{}={TOKEN}", kit::token::HEADER));
            arguments.push(format!("{}={EPOCH}", kit::pool::EPOCH));
        }
        let program = Program {
            path: &self.programs.join("bench"),
            arguments,
            environment: Vec::new(),
            log: self.home.path().join("bare.log"),
        };
        program.start(self.cores.servers, self.at(BARE)).await
    }

    async fn node(&self, core: usize) -> Result<Process, BenchError> {
        let settings = serde_json::json!({
            "instance": self.instance(),
            "namespace": "Bivouac/bench",
            "cache-node": { "port": NODE, "capacity": 64 << 20, "policy": "lru" },
            "secrets": { "internal-token": TOKEN },
        });
        self.service("cache-node", &settings, core, self.at(NODE))
            .await
    }

    async fn front_end(&self, database: &Database) -> Result<Process, BenchError> {
        let settings = serde_json::json!({
            "deployment": "bench",
            "instance": self.instance(),
            "bucket": "photos",
            "database": database.settings(),
            "front-end": { "port": FRONT_END },
            "manager": { "port": BACKSTAGE },
            "secrets": {
                "database-password": Database::PASSWORD,
                "internal-token": TOKEN,
            },
        });
        let core = self.cores.servers;
        self.service("front-end", &settings, core, self.at(FRONT_END))
            .await
    }

    fn instance(&self) -> serde_json::Value {
        serde_json::json!({
            "id": "i-0123456789abcdef0", "address": self.address, "zone": "us-east-1a",
            "type": "t3.micro", "region": "us-east-1",
        })
    }

    /// Starts a program as `boot` does, its AWS being the backstage.
    async fn service(
        &self,
        name: &str,
        settings: &serde_json::Value,
        core: usize,
        address: SocketAddr,
    ) -> Result<Process, BenchError> {
        let home = self.home.path();
        let file = home.join(format!("{name}.json"));
        std::fs::write(&file, settings.to_string())
            .map_err(BenchError::machine("writing a service's settings"))?;
        let program = Program {
            path: &self.programs.join(name),
            arguments: Vec::new(),
            environment: vec![
                (kit::settings::VARIABLE, file.display().to_string()),
                ("BIVOUAC_ROOT", home.display().to_string()),
                ("AWS_ENDPOINT_URL", format!("http://{}", self.at(BACKSTAGE))),
                ("AWS_ACCESS_KEY_ID", "bench".to_owned()),
                ("AWS_SECRET_ACCESS_KEY", "bench".to_owned()),
                ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ],
            log: home.join(format!("{name}.log")),
        };
        program.start(core, address).await
    }
}

fn http(address: SocketAddr, request: Bytes, answer: Bytes) -> Question {
    Question {
        address,
        protocol: Protocol::Http,
        request,
        answer,
    }
}

/// A front-end's request to a node; the bare server is sent the same, and looks at the path only.
fn entry(address: SocketAddr, size: usize) -> Question {
    let request = format!(
        "GET /entries/{} HTTP/1.1\r\nhost: {address}\r\n{}: {TOKEN}\r\n{}: {EPOCH}\r\n{}: 0123456789abcdef\r\n\r\n",
        key(size),
        kit::token::HEADER,
        kit::pool::EPOCH,
        kit::request_id::HEADER,
    );
    http(address, request.into(), content(size))
}

/// A form as most clients send it.
fn upload(address: SocketAddr, size: usize) -> Bytes {
    let before = format!(
        "--XX\r\ncontent-disposition: form-data; name=\"key\"\r\n\r\n{}\r\n--XX\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n",
        key(size)
    );
    let after = "\r\n--XX--\r\n";
    let length = before.len() + size + after.len();
    let head = format!(
        "POST /api/upload HTTP/1.1\r\nhost: {address}\r\ncontent-type: multipart/form-data; boundary=XX\r\ncontent-length: {length}\r\n\r\n"
    );
    [
        head.as_bytes(),
        before.as_bytes(),
        &content(size),
        after.as_bytes(),
    ]
    .concat()
    .into()
}
