//! What the scaler lives between.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::config::{BehaviorVersion, Config, Region};
use aws_sdk_cloudwatch::types::MetricDatum;
use aws_smithy_types::DateTime;
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use kit::body::{Body, Incoming};
use kit::health::Health;
use kit::metrics::Registry;
use kit::scaling::{Decision, Mode, Outcome, Policy, Pool, Situation};
use kit::server::Server;
use kit::token::Token;
use kit::{body, reply};
use localcloud::{Options, Running};
use scaler::settings::Settings;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const NAMESPACE: &str = "Bivouac/x-1a2b3c4d";
const TOKEN: &str = "a-token-for-internal-use";
const DEADLINE: Duration = Duration::from_secs(60);

/// A manager as the scaler sees it, and what it was told.
#[derive(Debug, Clone)]
pub(crate) struct Manager {
    pub(crate) mode: Mode,
    pub(crate) policy: Policy,
    pub(crate) pool: Pool,
    pub(crate) decisions: Vec<Decision>,
    /// How often it was asked.
    pub(crate) asked: usize,
    /// With what it refuses decisions.
    pub(crate) refuses: Option<StatusCode>,
    /// How many it has refused.
    pub(crate) refused: usize,
    /// What it answers instead of what it knows.
    pub(crate) answers: Option<String>,
}

/// The scaler's surroundings.
pub(crate) struct Stage {
    cloud: Running,
    _home: TempDir,
    manager: Arc<Mutex<Manager>>,
    address: SocketAddr,
    serving: Option<(CancellationToken, JoinHandle<()>)>,
}

/// A scaler that runs.
pub(crate) struct Scaler {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Scaler {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }

    /// Ends it wherever it is.
    pub(crate) fn kill(self) {
        self.task.abort();
    }
}

