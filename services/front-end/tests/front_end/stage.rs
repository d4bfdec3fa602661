//! A whole photo cache for one test.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use catalog::test_support::PostgresServer;
use catalog::{Catalog, DatabaseSettings, test_support};
use front_end::settings::{FrontEnd, Manager, Secrets, Settings};
use http::{HeaderMap, Method, Request, StatusCode};
use kit::body;
use kit::client::Client;
use kit::door::Api;
use kit::server::Drained;
use kit::settings::{Instance, Secret};
use kit::token::Token;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bucket::{self, Bucket};
use crate::pool::{API_TOKEN, TOKEN, TestManager, TestNode, session_key};

/// An image of one pixel, and how its first bytes look.
pub(crate) const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// How long whatever is waited for may take.
const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Stage {
    pub(crate) host: String,
    pub(crate) bucket: Bucket,
    pub(crate) manager: TestManager,
    pub(crate) manager_stop: CancellationToken,
    pub(crate) manager_address: SocketAddr,
    /// Asks the front-end to stop.
    pub(crate) stop: CancellationToken,
    /// What became of it.
    pub(crate) ended: Option<JoinHandle<Drained>>,
    pub(crate) nodes: Vec<Arc<TestNode>>,
    pub(crate) catalog: Catalog,
    client: Client,
    folder: TempDir,
    _stop: DropGuard,
}

/// What differs from test to test.
pub(crate) struct Options {
    pub(crate) nodes: usize,
    pub(crate) upload_limit: u64,
    pub(crate) images_only: bool,
    pub(crate) manager_is_up: bool,
    pub(crate) database: Option<DatabaseSettings>,
    pub(crate) api: Api,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 2,
            upload_limit: 3 << 20,
            images_only: false,
            manager_is_up: true,
            database: None,
            api: Api::Open,
        }
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The message of a failure in the contract's shape, which is checked to the byte.
    pub(crate) fn failure(&self, code: u16) -> String {
        assert_eq!(self.status, code, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/json");
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        let message = json["error"]["message"].as_str().unwrap();
        let right = format!(
            r#"{{"success":"false","error":{{"code":{code},"message":{}}}}}"#,
            serde_json::Value::from(message)
        );
        assert_eq!(self.text(), right);
        message.to_owned()
    }

    /// The bytes in the answer to `/api/key/<key>`.
    pub(crate) fn content(&self) -> Vec<u8> {
        assert_eq!(self.status, 200, "{}", self.text());
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        base64_simd::STANDARD
            .decode_to_vec(json["content"].as_str().unwrap())
            .unwrap()
    }
}

/// A loopback address that nobody else in a test uses.
pub(crate) fn own_address() -> Ipv4Addr {
    let [a, b, c] = test_support::own_network();
    Ipv4Addr::new(a, b, c, 1)
}

