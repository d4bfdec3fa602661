//! Starting and stopping a localcloud, in a program or in a test.

use std::io;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::EndpointFile;
use crate::auth::{Credential, Credentials, RootKey};
use crate::calls::Calls;
use crate::cloud::Cloud;
use crate::connections;
use crate::context::Context;
use crate::faults::{Faults, Plan};
use crate::home::Home;
use crate::network::Network;
use crate::process;
use crate::record::Record;
use crate::rehearsal::{Rehearsal, Stage};
use crate::server::Server;
use crate::state::{Document, StateError, StateFolder, write_atomically};

/// What instances are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MachineKind {
    /// Processes with a root folder, an address and a metadata service.
    #[default]
    Real,
    /// Nothing: only their states change.
    Paper,
}

/// How to start a localcloud.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that holds all of it.
    pub home: PathBuf,
    /// What instances are made of.
    pub machines: MachineKind,
    /// The program `localcloud`, which instances need for their init. Left out: this program, or the
    /// one called `localcloud` beside it or one folder up (where cargo puts it for a test).
    pub init_program: Option<PathBuf>,
    /// The first number N to try when it takes a network 127.77.N.0/24 for the first time. A test that
    /// stops and starts again begins high, where no other test takes its network in between.
    pub first_network: u8,
    /// Which calls go wrong, if any.
    pub faults: Option<Plan>,
    /// Which kind of account is rehearsed, and how; left out: nothing takes time, nothing is scarce.
    pub rehearsal: Option<Rehearsal>,
    /// A file to which every request is appended with its answer, one JSON object a line; it holds what
    /// was sent, passwords too.
    pub record: Option<PathBuf>,
}

impl Options {
    /// Real machines in the given folder.
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self {
            home: home.into(),
            machines: MachineKind::Real,
            init_program: None,
            first_network: 0,
            faults: None,
            rehearsal: None,
            record: None,
        }
    }

    /// Paper machines in the given folder.
    pub fn paper(home: impl Into<PathBuf>) -> Self {
        Self {
            machines: MachineKind::Paper,
            ..Self::new(home)
        }
    }
}

/// Why localcloud does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The home folder cannot be made or locked.
    #[error("cannot use {} as localcloud's home", path.display())]
    Home {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another localcloud runs in the same home.
    #[error(
        "{} is in use by the localcloud with process id {holder}; use that one, or stop it first",
        path.display()
    )]
    Held {
        /// The folder.
        path: PathBuf,
        /// The other's process id.
        holder: String,
    },
    /// The endpoint's address is taken.
    #[error("cannot listen on {address}{}", crate::network::who_listens(*address))]
    Listen {
        /// The address.
        address: SocketAddrV4,
        /// Why not.
        source: io::Error,
    },
    /// The network that this account's instances and databases live in is taken.
    #[error(
        "this home's instances have their addresses around {address}, which is taken{}; stop that program first",
        crate::network::who_listens(*address)
    )]
    NetworkTaken {
        /// The endpoint's address.
        address: SocketAddrV4,
        /// Why it cannot be had.
        source: io::Error,
    },
    /// All of 127.77.0.0/16 is taken.
    #[error("each of the 256 networks 127.77.N.0/24 is taken by another localcloud")]
    NoNetwork,
    /// The state on disk cannot be used.
    #[error("cannot load the state")]
    State(#[from] StateError),
    /// There is no program for the instances' init.
    #[error(
        "there is no program `localcloud` beside {}; build it with `cargo build --release -p localcloud`",
        near.display()
    )]
    NoInitProgram {
        /// Where it was looked for.
        near: PathBuf,
    },
    /// Requests cannot be written down.
    #[error("cannot write requests down in {}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A service needs something that is not there.
    #[error("cannot start {service}")]
    Service {
        /// Its name.
        service: &'static str,
        /// What it needs.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What identifies an account over its restarts.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Identity {
    key: Option<RootKey>,
    network: Option<u8>,
}

/// A localcloud that serves. Dropping it without [`Running::shutdown`] lets go of everything as a
/// crash would: the processes end, the state stays.
#[derive(Debug)]
pub struct Running {
    cloud: Arc<Cloud>,
    slots: Arc<Semaphore>,
    serving: JoinHandle<()>,
}

