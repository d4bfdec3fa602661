//! The scaler: decides once a minute how many nodes the pool shall have, by the share of lookups that
//! missed, and says why.
//!
//! [`decide`] is the pure core, with [`memory`], [`window`] and [`sizes`]; [`process`] ticks, reads
//! [`figures`] from CloudWatch and talks to the [`manager`]; [`simulate`] replays a trace through the
//! same core.

pub mod decide;
pub mod figures;
pub mod manager;
pub mod memory;
pub mod process;
pub mod settings;
pub mod simulate;
pub mod sizes;
pub mod window;

use std::net::SocketAddr;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use figures::Figures;
use manager::Manager;
use process::Scaler;
use settings::Settings;

/// Why the scaler could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings are missing or wrong.
    #[error(transparent)]
    Settings(#[from] kit::settings::SettingsError),
    /// Signals cannot be waited for.
    #[error("waiting for signals")]
    Signals(#[source] std::io::Error),
}

/// Decides until `shutdown`, by what `cloudwatch` has counted.
pub fn run(
    settings: Settings,
    cloudwatch: aws_sdk_cloudwatch::Client,
    shutdown: CancellationToken,
) -> BoxFuture<'static, ()> {
    // Boxed, so that it is compiled here and not in every program and test that awaits it.
    async move {
        let address = SocketAddr::new(settings.instance.address, settings.manager.port);
        let manager = Manager::new(address, settings.secrets.internal_token);
        let figures = Figures::new(cloudwatch, settings.namespace);
        let tick = Duration::from_millis(settings.scaler.tick_ms);
        Scaler::new(manager, figures, tick).run(shutdown).await;
    }
    .boxed()
}
