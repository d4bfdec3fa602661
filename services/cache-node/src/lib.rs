//! A cache node: holds photos in memory for the pool's front-ends, within a capacity, and never
//! serves one that was replaced.
//!
//! [`cache`] decides what is kept; [`node`] adds the place in the pool; [`handover`] moves entries
//! before that changes; [`http`] speaks for it; [`publish`] reports to CloudWatch.

pub mod cache;
pub mod handover;
pub mod http;
pub mod key;
mod machine;
pub mod node;
pub mod publish;
pub mod window;

use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit::health::Health;
use kit::metrics::Registry;
use kit::pool::{Configuration, Policy};
use kit::server::{Access, Drained, Server};
use kit::token::Token;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use node::Node;

/// What a node is told at its start.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// The instance it runs on.
    pub instance: kit::settings::Instance,
    /// CloudWatch namespace of the deployment.
    pub namespace: String,
    /// What is meant for this service.
    pub cache_node: Own,
    /// What only the deployment's services know.
    pub secrets: Secrets,
}

/// The settings under `cache-node`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Own {
    /// TCP port.
    pub port: u16,
    /// Bytes it may hold until the manager says otherwise, which it does before the node serves.
    #[serde(default = "first_capacity")]
    pub capacity: u64,
    /// What it gives up first until the manager says otherwise.
    #[serde(default = "first_policy")]
    pub policy: Policy,
}

const fn first_capacity() -> u64 {
    16 << 20
}

const fn first_policy() -> Policy {
    Policy::Lru
}

/// The settings under `secrets`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Secrets {
    /// The token of the deployment's services.
    pub internal_token: Token,
}

/// Why a node could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings are missing or wrong.
    #[error(transparent)]
    Settings(#[from] kit::settings::SettingsError),
    /// Its address is taken or not this machine's.
    #[error("listening on {address}")]
    Listen {
        /// `address:port`.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no thread to run on.
    #[error("starting the threads")]
    Threads(#[source] std::io::Error),
    /// Signals cannot be waited for.
    #[error("waiting for signals")]
    Signals(#[source] std::io::Error),
}

/// Binds the instance's own address.
///
/// # Errors
/// When it is taken, or not this machine's.
pub async fn bind(settings: &Settings) -> Result<TcpListener, Error> {
    let address = (settings.instance.address, settings.cache_node.port);
    TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen {
            address: std::net::SocketAddr::from(address).to_string(),
            source,
        })
}

/// Serves on `listener` until `shutdown`, then lets the requests in flight end. Figures go to
/// `cloudwatch`, if there is one, every 5 s.
pub fn run(
    settings: Settings,
    listener: TcpListener,
    cloudwatch: Option<aws_sdk_cloudwatch::Client>,
    shutdown: CancellationToken,
) -> BoxFuture<'static, Drained> {
    // Boxed, so that it is compiled here and not in every program and test that awaits it.
    async move {
        let Own {
            capacity, policy, ..
        } = settings.cache_node;
        let configuration = Configuration { capacity, policy };
        let instance = settings.instance.id;
        let node = Arc::new(Node::new(instance.clone(), configuration, Instant::now()));
        let publishing = cloudwatch.map(|client| {
            let publisher = publish::Publisher::new(client, settings.namespace, instance);
            tokio::spawn(publisher.run(node.clone(), shutdown.clone()))
        });
        let health = health(&node);
        let registry = figures(&node);
        let handler = Arc::new(http::Handler::new(node, settings.secrets.internal_token));
        let drained = Server::new(health, registry)
            .access(Access::Failures)
            .serve(listener, move |request| handler.handle(request), shutdown)
            .await;
        if let Some(publishing) = publishing {
            // It ends with the shutdown; a call in flight is not waited for.
            publishing.abort();
        }
        drained
    }
    .boxed()
}

/// Alive and listening is ready: whether it may serve is the manager's to say, and to see.
fn health(node: &Arc<Node>) -> Health {
    let health = Health::new();
    let node = node.clone();
    health.probe("cache", move || {
        let capacity = node.configuration().capacity;
        async move {
            if capacity > 0 {
                Ok(())
            } else {
                Err("its capacity is 0 bytes".to_owned())
            }
        }
    });
    health
}

fn figures(node: &Arc<Node>) -> Registry {
    let registry = Registry::new();
    let add = |name, help, figure: fn(&kit::pool::Statistics) -> u64| {
        let node = node.clone();
        registry.computed(name, help, move || {
            // Exact up to 2^53.
            figure(&node.statistics(Instant::now())) as f64
        });
    };
    add("cache_items", "Entries held", |statistics| statistics.items);
    add(
        "cache_bytes",
        "Bytes of their keys and values",
        |statistics| statistics.bytes,
    );
    add(
        "cache_capacity_bytes",
        "Bytes that may be held",
        |statistics| statistics.capacity,
    );
    add("cache_epoch", "Epoch of the table", |statistics| {
        statistics.epoch
    });
    add(
        "cache_hits_total",
        "Look-ups that found their entry",
        |statistics| statistics.total.hits,
    );
    add(
        "cache_misses_total",
        "Look-ups that did not",
        |statistics| statistics.total.misses,
    );
    add(
        "cache_requests_total",
        "Requests for entries",
        |statistics| statistics.total.requests,
    );
    let node = node.clone();
    registry.computed(
        "cache_serving",
        "1 while the manager's lease lasts",
        move || f64::from(u8::from(node.is_serving(Instant::now()))),
    );
    registry
}
