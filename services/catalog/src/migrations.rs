//! Bringing the schema up to date.

use std::time::Duration;

use crate::connection::{Catalog, within};
use crate::error::{Cause, Error};

/// Any constant: it names the lock that lets one process migrate at a time.
const MIGRATION_LOCK: i64 = 0x6269_766f_7561_6301;
const DEADLINE: Duration = Duration::from_secs(120);

// The macro's own module would need documentation that the macro does not write.
#[allow(missing_docs, unreachable_pub)]
mod embedded {
    refinery::embed_migrations!("migrations");
}

impl Catalog {
    /// Applies the migrations that the database has not seen, once, however many services ask at the
    /// same time. A database that a newer version has migrated is refused.
    ///
    /// # Errors
    /// When the database cannot be reached or a migration fails; nothing of that migration stays.
    pub async fn migrate(&self) -> Result<(), Error> {
        within("bring the database's schema up to date", DEADLINE, async {
            let mut client = self.dedicated().await?;
            client
                .execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK])
                .await?;
            // The lock goes with the connection, whatever happens.
            let report = embedded::migrations::runner()
                .run_async(&mut client)
                .await?;
            for migration in report.applied_migrations() {
                tracing::info!(migration = %migration, "applied a migration");
            }
            Ok::<_, Cause>(())
        })
        .await
    }
}
