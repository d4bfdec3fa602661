//! `deploy simulate`: the program `scaler` does it, since deployer and services share no code.

use std::process::Stdio;

use tokio::process::Command;

use crate::arguments;
use crate::failure::{Exit, Failure};
use crate::programs::Source;
use crate::report::{Event, reader};

/// What `scaler` ends with when its options or the trace are wrong.
const WRONG_USE: i32 = 64;

pub(super) async fn simulate(given: &arguments::Simulate) -> Result<Exit, Failure> {
    let report = reader(false);
    let source = Source::here()?;
    source.build(&*report).await?;
    report.event(&Event::Finished);
    let path = source.folder.join("scaler");
    let status = Command::new(&path)
        .arg("simulate")
        .args(&given.arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .map_err(Failure::here(format!("starting {}", path.display())))?;
    Ok(match status.code() {
        Some(0) => Exit::Done,
        Some(WRONG_USE) => Exit::Usage,
        _ => Exit::Failed,
    })
}