impl Stage {
    /// A pool of two nodes at rest.
    pub(crate) async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let cloud = localcloud::start(Options::paper(home.path()))
            .await
            .unwrap();
        let manager = Manager {
            mode: Mode::Auto,
            policy: Policy {
                max_miss: 0.5,
                min_miss: 0.1,
                exp_ratio: 2.0,
                shrink_ratio: 0.5,
            },
            pool: Pool {
                size: 2,
                min: 1,
                max: 8,
                serving: 2,
                is_steady: true,
                hold: None,
            },
            decisions: Vec::new(),
            asked: 0,
            refuses: None,
            refused: 0,
            answers: None,
        };
        let mut stage = Self {
            cloud,
            _home: home,
            manager: Arc::new(Mutex::new(manager)),
            address: (own_address(), 0).into(),
            serving: None,
        };
        stage.start_manager().await;
        stage
    }

    pub(crate) async fn start_manager(&mut self) {
        let listener = listen_again(self.address).await;
        self.address = listener.local_addr().unwrap();
        let manager = self.manager.clone();
        let handler = move |request| answer(manager.clone(), request);
        let shutdown = CancellationToken::new();
        let server = Server::new(Health::new(), Registry::new());
        let stopping = shutdown.clone();
        let task = tokio::spawn(async move {
            server.serve(listener, handler, stopping).await;
        });
        self.serving = Some((shutdown, task));
    }

    pub(crate) async fn end_manager(&mut self) {
        let (shutdown, task) = self.serving.take().unwrap();
        shutdown.cancel();
        task.await.unwrap();
    }

    pub(crate) fn manager(&self) -> Manager {
        self.lock().clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Manager)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Manager> {
        self.manager.lock().unwrap()
    }

    /// Waits until the manager is so.
    pub(crate) async fn until(&self, is_so: impl Fn(&Manager) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_so(&self.lock()) {
            let late = Instant::now() >= deadline;
            assert!(!late, "it never came to that: {:?}", self.manager());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the manager was told such a decision.
    pub(crate) async fn told(&self, is_it: impl Fn(&Decision) -> bool) -> Decision {
        self.until(|manager| manager.decisions.iter().any(&is_it))
            .await;
        let manager = self.manager();
        let found = manager
            .decisions
            .into_iter()
            .find(|decision| is_it(decision));
        found.unwrap()
    }

    /// What `nodes` nodes publish in each of the last minutes, with this miss rate.
    pub(crate) async fn publish(&self, nodes: i64, rate: f64) {
        self.publish_in(NAMESPACE, nodes, rate).await;
    }

    pub(crate) async fn publish_in(&self, namespace: &str, nodes: i64, rate: f64) {
        let client = self.cloudwatch();
        let this_minute = Timestamp::now().as_second() / 60 * 60;
        for minutes in 0..6 {
            let start = this_minute - minutes * 60;
            let data = (0..12 * nodes).flat_map(|n| figures(start + n % 12 * 5, rate));
            let put = client.put_metric_data().namespace(namespace);
            let put = put.set_metric_data(Some(data.collect()));
            put.send().await.unwrap();
        }
    }

    pub(crate) fn cloudwatch(&self) -> Client {
        let root = self.cloud.credentials();
        let (id, secret) = (&root.access_key_id, &root.secret_access_key);
        Client::from_conf(config(&self.cloud.endpoint(), id, secret))
    }

    pub(crate) fn scaler(&self) -> Scaler {
        self.scaler_with(self.cloudwatch())
    }

    pub(crate) fn scaler_with(&self, cloudwatch: Client) -> Scaler {
        let shutdown = CancellationToken::new();
        let settings = settings(self.address);
        let task = tokio::spawn(scaler::run(settings, cloudwatch, shutdown.clone()));
        Scaler { shutdown, task }
    }
}

/// A loopback address that nobody else in a test uses: a port that is given up there is free until the
/// test takes it again.
fn own_address() -> Ipv4Addr {
    static COUNT: AtomicU8 = AtomicU8::new(0);
    let [.., third, fourth] = std::process::id().to_be_bytes();
    let second = 90 + COUNT.fetch_add(1, Ordering::Relaxed) % 32;
    Ipv4Addr::new(127, second, third, fourth)
}

/// Listens where something may have listened until a moment ago: a process that another test is just
/// starting may still hold it.
async fn listen_again(address: SocketAddr) -> TcpListener {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < deadline, "{address}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A client with a key that nobody knows.
pub(crate) fn unknown_key(stage: &Stage) -> Client {
    let endpoint = stage.cloud.endpoint();
    Client::from_conf(config(&endpoint, "AKIAIOSFODNN7EXAMPLE", "secret"))
}

/// A client that finds nobody.
pub(crate) fn cloudwatch_away() -> Client {
    Client::from_conf(config(
        "http://127.0.0.1:1",
        "AKIAIOSFODNN7EXAMPLE",
        "secret",
    ))
}

fn config(endpoint: &str, id: &str, secret: &str) -> Config {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

fn settings(manager: SocketAddr) -> Settings {
    serde_json::from_value(json!({
        "services": ["front-end", "manager", "scaler"], "deployment": "x", "namespace": NAMESPACE,
        "manager": {"port": manager.port()},
        "scaler": {"tick-ms": 40},
        "secrets": {"internal-token": TOKEN, "manager-password": "not for the scaler"},
        "instance": {"id": "i-manager", "address": manager.ip().to_string(),
                     "zone": "us-east-1a", "type": "t3.micro", "region": "us-east-1"},
    }))
    .unwrap()
}

/// A node's lookups and misses, as it publishes them every five seconds.
fn figures(at: i64, rate: f64) -> [MetricDatum; 2] {
    [("Lookups", 10.0), ("Misses", 10.0 * rate)].map(|(name, value)| {
        let datum = MetricDatum::builder().metric_name(name).value(value);
        datum.timestamp(DateTime::from_secs(at)).build()
    })
}

async fn answer(manager: Arc<Mutex<Manager>>, request: Request<Incoming>) -> Response<Body> {
    assert_eq!(request.uri().path(), "/internal/scaling");
    assert!(Token::new(TOKEN).unwrap().accepts(request.headers()));
    if request.method() == Method::GET {
        return situation(&mut manager.lock().unwrap());
    }
    let text = body::read_limited(request.into_body(), 64 * 1024).await;
    let decision: Decision = serde_json::from_slice(&text.unwrap()).unwrap();
    assert!(decision.is_sound(), "{decision:?}");
    take(&mut manager.lock().unwrap(), decision)
}

fn situation(manager: &mut Manager) -> Response<Body> {
    manager.asked += 1;
    if let Some(text) = &manager.answers {
        return reply::with_type(StatusCode::OK, "application/json", body::full(text.clone()));
    }
    let situation = Situation {
        mode: manager.mode,
        policy: manager.policy,
        pool: manager.pool.clone(),
        decisions: manager.decisions.clone(),
        changes: Vec::new(),
    };
    reply::json(StatusCode::OK, &situation)
}

fn take(manager: &mut Manager, decision: Decision) -> Response<Body> {
    if let Some(status) = manager.refuses {
        manager.refused += 1;
        return reply::error(status, "not now");
    }
    if decision.outcome != Outcome::Held {
        (manager.pool.size, manager.pool.serving) = (decision.to, decision.to);
    }
    manager.decisions.push(decision);
    reply::empty(StatusCode::NO_CONTENT)
}