/// Listens where something listened until a moment ago: a process that another test is just starting
/// may still hold it.
pub(crate) async fn listen_again(address: SocketAddr) -> TcpListener {
    let deadline = Instant::now() + SOON;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < deadline, "{address}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Stops a server. Meanwhile the hearts of the nodes go on to be beaten.
pub(crate) async fn stopped(mut server: PostgresServer) -> PostgresServer {
    let stopping = tokio::task::spawn_blocking(move || {
        server.stop();
        server
    });
    stopping.await.unwrap()
}

pub(crate) fn instance(name: &str, address: Ipv4Addr) -> Instance {
    Instance {
        id: name.to_owned(),
        address: address.into(),
        zone: "us-east-1a".to_owned(),
        kind: "t3.micro".to_owned(),
        region: "us-east-1".to_owned(),
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    /// With a database server of its own, which the test may stop.
    pub(crate) async fn with_own_server() -> (PostgresServer, Self) {
        let server = PostgresServer::start();
        let database = Some(server.create_database().await);
        let options = Options {
            database,
            ..Options::default()
        };
        (server, Self::with(options).await)
    }

    pub(crate) async fn with(options: Options) -> Self {
        let stop = CancellationToken::new();
        let bucket = Bucket::default();
        let s3 = bucket.serve(stop.clone()).await;
        let manager_stop = stop.child_token();
        let own = own_address();
        let manager_listener = TcpListener::bind((own, 0)).await.unwrap();
        let manager_address = manager_listener.local_addr().unwrap();
        let (database, catalog) = match options.database {
            Some(database) => {
                let catalog = Catalog::connect(&database, test_support::PASSWORD).unwrap();
                (database, catalog)
            }
            None => test_support::database().await,
        };
        let manager = TestManager::new(catalog.clone());
        if options.manager_is_up {
            manager.serve(manager_listener, manager_stop.clone());
        } else {
            drop(manager_listener);
        }
        manager.beat(stop.clone());
        let mut nodes = Vec::new();
        for number in 0..options.nodes {
            nodes.push(TestNode::start(&format!("i-{number}")).await);
        }
        manager
            .commit(nodes.iter().cloned().map(Some).collect())
            .await;
        let listener = TcpListener::bind((own, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = Settings {
            deployment: "elastic-cache".to_owned(),
            bucket: bucket::NAME.to_owned(),
            database,
            front_end: FrontEnd {
                port: address.port(),
                upload_limit: options.upload_limit,
                images_only: options.images_only,
            },
            api: options.api,
            manager: Manager {
                port: manager_address.port(),
            },
            instance: instance("i-manager", own),
            secrets: Secrets {
                database_password: Secret::new(test_support::PASSWORD),
                internal_token: Token::new(TOKEN).unwrap(),
                api_token: Some(Token::new(API_TOKEN).unwrap()),
                session_key: Some(session_key()),
            },
        };
        let folder = TempDir::new().unwrap();
        let (place, shutdown) = (folder.path().to_owned(), stop.clone());
        let ended = tokio::spawn(async move {
            front_end::run(&settings, s3, &place, listener, shutdown)
                .await
                .unwrap()
        });
        let stage = Self {
            host: address.to_string(),
            bucket,
            manager,
            manager_stop,
            manager_address,
            stop: stop.clone(),
            ended: Some(ended),
            nodes,
            catalog,
            client: Client::new(),
            folder,
            _stop: stop.drop_guard(),
        };
        stage
            .until("the database is migrated", async |stage| {
                stage
                    .get("/readyz")
                    .await
                    .text()
                    .contains(r#""database":{"ok":true}"#)
            })
            .await;
        stage
    }

    /// Asks again and again until `condition` holds.
    pub(crate) async fn until(&self, what: &str, condition: impl AsyncFn(&Self) -> bool) {
        let deadline = Instant::now() + SOON;
        while !condition(self).await {
            assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks for a photo until the pool has served it so: a node that a busy machine holds up is passed
    /// by for a while, and its fill comes too late.
    pub(crate) async fn served(&self, outcome: &str, ask: impl AsyncFn(&Self) -> Answer) -> Answer {
        let deadline = Instant::now() + SOON;
        loop {
            let answer = ask(self).await;
            if answer.header("x-bivouac-cache") == outcome {
                return answer;
            }
            assert!(Instant::now() < deadline, "not within {SOON:?}: {outcome}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        content: &[u8],
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.host));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(body::full(Bytes::copy_from_slice(content)))
            .unwrap();
        let answer = self
            .client
            .send(request, Duration::from_secs(30))
            .await
            .unwrap();
        let (head, body) = answer.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], b"").await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(Method::POST, path, &[("content-length", "0")], b"")
            .await
    }

    /// Uploads as most clients do.
    pub(crate) async fn upload(&self, key: &str, file: &[u8]) -> Answer {
        let body = form(&[
            ("; name=\"key\"", key.as_bytes()),
            ("; name=\"file\"; filename=\"a.jpeg\"", file),
        ]);
        self.upload_body(&body).await
    }

    pub(crate) async fn upload_body(&self, body: &[u8]) -> Answer {
        let headers = [("content-type", "multipart/form-data; boundary=XX")];
        self.send(Method::POST, "/api/upload", &headers, body).await
    }

    pub(crate) async fn stored(&self, key: &str, file: &[u8]) {
        let answer = self.upload(key, file).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    pub(crate) async fn read(&self, key: &str) -> Answer {
        self.post(&format!("/api/key/{}", encoded(key))).await
    }

    pub(crate) fn upload_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The node that owns a key while all nodes of the stage are in the table.
    pub(crate) fn owner(&self, key: &str) -> &Arc<TestNode> {
        &self.nodes[kit::placement::owner(key, self.nodes.len()).unwrap()]
    }
}

/// A multipart body with the boundary XX; each part is what follows `form-data`, and its content.
pub(crate) fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, content) in parts {
        body.extend_from_slice(
            format!("--XX\r\nContent-Disposition: form-data{head}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    body
}

pub(crate) fn encoded(key: &str) -> String {
    percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string()
}
