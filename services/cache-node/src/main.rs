//! The program `cache-node`: reads its settings, listens, serves until it is told to stop.

use std::process::ExitCode;

use cache_node::{Error, Settings};
use kit::server::Drained;

fn main() -> ExitCode {
    kit::logging::init_with_tail("cache-node");
    kit::open_files::raise();
    match kit::threads::run(start()).unwrap_or_else(|source| Err(Error::Threads(source))) {
        Ok(Drained::Clean) => ExitCode::SUCCESS,
        Ok(Drained::Deadline { .. }) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("cannot run: {}", kit::logging::chain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<Drained, Error> {
    let settings: Settings = kit::settings::load()?;
    let shutdown = kit::shutdown::signal().map_err(Error::Signals)?;
    let listener = cache_node::bind(&settings).await?;
    let sdk = kit::aws::sdk_config(&settings.instance.region).await;
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&sdk);
    tracing::info!(
        address = %settings.instance.address,
        port = settings.cache_node.port,
        capacity = settings.cache_node.capacity,
        "serving"
    );
    Ok(cache_node::run(settings, listener, Some(cloudwatch), shutdown).await)
}
