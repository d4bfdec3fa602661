//! What all services of one localcloud share.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Credentials;
use crate::calls::Calls;
use crate::faults::Faults;
use crate::home::Home;
use crate::network::Network;
use crate::rehearsal::Stage;
use crate::state::StateFolder;

/// What all services of one localcloud share.
#[derive(Debug)]
pub struct Context {
    /// The folder that holds everything.
    pub home: Arc<Home>,
    /// Where the services' documents are.
    pub state: StateFolder,
    /// The /24 it owns.
    pub network: Network,
    /// The access keys that are valid.
    pub credentials: Credentials,
    /// The program that has `localcloud init` and `localcloud guard`.
    pub init_program: PathBuf,
    /// Whether machines and databases are on paper: states change, nothing runs.
    pub paper: bool,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// What AWS would take its time for, or refuse; where nothing is rehearsed, nothing.
    pub stage: Stage,
    /// How often what was called.
    pub calls: Calls,
    /// Cancelled when localcloud is to stop.
    pub stopping: CancellationToken,
    /// What runs in the background and is waited for when localcloud stops.
    pub tasks: TaskTracker,
}

impl Context {
    /// The account's twelve digits.
    pub fn account(&self) -> &str {
        self.credentials.account()
    }
}
