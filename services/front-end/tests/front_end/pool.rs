//! Real cache nodes, and a manager that does as the real one: beats their hearts, and publishes a new
//! table only when every node in it has it and every other one has surely stopped serving.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catalog::Catalog;
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{Request, Response, StatusCode};
use kit::body::{self, Body, Incoming};
use kit::client::Client;
use kit::csrf;
use kit::health::Health;
use kit::metrics::Registry;
use kit::pool::{Configuration, Member, Place, Policy, Statistics, Table};
use kit::server::Server;
use kit::session::{Key, SessionId, Sessions};
use kit::token::{self, Token};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) const TOKEN: &str = "a-token-for-tests-only";
pub(crate) const API_TOKEN: &str = "an-api-token-for-tests-only";
pub(crate) const PASSWORD: &str = "correct horse";
const LEASE: Duration = Duration::from_secs(2);
const BEAT: Duration = Duration::from_millis(150);
/// How long a node may take to hear of its place on a busy machine: one that hangs must not keep the
/// others from hearing for a lease.
const TOLD: Duration = Duration::from_secs(1);

/// What sessions are signed with.
pub(crate) fn session_key() -> Key {
    Key::from_hex(&"ab".repeat(32)).unwrap()
}

/// A cache node in this process.
pub(crate) struct TestNode {
    pub(crate) member: Member,
    stop: CancellationToken,
    ended: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl TestNode {
    pub(crate) async fn start(name: &str) -> Arc<Self> {
        let own = crate::stage::own_address();
        let listener = TcpListener::bind((own, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = cache_node::Settings {
            instance: crate::stage::instance(name, own),
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

    /// Whether it took an order in time.
    async fn order<T: serde::Serialize>(&self, path: &str, order: &T, time: Duration) -> bool {
        let request = Request::put(format!("http://{}{path}", self.member.address));
        let order = body::full(serde_json::to_vec(order).unwrap());
        let request = request.header(token::HEADER, TOKEN).body(order).unwrap();
        let answer = Client::new().send(request, time).await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::NO_CONTENT)
    }

    pub(crate) async fn set_capacity(&self, capacity: u64) {
        let order = Configuration {
            capacity,
            policy: Policy::Lru,
        };
        let time = Duration::from_secs(20);
        assert!(self.order("/configuration", &order, time).await);
    }
}

/// See the module. Clones share it.
#[derive(Clone)]
pub(crate) struct TestManager {
    catalog: Catalog,
    table: watch::Sender<Table>,
    nodes: Arc<Mutex<Vec<Option<Arc<TestNode>>>>>,
    beating: Arc<tokio::sync::Mutex<u64>>,
}

impl TestManager {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self {
            catalog,
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
        let (manager, stopping) = (self.clone(), stop.clone());
        let handler = move |request| {
            let (manager, stopping) = (manager.clone(), stopping.clone());
            async move { manager.answer(request, &stopping).await }
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
            let place = Place {
                epoch,
                position,
                nodes: nodes.len(),
                lease_ms,
                ..Place::default()
            };
            all &= node.order("/table", &place, TOLD).await;
        }
        all
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        stopping: &CancellationToken,
    ) -> Response<Body> {
        match request.uri().path() {
            "/internal/table" => {}
            "/login" => return self.log_in(request).await,
            "/logout" => return self.log_out(request).await,
            _ => return echo(request).await,
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
        tokio::select! {
            _ = tokio::time::timeout(Duration::from_secs(20), newer) => {}
            () = stopping.cancelled() => {}
        }
        let table = self.table.borrow().clone();
        kit::reply::json(StatusCode::OK, &table)
    }
}

impl TestManager {
    /// As the manager does: a form of ours, the right password, a session of which the catalog knows.
    async fn log_in(&self, request: Request<Incoming>) -> Response<Body> {
        let sessions = Sessions::of_the_manager(session_key());
        let Some((_, form)) = own_form(request).await else {
            return kit::reply::empty(StatusCode::FORBIDDEN);
        };
        match form.get("password").map(String::as_str) {
            Some(PASSWORD) => {}
            Some("too often") => {
                let mut response = kit::reply::empty(StatusCode::TOO_MANY_REQUESTS);
                response.headers_mut().insert(RETRY_AFTER, 37.into());
                return response;
            }
            _ => return kit::reply::empty(StatusCode::UNAUTHORIZED),
        }
        let begun = sessions.begin();
        let lifetime = Duration::from_secs(3600);
        let opened = self.catalog.open_session(begun.id.as_str(), lifetime);
        opened.await.unwrap();
        let mut response = kit::reply::redirect("/");
        response.headers_mut().insert(SET_COOKIE, begun.cookie);
        response
    }

    async fn log_out(&self, request: Request<Incoming>) -> Response<Body> {
        let Some((session, _)) = own_form(request).await else {
            return kit::reply::empty(StatusCode::FORBIDDEN);
        };
        self.catalog.close_session(session.as_str()).await.unwrap();
        kit::reply::redirect("/login")
    }
}

/// The session of a form, and its fields, if its token is that session's.
async fn own_form(request: Request<Incoming>) -> Option<(SessionId, HashMap<String, String>)> {
    let (head, content) = request.into_parts();
    let session = Sessions::of_the_manager(session_key()).read(&head.headers)?;
    let content = body::read_limited(content, 1 << 16).await.unwrap();
    let form: HashMap<_, _> = form_urlencoded::parse(&content).into_owned().collect();
    let is_ours = csrf::verify(&session_key(), &session, form.get(csrf::FIELD)?);
    is_ours.then_some((session, form))
}

/// Says what came, to see that it was passed on as it was.
async fn echo(request: Request<Incoming>) -> Response<Body> {
    let (head, content) = request.into_parts();
    let content = body::read_limited(content, 1 << 20).await.unwrap();
    let told = serde_json::json!({
        "method": head.method.as_str(),
        "target": head.uri.to_string(),
        "body": String::from_utf8_lossy(&content),
        "authorization": head.headers.get("authorization").map(|value| value.to_str().unwrap()),
    });
    kit::reply::json(StatusCode::IM_A_TEAPOT, &told)
}
