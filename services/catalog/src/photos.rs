//! Photos: which object of the bucket a key is.

use std::cmp::Reverse;

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::connection::Catalog;
use crate::error::{Cause, Error};

/// A photo whose upload is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// 1 to 255 bytes of UTF-8.
    pub key: String,
    /// Its object in the bucket, `photos/<uuid>`.
    pub object: String,
    /// Bytes.
    pub size: u64,
    /// MIME type, found by looking at the bytes.
    pub content_type: String,
    /// The object's ETag, when the bucket gave one.
    pub etag: Option<String>,
    /// When the upload was committed.
    pub uploaded_at: Timestamp,
    /// Grows with every upload of any key.
    pub version: i64,
}

/// What an upload has put into the bucket.
#[derive(Clone, Debug)]
pub struct NewPhoto<'a> {
    /// 1 to 255 bytes of UTF-8.
    pub key: &'a str,
    /// The object given to [`Catalog::begin_upload`].
    pub object: &'a str,
    /// Bytes.
    pub size: u64,
    /// MIME type.
    pub content_type: &'a str,
    /// The object's ETag, when the bucket gave one.
    pub etag: Option<&'a str>,
}

/// How a commit of an upload ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commit {
    /// The key is the new object from now on. Asking again after a lost answer says this too.
    Done {
        /// The photo's version.
        version: i64,
    },
    /// The upload took so long that its object was swept: it has to be done anew.
    Expired,
}

/// What was forgotten when all photos were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// How many photos.
    pub photos: u64,
    /// The objects that nothing names any more.
    pub objects: Vec<String>,
}

/// What the database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Of photos.
    pub photos: Totals,
    /// Objects that no photo names: uploads in flight, and what waits to be swept.
    pub orphans: u64,
    /// Size of the database, with its indexes.
    pub database_bytes: u64,
}

/// Where a page of photos begins; photos are listed newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// With the newest.
    #[default]
    Newest,
    /// With the newest of those that are older than this version.
    Before(i64),
    /// So that it ends with the oldest of those that are newer than this version.
    After(i64),
}

/// A page of photos, and where it lies among all that were looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Newest first.
    pub photos: Vec<Photo>,
    /// How many newer ones come before them.
    pub newer: u64,
    /// All that were looked for.
    pub totals: Totals,
}

/// How much is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Photos.
    pub photos: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

const COLUMNS: &str = "key, object, size, content_type, etag, uploaded_at, version";
/// Keys are in the collation "C" on every server, which knows the letters of ASCII only.
const MATCHES: &str = r#"($1 = '' OR strpos(lower(key), lower($1 COLLATE "C")) > 0)"#;

