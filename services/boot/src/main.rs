//! The program `boot`: started by the instance's init, ends when that says so.

use std::path::PathBuf;
use std::process::ExitCode;

use boot::{Boot, Error, S3, Times};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    kit::logging::init("boot");
    kit::open_files::raise();
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("giving up: {}", kit::logging::chain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<(), Error> {
    let shutdown = kit::shutdown::signal().map_err(Error::Signals)?;
    let root = std::env::var_os("BIVOUAC_ROOT").filter(|root| !root.is_empty());
    let boot = Boot {
        metadata: kit::aws::metadata(),
        s3: S3::Role,
        root: root.map_or_else(|| "/".into(), PathBuf::from),
        times: Times::default(),
    };
    let ended = boot::run(boot, shutdown.clone()).await;
    if let Err(Error::Order(error)) = &ended {
        // Started again it would read the same, and say so once a second for as long as it runs.
        tracing::error!("nothing to do here: {}", kit::logging::chain(error));
        shutdown.cancelled().await;
    }
    ended
}