/// Starts a localcloud and returns when it answers.
///
/// # Errors
/// The home or the network is taken, the state is damaged, or something a service needs is missing.
pub fn start(options: Options) -> BoxFuture<'static, Result<Running, StartError>> {
    // Boxed, so that it is compiled here and not in every program and test that awaits it.
    async move {
        let paper = options.machines == MachineKind::Paper;
        let init_program = match options.init_program {
            Some(program) => program,
            None if paper => PathBuf::new(),
            None => find_init_program()?,
        };
        let record = options.record.map(open_record).transpose()?;
        let home = Arc::new(claim(&options.home).await?);
        let state = StateFolder::open(home.join("state"), !paper)?;
        let document: Document<Identity> = state.document("account")?;
        let mut identity = document.read(Clone::clone);
        let (network, listener) = match identity.network {
            Some(number) => Network::reclaim(number).await?,
            None => Network::claim(options.first_network)?,
        };
        let key = identity.key.get_or_insert_with(RootKey::generate).clone();
        identity.network = Some(network.number());
        document.change(|saved| {
            *saved = identity;
            Ok::<_, StateError>(())
        })?;
        let stopping = CancellationToken::new();
        let context = Arc::new(Context {
            home,
            state,
            network,
            credentials: Credentials::new(&key),
            init_program,
            paper,
            faults: Faults::new(options.faults),
            stage: Stage::new(options.rehearsal, stopping.clone()),
            calls: Calls::default(),
            stopping,
            tasks: TaskTracker::new(),
        });
        let cloud = Arc::new(Cloud::open(Arc::clone(&context)).await?);
        let listener =
            tokio::net::TcpListener::from_std(listener).map_err(|source| StartError::Listen {
                address: context.network.endpoint(),
                source,
            })?;
        let slots = connections::slots();
        let server = Server::new(Arc::clone(&cloud)).recording(record);
        let serving = server.serve(listener, Arc::clone(&slots));
        let serving = tokio::spawn(serving);
        cloud.resume().await;
        let running = Running {
            cloud,
            slots,
            serving,
        };
        running.write_endpoint_file()?;
        Ok(running)
    }
    .boxed()
}

impl Running {
    /// Where the API is: `http://127.77.N.1:4766`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.cloud.context.network.endpoint())
    }

    /// The account's twelve digits.
    pub fn account(&self) -> &str {
        self.cloud.context.account()
    }

    /// The account's own key.
    pub fn credentials(&self) -> &Credential {
        self.cloud.context.credentials.root()
    }

    /// Certificate (PEM) of the authority that signs the databases' certificates.
    pub fn ca(&self) -> PathBuf {
        self.cloud.context.home.join("ca.pem")
    }

    /// The folder that holds everything.
    pub fn home(&self) -> &Path {
        self.cloud.context.home.path()
    }

    /// All services, for a test that looks inside.
    pub fn cloud(&self) -> &Arc<Cloud> {
        &self.cloud
    }

    /// What goes wrong on purpose.
    pub fn faults(&self) -> &Faults {
        &self.cloud.context.faults
    }

    /// Waits until nobody is connected to the API: then every call has had its effect, also of
    /// callers that have died.
    pub async fn nobody_connected(&self) {
        connections::all_gone(&self.slots).await;
    }

    /// Waits until somebody asks it over the wire to stop.
    pub async fn stopping(&self) {
        self.cloud.context.stopping.cancelled().await;
    }

    /// Stops everything and waits for it. An account in which nothing is left leaves no files either.
    pub async fn shutdown(self) {
        let context = Arc::clone(&self.cloud.context);
        context.stopping.cancel();
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "the server ended badly");
        }
        self.cloud.shutdown().await;
        context.tasks.close();
        context.tasks.wait().await;
        self.cloud.settled().await;
        let empty = self.cloud.remaining().is_empty();
        let removed = if empty {
            context.home.remove()
        } else {
            std::fs::remove_file(EndpointFile::path(context.home.path()))
        };
        if let Err(error) = removed {
            tracing::error!(%error, home = %context.home.path().display(), "cannot remove files");
        }
    }

    fn write_endpoint_file(&self) -> Result<(), StartError> {
        let context = &self.cloud.context;
        let root = self.credentials();
        let file = EndpointFile {
            endpoint: self.endpoint(),
            account: context.account().to_owned(),
            access_key_id: root.access_key_id.clone(),
            secret_access_key: root.secret_access_key.clone(),
            ca: self.ca(),
            pid: std::process::id(),
        };
        let path = EndpointFile::path(context.home.path());
        serde_json::to_vec_pretty(&file)
            .map_err(io::Error::from)
            .and_then(|bytes| write_atomically(&path, &bytes, false))
            .map_err(|source| StartError::Home { path, source })
    }
}

/// Claims the home. What this process was just starting, or one that has ended, may still have its lock.
async fn claim(home: &Path) -> Result<Home, StartError> {
    let is_let_go = |error: &StartError| match error {
        StartError::Held { holder, .. } => !is_another_that_runs(holder),
        _ => false,
    };
    process::once_let_go(|| Home::claim(home), is_let_go).await
}

fn is_another_that_runs(pid: &str) -> bool {
    pid.parse::<u32>()
        .is_ok_and(|pid| pid != std::process::id() && process::runs(pid))
}

fn open_record(path: PathBuf) -> Result<Record, StartError> {
    Record::open(&path).map_err(|source| StartError::Record { path, source })
}

/// This program if it is localcloud, else the one of that name beside it or one folder up.
fn find_init_program() -> Result<PathBuf, StartError> {
    let current = std::env::current_exe().unwrap_or_default();
    if current.file_stem().is_some_and(|name| name == "localcloud") {
        return Ok(current);
    }
    current
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("localcloud"))
        .find(|program| program.is_file())
        .ok_or(StartError::NoInitProgram { near: current })
}
