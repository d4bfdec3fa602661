//! One leader at a time, by a lock that PostgreSQL releases when its holder is gone.

use std::time::Duration;

use tokio_postgres::Client;

use crate::connection::{Catalog, within};
use crate::error::Error;

const LEADER_LOCK_CLASS: i32 = 0x6269_7661;
const DEADLINE: Duration = Duration::from_secs(5);

/// The right to act for a pool. It is held as long as its connection lives.
#[derive(Debug)]
pub struct Leadership {
    client: Client,
}

impl Catalog {
    /// Tries to become the one that acts for `pool`; `None` while somebody else is.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn lead(&self, pool: &str) -> Result<Option<Leadership>, Error> {
        within("become the pool's leader", DEADLINE, async {
            let client = self.dedicated().await?;
            let held: bool = client
                .query_one(
                    "SELECT pg_try_advisory_lock($1, hashtext($2))",
                    &[&LEADER_LOCK_CLASS, &pool],
                )
                .await?
                .get(0);
            Ok(held.then_some(Leadership { client }))
        })
        .await
    }
}

impl Leadership {
    /// Whether the lock's connection still lives. Asks the server, so that a connection that died
    /// unseen is noticed.
    pub async fn is_held(&self) -> bool {
        if self.client.is_closed() {
            return false;
        }
        let asked = self.client.batch_execute("");
        matches!(tokio::time::timeout(DEADLINE, asked).await, Ok(Ok(())))
    }
}
