//! What can go wrong between a service and its database.

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

/// A database operation that failed, named, with its cause as the source.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation}")]
pub struct Error {
    operation: &'static str,
    #[source]
    cause: Cause,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    /// PostgreSQL refused, or the connection broke.
    #[error(transparent)]
    Postgres(#[from] tokio_postgres::Error),
    /// No connection could be had.
    #[error(transparent)]
    Connections(#[from] PoolError),
    /// The pool itself could not be built.
    #[error(transparent)]
    Build(#[from] deadpool_postgres::BuildError),
    /// A migration failed, or one in the database is not one of ours.
    #[error(transparent)]
    Migration(#[from] refinery::Error),
    /// The certificate authority in the settings is unusable.
    #[error("the database's certificate authority (`ca` in the settings) is not usable: {0}")]
    Authority(String),
    /// No answer in time.
    #[error("PostgreSQL did not answer within {0} s")]
    Deadline(u64),
    /// A stored value this version does not know.
    #[error("the database holds `{value}` as {what}, which this version does not know")]
    Unknown {
        /// The column, in words.
        what: &'static str,
        /// What is stored there.
        value: String,
    },
}

impl Error {
    pub(crate) fn new(operation: &'static str, cause: impl Into<Cause>) -> Self {
        Self {
            operation,
            cause: cause.into(),
        }
    }

    /// What was attempted, in words that follow "could not".
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether PostgreSQL has no room on its disk for what was to be stored.
    #[must_use]
    pub fn is_out_of_room(&self) -> bool {
        matches!(&self.cause, Cause::Postgres(error) if error.code() == Some(&SqlState::DISK_FULL))
    }

    /// Whether PostgreSQL could not be reached, is starting or stopping, or has no connection left:
    /// the same request may succeed later. Everything else is a defect.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match &self.cause {
            Cause::Postgres(error) => postgres_is_unavailable(error),
            Cause::Connections(PoolError::Backend(error)) => {
                postgres_is_unavailable(error) || server_is_in_trouble(error)
            }
            Cause::Connections(_) | Cause::Deadline(_) => true,
            Cause::Migration(error) => migration_is_unavailable(error),
            Cause::Build(_) | Cause::Authority(_) | Cause::Unknown { .. } => false,
        }
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>: class 08 (connection), the
/// shutdown codes of class 57, and no free connection. Without a code the answer never arrived,
/// which shows as a closed connection or an I/O error beneath.
fn postgres_is_unavailable(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => {
            code.code().starts_with("08")
                || [
                    SqlState::ADMIN_SHUTDOWN,
                    SqlState::CRASH_SHUTDOWN,
                    SqlState::CANNOT_CONNECT_NOW,
                    SqlState::TOO_MANY_CONNECTIONS,
                    SqlState::QUERY_CANCELED,
                ]
                .contains(code)
        }
        None => error.is_closed() || has_io_source(error),
    }
}

/// A server that lets nobody in for reasons of its own: no resources (class 53), an error of its
/// system (58) or within it (XX), as after a crash on a full disk.
fn server_is_in_trouble(error: &tokio_postgres::Error) -> bool {
    let class = error.code().and_then(|code| code.code().get(..2));
    class.is_some_and(|class| ["53", "58", "XX"].contains(&class))
}

fn migration_is_unavailable(error: &refinery::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(postgres) = cause.downcast_ref::<tokio_postgres::Error>() {
            return postgres_is_unavailable(postgres);
        }
        source = cause.source();
    }
    false
}

fn has_io_source(error: &tokio_postgres::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    false
}
