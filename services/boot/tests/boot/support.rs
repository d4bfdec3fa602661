//! A machine for boot to run on: a root directory, a metadata service and a bucket that give fixed
//! answers until told otherwise.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::imds;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_smithy_http_client::Builder as HttpBuilder;
use boot::{Boot, S3, Times};
use http::{Request, Response, StatusCode};
use kit::body::{self, Body, Incoming};
use kit::health::Health;
use kit::metrics::Registry;
use kit::reply;
use kit::server::Server;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub(crate) const ORDER: &str = r##"# bivouac: {"deployment":"d","region":"us-east-1","bucket":"b","resource":"pool/cache","settings":"settings/pool/cache.json","secrets":"secrets/pool/cache.json"}"##;

pub(crate) const SETTINGS: &str = "/b/settings/pool/cache.json";
pub(crate) const SECRETS: &str = "/b/secrets/pool/cache.json";

const TOKEN: &str = "metadata-token";

/// Answers by path: a status and a body.
type Answers = Arc<Mutex<HashMap<String, (u16, String)>>>;

/// How often each path was asked for.
type Asked = Arc<Mutex<HashMap<String, usize>>>;

pub(crate) struct Machine {
    pub(crate) root: TempDir,
    pub(crate) address: SocketAddr,
    answers: Answers,
    asked: Asked,
    shutdown: CancellationToken,
}

impl Machine {
    /// A machine whose settings start `services`, with a working role.
    pub(crate) async fn new(services: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answers, asked) = (Answers::default(), Asked::default());
        let shutdown = CancellationToken::new();
        let (known, asking) = (answers.clone(), asked.clone());
        let server = Server::new(Health::new(), Registry::new());
        let handler = move |request: Request<Incoming>| {
            *asking
                .lock()
                .unwrap()
                .entry(request.uri().path().to_owned())
                .or_default() += 1;
            std::future::ready(answer(&known, &request))
        };
        tokio::spawn(server.serve(listener, handler, shutdown.clone()));
        let machine = Self {
            root: tempfile::tempdir().unwrap(),
            address,
            answers,
            asked,
            shutdown,
        };
        for (path, text) in [
            ("/latest/meta-data/instance-id", "i-0123456789abcdef0"),
            ("/latest/meta-data/local-ipv4", "127.0.0.1"),
            (
                "/latest/meta-data/placement/availability-zone",
                "us-east-1a",
            ),
            ("/latest/meta-data/instance-type", "t3.micro"),
            ("/latest/meta-data/placement/region", "us-east-1"),
            ("/latest/meta-data/iam/security-credentials/", "role"),
            (
                "/latest/meta-data/iam/security-credentials/role",
                r#"{"Code":"Success","LastUpdated":"2026-01-01T00:00:00Z","Type":"AWS-HMAC","AccessKeyId":"AKIA","SecretAccessKey":"secret","Token":"token","Expiration":"2100-01-01T00:00:00Z"}"#,
            ),
            (
                "/b/secrets/pool/cache.json",
                r#"{"internal-token":"0123456789abcdef"}"#,
            ),
        ] {
            machine.says(path, 200, text);
        }
        machine.says(
            "/latest/user-data",
            200,
            &format!("#!/bin/bash\n{ORDER}\nexit 0\n"),
        );
        machine.settings(&format!(r#"{{"services":[{services}],"round":1}}"#));
        machine
    }

    /// From now on the answer for `path`.
    pub(crate) fn says(&self, path: &str, status: u16, text: &str) {
        self.answers
            .lock()
            .unwrap()
            .insert(path.to_owned(), (status, text.to_owned()));
    }

    pub(crate) fn settings(&self, text: &str) {
        self.says(SETTINGS, 200, text);
    }

    /// Waits until `path` was asked for `more` times from now on.
    pub(crate) async fn is_asked(&self, path: &str, more: usize) {
        let count = || self.asked.lock().unwrap().get(path).copied().unwrap_or(0);
        let enough = count() + more;
        for _ in 0..2000 {
            if count() >= enough {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{path} was asked for {} times, not {enough}", count());
    }

    /// Puts a shell script in the place of a service; it may use `$NOTES`, a file to write to.
    pub(crate) fn program(&self, name: &str, script: &str) {
        self.executable("opt/bivouac/bin", name, script);
    }

    /// The same in the place of a program of the system.
    pub(crate) fn system(&self, name: &str, script: &str) {
        self.executable("usr/sbin", name, script);
    }

    fn executable(&self, folder: &str, name: &str, script: &str) {
        let folder = self.root.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        let notes = self.notes();
        std::fs::write(
            &path,
            format!("#!/bin/sh\nNOTES={}\n{script}\n", notes.display()),
        )
        .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn notes(&self) -> PathBuf {
        self.root.path().join("notes")
    }

    /// Waits until the notes satisfy `enough`, and gives them back.
    pub(crate) async fn noted(&self, enough: impl Fn(&str) -> bool) -> String {
        read_until(&self.notes(), enough).await
    }

    /// Boot as a library, with credentials at hand.
    pub(crate) fn boot(&self, times: Times) -> Boot {
        let http = HttpBuilder::new().build_http();
        let provider = ProviderConfig::without_region().with_http_client(http.clone());
        let metadata = imds::Client::builder()
            .configure(&provider)
            .endpoint(format!("http://{}", self.address))
            .unwrap()
            .max_attempts(1)
            .build();
        let s3 = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(format!("http://{}", self.address))
            .credentials_provider(Credentials::for_tests())
            .http_client(http)
            .build();
        let s3 = S3::Ready(aws_sdk_s3::Client::from_conf(s3));
        Boot {
            metadata,
            s3,
            root: self.root.path().to_owned(),
            times,
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Times short enough for tests.
pub(crate) fn short() -> Times {
    Times {
        first_wait: Duration::from_millis(5),
        longest_wait: Duration::from_millis(20),
        poll: Duration::from_millis(10),
        longest_restart: Duration::from_millis(20),
        ..Times::default()
    }
}

pub(crate) async fn read_until(path: &Path, enough: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    for _ in 0..2000 {
        text = std::fs::read_to_string(path).unwrap_or_default();
        if enough(&text) {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!(
        "{} did not come to what is expected: {text}",
        path.display()
    );
}

fn answer(answers: &Answers, request: &Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    if path == "/latest/api/token" {
        let mut response = reply::with_type(StatusCode::OK, "text/plain", body::full(TOKEN));
        let lifetime = http::HeaderValue::from_static("21600");
        response
            .headers_mut()
            .insert("x-aws-ec2-metadata-token-ttl-seconds", lifetime);
        return response;
    }
    let token = request.headers().get("x-aws-ec2-metadata-token");
    if path.starts_with("/latest/") && token.is_none_or(|token| token != TOKEN) {
        return reply::empty(StatusCode::UNAUTHORIZED);
    }
    let found = answers.lock().unwrap().get(path).cloned();
    let missing = || {
        (
            404,
            "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>".to_owned(),
        )
    };
    let (status, text) = found.unwrap_or_else(missing);
    let status = StatusCode::from_u16(status).unwrap();
    let tag = format!("\"{}\"", hex::encode(&text));
    let mut response = reply::with_type(status, "text/plain", body::full(text));
    if path.starts_with("/b/") && status == StatusCode::OK {
        response.headers_mut().insert("etag", tag.parse().unwrap());
    }
    response
}
