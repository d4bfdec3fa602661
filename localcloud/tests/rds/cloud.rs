//! A localcloud, its databases, and clients of both.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_rds::Client;
use aws_sdk_rds::config::{BehaviorVersion, Region};
use aws_sdk_rds::operation::create_db_instance::builders::CreateDBInstanceFluentBuilder;
use aws_sdk_rds::types::DbInstance;
use aws_smithy_http_client::tls;
use localcloud::{EndpointFile, Options, Running};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::Instant;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::lonely::lonely_network;

pub(crate) const PASSWORD: &str = "it's-a$secret\\1";

fn options(home: &Path) -> Options {
    Options {
        init_program: Some(env!("CARGO_BIN_EXE_localcloud").into()),
        first_network: lonely_network(),
        ..Options::new(home)
    }
}

/// What a client needs to know of a localcloud.
pub(crate) struct Access {
    pub(crate) endpoint: String,
    pub(crate) key: (String, String),
    pub(crate) ca: PathBuf,
}

impl Access {
    pub(crate) fn of(running: &Running) -> Self {
        let root = running.credentials();
        Self {
            endpoint: running.endpoint(),
            key: (root.access_key_id.clone(), root.secret_access_key.clone()),
            ca: running.ca(),
        }
    }

    pub(crate) fn client(&self) -> Client {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::Ring,
            ))
            .build_https();
        let config = aws_sdk_rds::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(
                &self.key.0,
                &self.key.1,
                None,
                None,
                "test",
            ))
            .http_client(http)
            .retry_config(aws_sdk_rds::config::retry::RetryConfig::disabled())
            .build();
        Client::from_conf(config)
    }
}

pub(crate) async fn cloud(home: &Path) -> (Running, Client) {
    let running = localcloud::start(options(home)).await.unwrap();
    let client = Access::of(&running).client();
    (running, client)
}

/// The program itself, killed when dropped.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) access: Access,
}

impl Program {
    pub(crate) async fn start(home: &Path) -> Self {
        // What a killed one left says nothing about the new one.
        let _ = std::fs::remove_file(home.join("endpoint.json"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_localcloud"))
            .args(["serve", "--first-network", &lonely_network().to_string()])
            .arg("--home")
            .arg(home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(bytes) = std::fs::read(home.join("endpoint.json")) {
                let file: EndpointFile = serde_json::from_slice(&bytes).unwrap();
                let key = (file.access_key_id, file.secret_access_key);
                return Self {
                    child,
                    access: Access {
                        endpoint: file.endpoint,
                        key,
                        ca: file.ca,
                    },
                };
            }
            assert!(
                child.try_wait().unwrap().is_none() && Instant::now() < deadline,
                "localcloud does not start"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn creation(rds: &Client, name: &str) -> CreateDBInstanceFluentBuilder {
    rds.create_db_instance()
        .db_instance_identifier(name)
        .db_instance_class("db.t4g.micro")
        .engine("postgres")
        .allocated_storage(20)
        .master_username("bivouac")
        .master_user_password(PASSWORD)
        .db_name("catalog")
        .backup_retention_period(0)
}

pub(crate) async fn describe(rds: &Client, name: &str) -> DbInstance {
    let found = rds
        .describe_db_instances()
        .db_instance_identifier(name)
        .send()
        .await
        .unwrap();
    found.db_instances()[0].clone()
}

/// Waits for a state and tells which others were seen on the way.
pub(crate) async fn until(rds: &Client, name: &str, state: &str) -> (DbInstance, Vec<String>) {
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut seen: Vec<String> = Vec::new();
    loop {
        let found = describe(rds, name).await;
        let now = found.db_instance_status().unwrap().to_owned();
        if now == state {
            return (found, seen);
        }
        assert_ne!(now, "failed", "{seen:?}");
        assert!(
            Instant::now() < deadline,
            "{name} is {now}, not {state}; seen {seen:?}"
        );
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn gone(rds: &Client, name: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match rds
            .describe_db_instances()
            .db_instance_identifier(name)
            .send()
            .await
        {
            Err(error) => {
                assert!(error.into_service_error().is_db_instance_not_found_fault());
                return;
            }
            Ok(_) => assert!(Instant::now() < deadline, "{name} is still there"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn delete(rds: &Client, name: &str) {
    rds.delete_db_instance()
        .db_instance_identifier(name)
        .skip_final_snapshot(true)
        .send()
        .await
        .unwrap();
    gone(rds, name).await;
}

pub(crate) fn trusting(ca: &Path) -> MakeRustlsConnect {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}

pub(crate) async fn connect(
    ca: &Path,
    database: &DbInstance,
    password: &str,
) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let endpoint = database.endpoint().unwrap();
    let (client, connection) = tokio_postgres::Config::new()
        .host(endpoint.address().unwrap())
        .port(u16::try_from(endpoint.port().unwrap()).unwrap())
        .user("bivouac")
        .password(password)
        .dbname(database.db_name().unwrap_or("postgres"))
        .ssl_mode(tokio_postgres::config::SslMode::Require)
        .connect_timeout(Duration::from_secs(5))
        .connect(trusting(ca))
        .await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Connects again and again: after a crash or a restart.
pub(crate) async fn connected(ca: &Path, database: &DbInstance) -> tokio_postgres::Client {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match connect(ca, database, PASSWORD).await {
            Ok(client) => return client,
            Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn folders(home: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(home.join("databases")) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("db-")).collect()
}

pub(crate) fn postmaster(home: &Path) -> i32 {
    let folder = home.join("databases").join(&folders(home)[0]);
    let text = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    text.lines().next().unwrap().parse().unwrap()
}

pub(crate) fn runs(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
