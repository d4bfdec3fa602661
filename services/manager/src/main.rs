//! The program `manager`: started by `boot` on the manager's instance.

use std::process::ExitCode;

use manager::error::Error;
use manager::reconcile::chain;

#[tokio::main]
async fn main() -> ExitCode {
    kit::logging::init("manager");
    kit::open_files::raise();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = chain(&error), "the manager stopped");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let settings = kit::settings::load()?;
    let shutdown = kit::shutdown::signal().map_err(Error::Signals)?;
    manager::start(settings, shutdown).await?;
    Ok(())
}
