//! The connection pool: TLS with the server's name verified, and a limit on every wait.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Cause, Error};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const STATEMENT_TIMEOUT: &str = "-c statement_timeout=5000";
/// Longer than the statement timeout: it is for a server that does not even answer that.
const OPERATION_DEADLINE: Duration = Duration::from_secs(8);
const CONNECTIONS: usize = 12;

/// Where the database is, as in the service's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DatabaseSettings {
    /// DNS name or address; the server's certificate must carry it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The database.
    pub name: String,
    /// The role to log in as.
    pub user: String,
    /// PEM of the certificate authorities that may vouch for the server.
    pub ca: String,
}

/// A pool of connections to the deployment's database. Cloning shares the pool.
#[derive(Clone)]
pub struct Catalog {
    pool: Pool,
    config: Config,
    tls: MakeRustlsConnect,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Catalog")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

impl Catalog {
    /// Prepares connections; the first one is made by the first query, so that a database that is not
    /// there yet is an error of that query ([`Error::is_unavailable`]), not of this call.
    ///
    /// # Errors
    /// When the certificate authority is not usable.
    pub fn connect(settings: &DatabaseSettings, password: &str) -> Result<Self, Error> {
        const OPERATION: &str = "prepare connections to the database";
        let tls = MakeRustlsConnect::new(
            trust(&settings.ca).map_err(|error| Error::new(OPERATION, Cause::Authority(error)))?,
        );
        let config = config(settings, password);
        let manager = Manager::from_config(
            config.clone(),
            tls.clone(),
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .wait_timeout(Some(CONNECT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT + Duration::from_secs(1)))
            .recycle_timeout(Some(CONNECT_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| Error::new(OPERATION, error))?;
        Ok(Self { pool, config, tls })
    }

    /// Asks the database for nothing, to see whether it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        self.with("reach the database", async |client| {
            client.batch_execute("").await?;
            Ok(())
        })
        .await
    }

    /// Runs one operation on a pooled connection, within the deadline.
    pub(crate) async fn with<T>(
        &self,
        operation: &'static str,
        work: impl AsyncFnOnce(&mut Object) -> Result<T, Cause>,
    ) -> Result<T, Error> {
        within(operation, OPERATION_DEADLINE, async {
            let mut client = self.pool.get().await?;
            let done = work(&mut client).await;
            if done.as_ref().is_err_and(|_| client.is_closed()) {
                // A server that stopped has closed the idle ones too: start over with new ones.
                self.pool.retain(|client, _| !client.is_closed());
            }
            done
        })
        .await
    }

    /// A connection of its own, outside the pool and without a statement timeout.
    pub(crate) async fn dedicated(&self) -> Result<tokio_postgres::Client, Cause> {
        let mut config = self.config.clone();
        config.options("");
        let (client, connection) = config.connect(self.tls.clone()).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = %error, "a dedicated database connection ended");
            }
        });
        Ok(client)
    }
}

/// Bounds an operation in time: a stopped server process still has its packets acknowledged by the
/// kernel, so that neither TCP nor the server's own timeout would end the wait.
pub(crate) async fn within<T>(
    operation: &'static str,
    deadline: Duration,
    work: impl Future<Output = Result<T, Cause>>,
) -> Result<T, Error> {
    tokio::time::timeout(deadline, work)
        .await
        .unwrap_or(Err(Cause::Deadline(deadline.as_secs())))
        .map_err(|cause| Error::new(operation, cause))
}

fn config(settings: &DatabaseSettings, password: &str) -> Config {
    let mut config = Config::new();
    config
        .host(&settings.host)
        .port(settings.port)
        .dbname(&settings.name)
        .user(&settings.user)
        .password(password)
        .application_name("bivouac")
        .ssl_mode(SslMode::Require)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_user_timeout(Duration::from_secs(5))
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(15))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3)
        .options(STATEMENT_TIMEOUT);
    config
}

/// libpq's `verify-full`: the chain ends at our authority and the certificate names the host.
fn trust(pem: &str) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("it contains no certificate".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
