//! The laptop's AWS: a small server that speaks the part of the AWS wire protocols that the deployer
//! and the services use, and makes what they ask for real. An instance is a process group with an
//! address of its own, a database a PostgreSQL server, a bucket files on disk, a metric can be read back.

pub mod access;
pub mod auth;
pub mod cloud;
pub mod cloudwatch;
pub mod context;
pub mod ec2;
pub mod guard;
pub mod home;
pub mod iam;
pub mod imds;
pub mod init;
pub mod machines;
pub mod network;
pub mod rds;
pub mod s3;
pub mod server;
pub mod state;
pub mod sts;
pub mod wire;

mod connections;
mod endpoint;
mod process;
mod start;

pub use connections::{Request, RequestBody};
pub use endpoint::EndpointFile;
pub use start::{MachineKind, Options, Running, StartError, start};
