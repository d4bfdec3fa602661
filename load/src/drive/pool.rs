//! What the deployment says of its pool while it is under load.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::address::Address;
use super::client::Client;

const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(1);

/// What it said; nothing where it did not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PoolSeen {
    /// The size last asked for.
    pub nodes: Option<u32>,
    /// Hits over lookups, of all nodes over the last minute.
    pub hit_rate: Option<f64>,
}

/// The pool behind a front-end, looked at once a second.
#[derive(Debug)]
pub struct Pool {
    seen: watch::Receiver<PoolSeen>,
    work: JoinHandle<()>,
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Pool {
    /// Begins to look, over a connection of its own.
    #[must_use]
    pub fn watch(address: &Address) -> Self {
        let client = Client::new(address, PATIENCE);
        let (tell, seen) = watch::channel(PoolSeen::default());
        let work = tokio::spawn(async move {
            loop {
                tell.send_replace(look(&client).await);
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { seen, work }
    }

    /// What it said last.
    #[must_use]
    pub fn seen(&self) -> PoolSeen {
        *self.seen.borrow()
    }
}

async fn look(client: &Client) -> PoolSeen {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Told {
        #[serde(rename = "numNodes")]
        nodes: Option<u32>,
        value: Option<f64>,
    }
    let ask = async |path| {
        let answer = client.post(path, None, Bytes::new()).await.ok();
        let told = answer.and_then(|answer| serde_json::from_slice::<Told>(&answer.body).ok());
        told.unwrap_or_default()
    };
    PoolSeen {
        nodes: ask("/api/getNumNodes").await.nodes,
        hit_rate: ask("/api/getRate?rate=hit").await.value,
    }
}
