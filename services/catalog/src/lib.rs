//! What Bivouac keeps in PostgreSQL: photos, orphaned objects, the pool with its nodes and its history,
//! sessions.
//!
//! [`Catalog::connect`] gives a connection pool that verifies the server's certificate;
//! [`Catalog::migrate`] brings the schema up to date. Every query is a typed method in the module of
//! its subject.

#![forbid(unsafe_code)]

mod connection;
mod error;
mod history;
mod leader;
mod migrations;
mod orphans;
mod photos;
mod pool;
mod sessions;
#[cfg(feature = "test-support")]
pub mod test_support;

pub use connection::{Catalog, DatabaseSettings};
pub use error::Error;
pub use history::{By, Change, Decision, Notes, Outcome, ScalerState};
pub use leader::Leadership;
pub use photos::{Commit, Forgotten, Listing, NewPhoto, Photo, Place, Stored, Totals};
pub use pool::{Choices, Coming, Mode, NodeRow, Policy, PoolRow, PoolState, Save, Stage};
