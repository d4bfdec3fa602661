//! The AWS SDK behind the deployer: connect to an account, read what is there, carry out one step,
//! remove one thing. Nothing is decided here; `deployer-core` has decided.

mod account;
pub mod carry_out;
mod clock;
mod credentials;
pub mod doctor;
mod error;
pub mod graph;
mod json_api;
mod log_groups;
pub mod logs;
pub mod progress;
mod quotas;
pub mod read;
pub mod remove;
pub mod stored;
mod target;
pub mod timers;
mod wait;

pub use account::{Account, Lasting};
pub use clock::Clock;
pub use error::{AwsError, Meaning};
pub use target::{CallPace, Pace, Target, TargetKind};
