//! The laptop's AWS: a small server that speaks the part of the AWS wire protocols that the deployer
//! and the services use, and makes what they ask for real. An instance is a process group with an
//! address of its own, a database a PostgreSQL server, a bucket files on disk, a metric can be read back.

pub mod access;
pub mod auth;
pub mod calls;
pub mod cloud;
pub mod cloudwatch;
pub mod context;
pub mod ec2;
pub mod faults;
pub mod fitness;
pub mod guard;
pub mod home;
pub mod iam;
pub mod imds;
pub mod init;
pub mod logs;
pub mod machines;
pub mod network;
pub mod quotas;
pub mod rds;
pub mod rehearsal;
pub mod s3;
pub mod server;
pub mod state;
pub mod sts;
pub mod wire;

mod connections;
mod endpoint;
mod json;
mod process;
mod record;
mod start;

pub use connections::{Request, RequestBody};
pub use endpoint::EndpointFile;
pub use rehearsal::{AccountKind, Rehearsal};
pub use start::{MachineKind, Options, Running, StartError, start};
