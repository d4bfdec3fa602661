//! Log-ins to the manager's pages, by the ids in signed cookies: who reads the table cannot log in, for
//! want of the signature.

use std::time::Duration;

use crate::connection::Catalog;
use crate::error::Error;

impl Catalog {
    /// Opens a session; sessions that have expired are forgotten at the same time.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn open_session(&self, id: &str, lifetime: Duration) -> Result<(), Error> {
        self.with("open a session", async |client| {
            client
                .execute("DELETE FROM session WHERE expires_at <= now()", &[])
                .await?;
            let statement = client
                .prepare_cached(
                    "INSERT INTO session (id, expires_at)
                     VALUES ($1, now() + make_interval(secs => $2))",
                )
                .await?;
            client
                .execute(&statement, &[&id, &lifetime.as_secs_f64()])
                .await?;
            Ok(())
        })
        .await
    }

    /// Whether the session was opened, and neither closed nor expired.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn session_is_open(&self, id: &str) -> Result<bool, Error> {
        self.with("look up the session", async |client| {
            let statement = client
                .prepare_cached(
                    "SELECT EXISTS (SELECT FROM session WHERE id = $1 AND expires_at > now())",
                )
                .await?;
            Ok(client.query_one(&statement, &[&id]).await?.get(0))
        })
        .await
    }

    /// Closes a session; closing one that is not open does nothing.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn close_session(&self, id: &str) -> Result<(), Error> {
        self.with("close the session", async |client| {
            client
                .execute("DELETE FROM session WHERE id = $1", &[&id])
                .await?;
            Ok(())
        })
        .await
    }
}
