//! `deploy load`: the program `load`, put on a deployment that is named.

use std::os::unix::process::CommandExt;
use std::process::Command;

use deployer_aws::TargetKind;

use crate::arguments;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::invocation::invocation;
use crate::outputs;
use crate::programs;
use crate::report::{Event, reader};
use crate::session::{Found, find_one};

/// The service that the load goes to.
const FRONT_END: &str = "front-end";

const CREDITS: &str = "load costs money on AWS: instances that are busier than their baseline are billed for \
     CPU credits, up to $0.05 an hour for each of their two CPUs, and a database of class db.t3 or db.t4g \
     $0.075";

pub(super) async fn load(given: &arguments::Load) -> Result<Exit, Failure> {
    let home = Home::find()?;
    let report = reader(false);
    let program = programs::load(&*report).await?;
    report.event(&Event::Finished);
    let found = find_one(&home, &given.name, &given.whereabouts).await?;
    let front_end = front_end(given, &found).await?;
    if found.session.account.target.kind == TargetKind::Aws {
        report.event(&Event::Note { text: CREDITS });
    }
    let mut load = Command::new(&program);
    load.arg(front_end).args(&given.options);
    // It takes our place: Ctrl-C, the terminal and the exit code are its own.
    let failed = load.exec();
    Err(Failure::here(format!("starting {}", program.display()))(
        failed,
    ))
}

async fn front_end(given: &arguments::Load, found: &Found) -> Result<String, Failure> {
    let doors = outputs::doors(&found.session.account, &found.inventory)
        .await
        .map_err(Failure::aws(format!(
            "reading the addresses of {}",
            given.name
        )))?;
    let door = doors.into_iter().find(|door| door.service == FRONT_END);
    door.map(|door| door.url)
        .ok_or_else(|| Failure::Unfinished {
            what: format!("{} has no front-end to put load on", given.name),
            hint: format!(
                "if it is not finished, {} up goes on with it; load is for the elastic photo cache",
                invocation()
            ),
        })
}
