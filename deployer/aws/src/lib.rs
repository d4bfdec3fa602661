//! The AWS SDK behind the deployer: connect to an account, read what is there, carry out one step,
//! remove one thing. Nothing is decided here; `deployer-core` has decided.

mod account;
pub mod carry_out;
mod error;
pub mod graph;
pub mod logs;
pub mod progress;
pub mod read;
pub mod remove;
pub mod stored;
mod target;
mod wait;

pub use account::Account;
pub use error::{AwsError, Meaning};
pub use target::{Pace, Target, TargetKind};
