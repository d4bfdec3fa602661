//! The program `front-end`, started by `boot`.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use front_end::settings::Settings;
use tokio::net::TcpListener;

fn main() -> ExitCode {
    kit::logging::init("front-end");
    kit::open_files::raise();
    match kit::threads::run(serve()).unwrap_or_else(|error| Err(error.into())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error, "the front-end cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let settings: Settings = kit::settings::load()?;
    let shutdown = kit::shutdown::signal()?;
    let address = SocketAddr::new(settings.instance.address, settings.front_end.port);
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("listening on {address}: {error}"))?;
    let config = kit::aws::sdk_config(&settings.instance.region).await;
    let bucket = aws_sdk_s3::Client::new(&config);
    front_end::run(&settings, bucket, &folder(), listener, shutdown).await?;
    Ok(())
}

/// The folder for uploads, below the instance's root where it has one of its own.
fn folder() -> PathBuf {
    let root = std::env::var_os("BIVOUAC_ROOT").unwrap_or_else(|| "/".into());
    Path::new(&root).join("var/lib/bivouac/front-end/uploads")
}
