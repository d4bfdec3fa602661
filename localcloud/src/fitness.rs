//! Whether this machine has what localcloud needs. Nothing is made or started.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::Path;

use serde::Serialize;

use crate::network::{ENDPOINT_PORT, METADATA_PORT, listeners};
use crate::rds::Rds;

/// Ports of what runs on instances, of databases, of the endpoint and the metadata services.
const PORTS: [u16; 6] = [5000, 5001, 5003, 5432, ENDPOINT_PORT, METADATA_PORT];
/// An address that no instance is given in each network, and its name.
const NETWORKS: [(Ipv4Addr, &str); 2] = [
    (Ipv4Addr::new(127, 77, 0, 2), "127.77.0.0/16"),
    (Ipv4Addr::new(127, 78, 0, 2), "127.78.0.0/16"),
];

/// What localcloud needs of a machine, as it is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fitness {
    /// Version and folder of the PostgreSQL that databases run on; nothing if there is none.
    pub postgresql: Option<String>,
    /// The networks of addresses, each with why its addresses cannot be listened on.
    pub networks: Vec<(String, Option<String>)>,
    /// Programs that listen on a port of every address, one line each.
    pub in_the_way: Vec<String>,
}

/// Looks at this machine for a localcloud in that folder.
pub async fn look(home: &Path) -> Fitness {
    let networks = NETWORKS.iter().map(|(address, network)| {
        let bound = TcpListener::bind(SocketAddrV4::new(*address, 0));
        let problem = bound.err().map(|error| error.to_string());
        ((*network).to_owned(), problem)
    });
    // Nothing of ours listens on these addresses: what is found there listens on all.
    let [(nobodys, _), _] = NETWORKS;
    let in_the_way = PORTS
        .iter()
        .filter_map(|port| listeners::on(SocketAddrV4::new(nobodys, *port)))
        .map(|listener| listener.to_string());
    Fitness {
        postgresql: Rds::postgresql(home).await,
        networks: networks.collect(),
        in_the_way: in_the_way.collect(),
    }
}
