//! A deployment in one process.

mod bucket;
mod cloud;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catalog::test_support::{self, PASSWORD, database, own_network};
use catalog::{
    By, Catalog, Change, Commit, DatabaseSettings, Decision, NewPhoto, Notes, Outcome, PoolState,
    Save, ScalerState,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use kit::client::Client;
use kit::door::Api;
use kit::expiry::Expiry;
use kit::pool::{Statistics, Table};
use kit::token::Token;
use manager::blueprint::Version;
use manager::deadline::Deadline;
use manager::nodes::Nodes;
use manager::settings::Settings;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::FakeMetrics;
pub(crate) use bucket::FakeBucket;
pub(crate) use cloud::FakeCloud;

pub(crate) const TOKEN: &str = "a-token-for-internal-use";
pub(crate) const API_TOKEN: &str = "a-token-for-the-api";
pub(crate) const MANAGER_PASSWORD: &str = "correct horse";
pub(crate) const DEPLOYMENT: &str = "elastic-cache";
pub(crate) const BLUEPRINT: &str = "settings/instance/manager/cache.json";
/// Three replacements, one after the other, on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(180);

/// A manager with its surroundings.
pub(crate) struct World {
    pub(crate) catalog: Catalog,
    pub(crate) cloud: FakeCloud,
    pub(crate) bucket: FakeBucket,
    pub(crate) metrics: FakeMetrics,
    pub(crate) client: Client,
    pub(crate) nodes: Nodes,
    address: SocketAddr,
    settings: Settings,
    pub(crate) expiry: Option<Expiry>,
    manager: Option<Runtime>,
}

impl World {
    /// A deployment whose manager was just started, with one node wished for.
    pub(crate) async fn start() -> Self {
        let (settings, _) = database().await;
        Self::start_on(&settings).await
    }

    /// The same, on another database.
    pub(crate) async fn start_on(database: &DatabaseSettings) -> Self {
        let mut world = Self::prepare(database);
        world.start_manager();
        world
    }

    /// The same, with its API closed.
    pub(crate) async fn start_closed() -> Self {
        let (settings, _) = database().await;
        let mut world = Self::prepare(&settings);
        world.settings.api = Api::Token;
        world.settings.secrets.api_token = Some(Token::new(API_TOKEN).unwrap());
        world.start_manager();
        world
    }

    /// A deployment whose pool was resized so many minutes before the manager was started; the scaler
    /// has grown it, and has held it since.
    pub(crate) async fn start_resized(resizes: &[(i64, u32, u32)]) -> Self {
        let (settings, _) = database().await;
        let mut world = Self::prepare(&settings);
        world.catalog.migrate().await.unwrap();
        let state = world
            .catalog
            .pool_or_create(&test_support::pool())
            .await
            .unwrap();
        let now = Timestamp::now();
        let changes = resizes.iter().map(|(ago, from, to)| Change {
            at: now - SignedDuration::from_mins(*ago),
            by: By::Scaler,
            what: "numNodes".to_owned(),
            from: from.to_string(),
            to: to.to_string(),
        });
        let mut notes = Notes {
            changes: changes.collect(),
            decision: Some(decision(Outcome::Grew, "grew 2 -> 4: 0.71 is above 0.6")),
        };
        let saved = world.catalog.save_pool(&state, &notes).await.unwrap();
        let Save::Done { revision } = saved else {
            panic!("somebody else writes")
        };
        let mut state = state;
        state.pool.revision = revision;
        notes.changes.clear();
        notes.decision = Some(decision(
            Outcome::Held,
            "held: no lookups in the last minute",
        ));
        world.catalog.save_pool(&state, &notes).await.unwrap();
        world.start_manager();
        world
    }

    /// Everything but the manager.
    pub(crate) fn prepare(database: &DatabaseSettings) -> Self {
        let network = own_network();
        let port = free_port(network, 1);
        let node_port = free_port(network, 2);
        let address = SocketAddr::new(at(network, 1), port);
        let settings = settings(database, address, node_port);
        let bucket = FakeBucket::default();
        bucket.write(BLUEPRINT, &blueprint());
        Self {
            catalog: Catalog::connect(database, PASSWORD).unwrap(),
            cloud: FakeCloud::new(network, node_port),
            bucket,
            metrics: FakeMetrics::default(),
            client: Client::new(),
            nodes: Nodes::new(settings.secrets.internal_token.clone()),
            address,
            settings,
            expiry: None,
            manager: None,
        }
    }

    /// The same deployment, with another manager of its own that was started by mistake.
    pub(crate) fn beside(&self) -> Self {
        let mut settings = self.settings.clone();
        settings.manager.port = free_port(self.cloud.network, 1);
        let mut world = Self {
            catalog: self.catalog.clone(),
            cloud: self.cloud.clone(),
            bucket: self.bucket.clone(),
            metrics: self.metrics.clone(),
            client: Client::new(),
            nodes: self.nodes.clone(),
            address: SocketAddr::new(self.address.ip(), settings.manager.port),
            settings,
            expiry: None,
            manager: None,
        };
        world.start_manager();
        world
    }

    /// Starts the manager, in a runtime of its own so that it can be killed.
    pub(crate) fn start_manager(&mut self) {
        let runtime = runtime();
        let listener = bind(self.address);
        listener.set_nonblocking(true).unwrap();
        let (settings, cloud, bucket) = (
            self.settings.clone(),
            self.cloud.clone(),
            self.bucket.clone(),
        );
        let metrics = Arc::new(self.metrics.clone());
        let deadline = Deadline::fixed(self.expiry);
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let shutdown = CancellationToken::new();
            let ended = manager::run(
                settings, listener, cloud, bucket, metrics, deadline, shutdown,
            );
            let ended = ended.await;
            panic!("the manager ended: {ended:?}");
        });
        self.manager = Some(runtime);
    }

    /// Ends the manager at once, wherever it is.
    pub(crate) async fn kill_manager(&mut self) {
        if let Some(manager) = self.manager.take() {
            tokio::task::spawn_blocking(move || {
                manager.shutdown_timeout(Duration::from_secs(5));
            })
            .await
            .unwrap();
        }
    }

    pub(crate) async fn send(&self, request: Request<kit::body::Body>) -> Response<Bytes> {
        self.client
            .send(request, Duration::from_secs(30))
            .await
            .unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: &str,
    ) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(self.url(path));
        if let Some(own) = request.headers_mut() {
            own.extend(headers.clone());
        }
        let body = kit::body::full(body.to_owned());
        self.send(request.body(body).unwrap()).await
    }

    /// POSTs without a body, as the contract's clients do.
    pub(crate) async fn post(&self, path: &str) -> (StatusCode, String) {
        let answer = self.call(Method::POST, path, &HeaderMap::new(), "").await;
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        (answer.status(), text)
    }

    /// The published table, or `None` while the manager does not answer in time.
    pub(crate) async fn try_table(&self, after: u64) -> Option<Table> {
        let request = Request::builder()
            .uri(self.url(&format!("/internal/table?after={after}")))
            .header("x-bivouac-token", TOKEN)
            .body(kit::body::empty())
            .unwrap();
        let answer = self
            .client
            .send(request, Duration::from_secs(1))
            .await
            .ok()?;
        serde_json::from_slice(answer.body()).ok()
    }

    /// Waits until the published table is as wished.
    pub(crate) async fn table_when(&self, what: &str, is_right: impl Fn(&Table) -> bool) -> Table {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let table = self.try_table(0).await;
            match table {
                Some(table) if is_right(&table) => return table,
                _ if Instant::now() >= deadline => panic!("{what}: the table is {table:?}"),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Waits until so many nodes serve and no place is empty.
    pub(crate) async fn serving(&self, nodes: usize) -> Table {
        self.table_when(&format!("waiting for {nodes} nodes"), |table| {
            table.nodes.len() == nodes && table.nodes.iter().all(Option::is_some)
        })
        .await
    }

    /// The pool as the database has it.
    pub(crate) async fn pool(&self) -> PoolState {
        let text = self.bucket.json(BLUEPRINT).unwrap().to_string();
        let version = Version::read(text.as_bytes()).unwrap();
        let first = version.blueprint.first("cache");
        self.catalog.pool_or_create(&first).await.unwrap()
    }

    /// The deployer writes another blueprint of the pool.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Value)) {
        let mut value = self.bucket.json(BLUEPRINT).unwrap();
        change(&mut value);
        self.bucket.write(BLUEPRINT, &value);
    }

    /// What the manager last said in the bucket.
    pub(crate) fn status(&self) -> Value {
        self.bucket
            .json("status/manager.json")
            .unwrap_or(Value::Null)
    }

    /// Waits until the manager says that all of the blueprint is in effect.
    pub(crate) async fn in_effect(&self) {
        let text = self.bucket.json(BLUEPRINT).unwrap().to_string();
        let hash = hex::encode(Sha256::digest(text));
        until("the blueprint in effect", async || {
            self.status()["blueprint"] == hash
        })
        .await;
    }

    /// Uploads a photo of five bytes, as a front-end does.
    pub(crate) async fn upload(&self, key: &str) {
        let object = format!("photos/{key}");
        self.catalog.begin_upload(&object).await.unwrap();
        self.bucket.insert(&object);
        let photo = NewPhoto {
            key,
            object: &object,
            size: 5,
            content_type: "image/png",
            etag: None,
        };
        let commit = self.catalog.commit_upload(&photo).await.unwrap();
        assert!(matches!(commit, Commit::Done { .. }));
    }

    /// Waits until EC2 has so many instances that live.
    pub(crate) async fn instances(&self, count: usize) {
        until(&format!("{count} living instances"), async || {
            self.cloud.living().len() == count
        })
        .await;
    }

    /// What a node says of itself. It has little time for an answer, and is asked again.
    pub(crate) async fn statistics(&self, address: &str) -> Statistics {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.nodes.statistics(address).await {
                Ok(statistics) => return statistics,
                Err(error) => assert!(Instant::now() < deadline, "{address}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(manager) = self.manager.take() {
            manager.shutdown_background();
        }
        self.cloud.end();
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "it never came to {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A tick of the scaler.
fn decision(outcome: Outcome, reason: &str) -> Decision {
    let has_grown = outcome == Outcome::Grew;
    Decision {
        at: Timestamp::now(),
        state: ScalerState::Steady,
        outcome,
        reason: reason.to_owned(),
        size: 2,
        to: if has_grown { 4 } else { 2 },
        rate: has_grown.then_some(0.71),
        lookups: has_grown.then_some(1200),
        minute: has_grown.then(Timestamp::now),
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// Listens where a manager may have listened until a moment ago: a process that another test is just
/// starting may still hold its listener.
fn bind(address: SocketAddr) -> StdListener {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match StdListener::bind(address) {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < deadline, "{address}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn at(network: [u8; 3], host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(network[0], network[1], network[2], host))
}

fn free_port(network: [u8; 3], host: u8) -> u16 {
    let listener = StdListener::bind((at(network, host), 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn settings(database: &DatabaseSettings, address: SocketAddr, node_port: u16) -> Settings {
    let value = json!({
        "services": ["front-end", "manager"], "deployment": DEPLOYMENT, "region": "us-east-1",
        "namespace": "Bivouac/elastic-cache-1a2b3c4d", "bucket": "a-bucket",
        "database": {"host": database.host, "port": database.port, "name": database.name,
                     "user": database.user, "ca": database.ca},
        "front-end": {"port": 5000, "upload-limit": 26_214_400, "images-only": false},
        "manager": {"port": address.port()},
        "pool": {
            "name": "cache", "port": node_port, "blueprint": BLUEPRINT,
            "settings": "settings/pool/cache.json", "secrets": "secrets/pool/cache.json",
            "tags": {"bivouac:deployment": DEPLOYMENT, "bivouac:resource": "pool/cache"},
        },
        "secrets": {"database-password": PASSWORD, "manager-password": MANAGER_PASSWORD,
                    "internal-token": TOKEN, "session-key": "ab".repeat(32)},
        "instance": {"id": "i-manager", "address": address.ip().to_string(),
                     "zone": "us-east-1a", "type": "t3.micro", "region": "us-east-1"},
        "settings-hash": "0123"
    });
    serde_json::from_value(value).unwrap()
}

/// What the deployer writes of the pool.
fn blueprint() -> Value {
    json!({
        "image": "ami-1", "type": "t3.micro", "instance-profile": "a-profile",
        "security-groups": ["sg-1"],
        "subnets": [{"id": "subnet-a", "zone": "us-east-1a"},
                    {"id": "subnet-b", "zone": "us-east-1b"}],
        "size": {"min": 1, "max": 8, "start": 1}, "capacity": 67_108_864, "policy": "lru",
        "mode": "manual", "grow-above": 0.6, "shrink-below": 0.2, "expand": 2.0, "shrink": 0.5
    })
}
