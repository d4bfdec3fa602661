//! Real cache nodes, and a manager that does as the real one: beats their hearts, and publishes a new
//! table only when every node in it has it and every other one has surely stopped serving.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use kit::body::{self, Body, Incoming};
use kit::client::Client;
use kit::health::Health;
use kit::metrics::Registry;
use kit::pool::{Configuration, Member, Place, Policy, Statistics, Table};
use kit::server::Server;
use kit::token::{self, Token};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) const TOKEN: &str = "a-token-for-tests-only";
const LEASE: Duration = Duration::from_millis(600);
const BEAT: Duration = Duration::from_millis(150);

/// A cache node in this process.
pub(crate) struct TestNode {
    pub(crate) member: Member,
    stop: CancellationToken,
    ended: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl TestNode {
    pub(crate) async fn start(name: &str) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = cache_node::Settings {
            instance: crate::stage::instance(name),
            namespace: "Bivouac/test".to_owned(),
            cache_node: cache_node::Own {
                port: address.port(),
                capacity: 64 << 20,
                policy: Policy::Lru,
            },
            secrets: cache_node::Secrets {
                internal_token: Token::new(TOKEN).unwrap(),
            },
        };
        let stop = CancellationToken::new();
        let running = cache_node::run(settings, listener, None, stop.clone());
        let ended = tokio::spawn(async move {
            running.await;
        });
        let member = Member {
            instance: name.to_owned(),
            address: address.to_string(),
        };
        Arc::new(Self {
            member,
            stop,
            ended: Mutex::new(Some(ended)),
        })
    }

    /// Ends it at once, as a power cut does.
    pub(crate) async fn kill(&self) {
        self.stop.cancel();
        let ended = self.ended.lock().unwrap().take().unwrap();
        ended.abort();
        let _ = ended.await;
    }

    pub(crate) async fn statistics(&self) -> Statistics {
        let request = Request::get(format!("http://{}/statistics", self.member.address));
        let request = request
            .header(token::HEADER, TOKEN)
            .body(body::empty())
            .unwrap();
        let answer = Client::new()
            .send(request, Duration::from_secs(5))
            .await
            .unwrap();
        serde_json::from_slice(answer.body()).unwrap()
    }

    async fn order<T: serde::Serialize>(&self, path: &str, order: &T) -> bool {
        let request = Request::put(format!("http://{}{path}", self.member.address));
        let order = body::full(serde_json::to_vec(order).unwrap());
        let request = request.header(token::HEADER, TOKEN).body(order).unwrap();
        let answer = Client::new()
            .send(request, Duration::from_millis(200))
            .await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::NO_CONTENT)
    }

    pub(crate) async fn set_capacity(&self, capacity: u64) {
        assert!(
            self.order(
                "/configuration",
                &Configuration {
                    capacity,
                    policy: Policy::Lru
                }
            )
            .await
        );
    }
}

/// See the module. Clones share it.
#[derive(Clone)]
pub(crate) struct TestManager {
    table: watch::Sender<Table>,
    nodes: Arc<Mutex<Vec<Option<Arc<TestNode>>>>>,
    beating: Arc<tokio::sync::Mutex<u64>>,
}

impl TestManager {
    pub(crate) fn new() -> Self {
        Self {
            table: watch::Sender::new(Table {
                epoch: 1,
                nodes: Vec::new(),
            }),
            nodes: Arc::default(),
            beating: Arc::new(tokio::sync::Mutex::new(1)),
        }
    }

    /// Serves on `listener` until `stop`.
    pub(crate) fn serve(&self, listener: TcpListener, stop: CancellationToken) {
        let manager = self.clone();
        let handler = move |request| {
            let manager = manager.clone();
            async move { manager.answer(request).await }
        };
        tokio::spawn(
            Server::new(Health::new(), Registry::default()).serve(listener, handler, stop),
        );
    }

    /// Beats the nodes' hearts until `stop`.
    pub(crate) fn beat(&self, stop: CancellationToken) {
        let manager = self.clone();
        tokio::spawn(async move {
            while !stop.is_cancelled() {
                let epoch = manager.beating.lock().await;
                manager.tell(*epoch).await;
                drop(epoch);
                tokio::time::sleep(BEAT).await;
            }
        });
    }

    /// Makes these the nodes of the table, and returns once it is published.
    pub(crate) async fn commit(&self, nodes: Vec<Option<Arc<TestNode>>>) {
        let mut epoch = self.beating.lock().await;
        let before = std::mem::replace(&mut *self.nodes.lock().unwrap(), nodes.clone());
        *epoch += 1;
        let mut all_told = self.tell(*epoch).await;
        for left in before.iter().flatten() {
            all_told &= nodes.iter().flatten().any(|node| Arc::ptr_eq(node, left));
        }
        if !all_told {
            tokio::time::sleep(LEASE + Duration::from_millis(50)).await;
        }
        let members = nodes
            .iter()
            .map(|node| node.as_ref().map(|node| node.member.clone()))
            .collect();
        self.table.send_replace(Table {
            epoch: *epoch,
            nodes: members,
        });
    }

    async fn tell(&self, epoch: u64) -> bool {
        let nodes = self.nodes.lock().unwrap().clone();
        let mut all = true;
        for (position, node) in nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            let lease_ms = u64::try_from(LEASE.as_millis()).unwrap();
            all &= node
                .order(
                    "/table",
                    &Place {
                        epoch,
                        position,
                        nodes: nodes.len(),
                        lease_ms,
                        ..Place::default()
                    },
                )
                .await;
        }
        all
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        if path != "/internal/table" {
            return echo(request).await;
        }
        assert!(Token::new(TOKEN).unwrap().accepts(request.headers()));
        let after = request
            .uri()
            .query()
            .unwrap()
            .strip_prefix("after=")
            .unwrap()
            .parse()
            .unwrap();
        let mut table = self.table.subscribe();
        let newer = table.wait_for(|table| table.epoch > after);
        let _ = tokio::time::timeout(Duration::from_secs(20), newer).await;
        let table = self.table.borrow().clone();
        kit::reply::json(StatusCode::OK, &table)
    }
}

/// Says what came, to see that it was passed on as it was.
async fn echo(request: Request<Incoming>) -> Response<Body> {
    let (head, content) = request.into_parts();
    let content = body::read_limited(content, 1 << 20).await.unwrap();
    let told = serde_json::json!({
        "method": head.method.as_str(),
        "target": head.uri.to_string(),
        "body": String::from_utf8_lossy(&content),
    });
    kit::reply::json(StatusCode::IM_A_TEAPOT, &told)
}
