//! Objects that no photo names, until they are removed from the bucket.

use std::time::Duration;

use crate::connection::Catalog;
use crate::error::Error;

impl Catalog {
    /// Takes up to `limit` orphans that are at least `age` old for removal, and returns their objects.
    /// An upload that is taken can no longer be committed. Taken ones that were not removed are
    /// returned again.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn take_orphans(&self, age: Duration, limit: u32) -> Result<Vec<String>, Error> {
        self.with("find orphaned objects", async |client| {
            let statement = client
                .prepare_cached(
                    "UPDATE orphan SET state = 'sweeping' WHERE object IN (
                         SELECT object FROM orphan
                         WHERE since <= now() - make_interval(secs => $1)
                         ORDER BY since LIMIT $2 FOR UPDATE SKIP LOCKED)
                     RETURNING object",
                )
                .await?;
            let rows = client
                .query(&statement, &[&age.as_secs_f64(), &i64::from(limit)])
                .await?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        })
        .await
    }

    /// Forgets orphans whose objects are gone from the bucket.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn forget_orphans(&self, objects: &[String]) -> Result<(), Error> {
        self.with("forget removed objects", async |client| {
            let statement = client
                .prepare_cached("DELETE FROM orphan WHERE object = ANY($1) AND state <> 'upload'")
                .await?;
            client.execute(&statement, &[&objects]).await?;
            Ok(())
        })
        .await
    }

    /// Which of `objects` are neither a photo's nor an upload in flight. An object that was in the
    /// bucket *before* this is asked is known here for as long as anything may come to need it.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn unknown_objects(&self, objects: &[String]) -> Result<Vec<String>, Error> {
        self.with("find unknown objects", async |client| {
            let statement = client
                .prepare_cached(
                    "SELECT o.object FROM unnest($1::text[]) AS o (object)
                     WHERE NOT EXISTS (SELECT FROM photo p WHERE p.object = o.object)
                       AND NOT EXISTS (SELECT FROM orphan u
                                       WHERE u.object = o.object AND u.state = 'upload')",
                )
                .await?;
            let rows = client.query(&statement, &[&objects]).await?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        })
        .await
    }
}
