//! `deploy load`: the program `load`, put on a deployment that is named.

use deployer_aws::TargetKind;

use super::front_end::{FrontEnd, become_it};
use crate::arguments;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::programs;
use crate::report::{Event, reader};
use crate::session::find_one;

const CREDITS: &str = "load costs money on AWS: instances that are busier than their baseline are billed for \
     CPU credits, up to $0.05 an hour for each of their two CPUs, and a database of class db.t3 or db.t4g \
     $0.075";

pub(super) async fn load(given: &arguments::Load) -> Result<Exit, Failure> {
    let home = Home::find()?;
    let report = reader(false);
    let program = programs::outside("load", &*report).await?;
    report.event(&Event::Finished);
    let found = find_one(&home, &given.name, &given.whereabouts).await?;
    let front_end = FrontEnd::of(&home, &given.name, &found).await?;
    if found.session.account.target.kind == TargetKind::Aws {
        report.event(&Event::Note { text: CREDITS });
    }
    let mut load = front_end.program(&program);
    // `deploy load NAME -- --help` and `deploy load NAME --rate 5 -- --help` are meant alike.
    load.args(given.options.iter().filter(|option| *option != "--"));
    Err(become_it(load))
}
