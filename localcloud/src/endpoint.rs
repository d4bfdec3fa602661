//! `endpoint.json`: how the deployer finds a running localcloud.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Content of `endpoint.json` in the home folder. It is there from when localcloud is ready until it
/// stops, and holds the account's secret: mode 0600.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EndpointFile {
    /// `http://127.77.N.1:4766`.
    pub endpoint: String,
    /// The account's twelve digits.
    pub account: String,
    /// The account's own key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// Certificate of the authority that signs the databases' certificates.
    pub ca: PathBuf,
    /// The process that serves it.
    pub pid: u32,
}

impl EndpointFile {
    /// Where the file is in a home folder.
    pub fn path(home: &Path) -> PathBuf {
        home.join("endpoint.json")
    }
}

impl std::fmt::Debug for EndpointFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("EndpointFile")
            .field("endpoint", &self.endpoint)
            .field("account", &self.account)
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}