impl Catalog {
    /// The photo of a key.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn photo(&self, key: &str) -> Result<Option<Photo>, Error> {
        self.with("look up the photo", async |client| {
            let query = format!("SELECT {COLUMNS} FROM photo WHERE key = $1");
            let statement = client.prepare_cached(&query).await?;
            let row = client.query_opt(&statement, &[&key]).await?;
            row.as_ref().map(photo).transpose()
        })
        .await
    }

    /// Up to `limit` of the photos that have `search` in their key (all photos without), from `place`
    /// on. Capital letters of ASCII are taken as small ones.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn list_photos(
        &self,
        search: &str,
        place: Place,
        limit: u32,
    ) -> Result<Listing, Error> {
        // No key holds U+0000, and PostgreSQL's text cannot.
        if search.contains('\0') {
            return Ok(Listing::default());
        }
        self.with("list the photos", async |client| {
            let (condition, order, version) = match place {
                Place::Newest => ("<", "DESC", i64::MAX),
                Place::Before(version) => ("<", "DESC", version),
                Place::After(version) => (">", "ASC", version),
            };
            let page = format!(
                "SELECT {COLUMNS} FROM photo WHERE version {condition} $2 AND {MATCHES}
                 ORDER BY version {order} LIMIT $3"
            );
            let page = client.prepare_cached(&page).await?;
            let rows = client
                .query(&page, &[&search, &version, &i64::from(limit)])
                .await?;
            let mut photos: Vec<_> = rows.iter().map(photo).collect::<Result<_, _>>()?;
            photos.sort_unstable_by_key(|photo| Reverse(photo.version));
            let first = photos.first().map_or(version, |photo| photo.version);
            let around = format!(
                "SELECT count(*), coalesce(sum(size), 0)::bigint,
                        count(*) FILTER (WHERE version > $2)
                 FROM photo WHERE {MATCHES}"
            );
            let around = client.prepare_cached(&around).await?;
            let row = client.query_one(&around, &[&search, &first]).await?;
            Ok(Listing {
                photos,
                newer: row.get::<_, i64>(2).unsigned_abs(),
                totals: totals(&row),
            })
        })
        .await
    }

    /// All keys, in the order of their bytes.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn keys(&self) -> Result<Vec<String>, Error> {
        self.with("list the keys", async |client| {
            let statement = client
                .prepare_cached("SELECT key FROM photo ORDER BY key")
                .await?;
            let rows = client.query(&statement, &[]).await?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        })
        .await
    }

    /// How many photos there are, and their bytes.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn totals(&self) -> Result<Totals, Error> {
        self.with("count the photos", async |client| {
            let statement = client
                .prepare_cached("SELECT count(*), coalesce(sum(size), 0)::bigint FROM photo")
                .await?;
            Ok(totals(&client.query_one(&statement, &[]).await?))
        })
        .await
    }

    /// Notes an object before it is written to the bucket, so that it is swept if the upload ends here.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn begin_upload(&self, object: &str) -> Result<(), Error> {
        self.with("begin the upload", async |client| {
            let statement = client
                .prepare_cached("INSERT INTO orphan (object, state) VALUES ($1, 'upload')")
                .await?;
            client.execute(&statement, &[&object]).await?;
            Ok(())
        })
        .await
    }

    /// Makes the new object the key's photo, in one transaction; the object it replaces becomes an
    /// orphan.
    ///
    /// # Errors
    /// When the database cannot be asked. If the answer was lost, asking again is safe.
    pub async fn commit_upload(&self, new: &NewPhoto<'_>) -> Result<Commit, Error> {
        self.with("commit the upload", async |client| {
            let transaction = client.transaction().await?;
            // Two first uploads of one key would each see no row to replace, and lose an object.
            transaction
                .execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
                    &[&new.key],
                )
                .await?;
            let begun = transaction
                .execute(
                    "DELETE FROM orphan WHERE object = $1 AND state = 'upload'",
                    &[&new.object],
                )
                .await?;
            if begun == 0 {
                let committed = transaction
                    .query_opt(
                        "SELECT version FROM photo WHERE object = $1",
                        &[&new.object],
                    )
                    .await?;
                return Ok(committed.map_or(Commit::Expired, |row| Commit::Done {
                    version: row.get(0),
                }));
            }
            transaction
                .execute(
                    "INSERT INTO orphan (object, state)
                     SELECT object, 'replaced' FROM photo WHERE key = $1 FOR UPDATE",
                    &[&new.key],
                )
                .await?;
            let size = i64::try_from(new.size).unwrap_or(i64::MAX);
            let row = transaction
                .query_one(
                    "INSERT INTO photo (key, object, size, content_type, etag)
                     VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (key) DO UPDATE SET
                       object = excluded.object, size = excluded.size,
                       content_type = excluded.content_type, etag = excluded.etag,
                       uploaded_at = now(), version = nextval('photo_version')
                     RETURNING version",
                    &[&new.key, &new.object, &size, &new.content_type, &new.etag],
                )
                .await?;
            transaction.commit().await?;
            Ok(Commit::Done {
                version: row.get(0),
            })
        })
        .await
    }

    /// Forgets all photos. Their objects become orphans, and are returned together with those that
    /// were orphans already and are not uploads in flight.
    ///
    /// # Errors
    /// When the database cannot be asked; then nothing is forgotten.
    pub async fn delete_all_photos(&self) -> Result<Forgotten, Error> {
        self.with("delete all photos", async |client| {
            let transaction = client.transaction().await?;
            let photos = transaction
                .execute(
                    "WITH gone AS (DELETE FROM photo RETURNING object)
                     INSERT INTO orphan (object, state) SELECT object, 'replaced' FROM gone",
                    &[],
                )
                .await?;
            let rows = transaction
                .query("SELECT object FROM orphan WHERE state <> 'upload'", &[])
                .await?;
            transaction.commit().await?;
            Ok(Forgotten {
                photos,
                objects: rows.iter().map(|row| row.get(0)).collect(),
            })
        })
        .await
    }

    /// Counts what the database holds.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn stored(&self) -> Result<Stored, Error> {
        self.with("count what is stored", async |client| {
            let statement = client
                .prepare_cached(
                    "SELECT count(*), coalesce(sum(size), 0)::bigint,
                            (SELECT count(*) FROM orphan),
                            pg_database_size(current_database())
                     FROM photo",
                )
                .await?;
            let row = client.query_one(&statement, &[]).await?;
            Ok(Stored {
                photos: totals(&row),
                orphans: row.get::<_, i64>(2).unsigned_abs(),
                database_bytes: row.get::<_, i64>(3).unsigned_abs(),
            })
        })
        .await
    }
}

fn totals(row: &Row) -> Totals {
    Totals {
        photos: row.get::<_, i64>(0).unsigned_abs(),
        bytes: row.get::<_, i64>(1).unsigned_abs(),
    }
}

fn photo(row: &Row) -> Result<Photo, Cause> {
    Ok(Photo {
        key: row.get("key"),
        object: row.get("object"),
        size: row.get::<_, i64>("size").unsigned_abs(),
        content_type: row.get("content_type"),
        etag: row.get("etag"),
        uploaded_at: crate::pool::timestamp(row, "uploaded_at")?,
        version: row.get("version"),
    })
}
