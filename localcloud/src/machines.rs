//! What instances are made of: real processes, or paper.

mod base;
mod paper;
mod real;
mod tree;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc::UnboundedSender;

use crate::network::listeners::Listener;

pub use paper::PaperMachines;
pub use real::RealMachines;

/// A distribution that a base image stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Amazon Linux 2023.
    AmazonLinux2023,
    /// Debian 12.
    Debian12,
}

/// What a new root folder is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootSource {
    /// An empty base with the shims that keep the host safe.
    Base(Distribution),
    /// The snapshot of that id.
    Snapshot(String),
}

/// A machine to start. Its root folder is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineSpec {
    /// The instance's id.
    pub id: String,
    /// Its own address.
    pub address: Ipv4Addr,
    /// Its user data, decoded.
    pub user_data: Option<Vec<u8>>,
    /// How long it boots before anything runs on it.
    pub boots_for: Duration,
    /// Whether powering off stops it, rather than terminates it.
    pub stops_at_power_off: bool,
}

/// A machine has ended without being told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The instance's id.
    pub id: String,
    /// Whether it powered itself off; otherwise its init was killed.
    pub powered_off: bool,
}

/// Where machines tell that they have ended.
pub type Events = UnboundedSender<Ended>;

/// Why a machine cannot be what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// A program that is not ours has a port of every address.
    #[error(
        "port {port} of {address} is taken: {listener}; stop that program, or let it listen on 127.0.0.1 only"
    )]
    PortTaken {
        /// The instance's address.
        address: Ipv4Addr,
        /// The port.
        port: u16,
        /// Who has it.
        listener: Listener,
    },
    /// The file system or the kernel refused.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// The machines of a localcloud. Every id was checked by the caller to be one.
#[async_trait]
pub trait Machines: std::fmt::Debug + Send + Sync {
    /// Whether a machine could listen on these ports of an address.
    ///
    /// # Errors
    /// Another program is in the way.
    fn check_ports(&self, address: Ipv4Addr, ports: &[u16]) -> Result<(), MachineError>;

    /// Makes the root folder of an instance, unless it is there.
    async fn create(&self, id: &str, source: &RootSource) -> Result<(), MachineError>;

    /// Starts a machine.
    async fn start(&self, spec: MachineSpec) -> Result<(), MachineError>;

    /// Ends a machine's processes, and returns when there are none.
    async fn stop(&self, id: &str);

    /// Removes all files of an instance that is stopped.
    async fn delete(&self, id: &str);

    /// Copies an instance's root folder.
    async fn snapshot(&self, id: &str, snapshot: &str) -> Result<(), MachineError>;

    /// Removes a snapshot's files.
    async fn delete_snapshot(&self, snapshot: &str);

    /// The end of an instance's console log.
    fn console(&self, id: &str) -> Vec<u8>;

    /// Ends the processes of all machines.
    async fn stop_all(&self);

    /// Removes what belongs to no instance and no snapshot of these.
    async fn keep_only(&self, instances: &[String], snapshots: &[String]);
}
