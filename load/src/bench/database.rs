//! A PostgreSQL of the bench's own.

use catalog::DatabaseSettings;
use catalog::test_support::{PASSWORD, PostgresServer};
use serde_json::{Value, json};

use super::errors::BenchError;

/// Ended and removed when dropped.
pub(super) struct Database {
    server: PostgresServer,
}

impl Database {
    pub(super) const PASSWORD: &str = PASSWORD;

    /// Starts it, with an empty database.
    pub(super) async fn start() -> Result<Self, BenchError> {
        // What it needs and does not find, it tells by a panic.
        let started = tokio::task::spawn_blocking(PostgresServer::start).await;
        let server = started.map_err(|_| {
            let source = std::io::Error::other("it did not start; see above");
            BenchError::machine("starting PostgreSQL")(source)
        })?;
        Ok(Self { server })
    }

    /// Where it is, as services are told.
    pub(super) fn settings(&self) -> Value {
        let DatabaseSettings {
            host,
            port,
            name,
            user,
            ca,
        } = self.server.settings();
        json!({ "host": host, "port": port, "name": name, "user": user, "ca": ca })
    }
}
