//! Real PostgreSQL servers: the programs, the folders, the processes.

mod account;
mod binaries;
mod cluster;
mod package;
mod server;

pub(crate) use account::Account;
pub(crate) use binaries::Binaries;
pub(crate) use cluster::{Cluster, ClusterError, Master, template};
pub(crate) use server::Server;
