//! `deploy check`: the program `check-endpoints`, put on a deployment that is named, or an address.

use super::front_end::{FrontEnd, become_it};
use crate::arguments::{self, Checked};
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::programs;
use crate::report::{Event, reader};
use crate::session::find_one;

pub(super) async fn check(given: &arguments::Check) -> Result<Exit, Failure> {
    let report = reader(false);
    let program = programs::outside("check-endpoints", &*report).await?;
    report.event(&Event::Finished);
    let front_end = match &given.checked {
        Checked::Address(url) => FrontEnd::at(url),
        Checked::Deployment(name) => {
            let home = Home::find()?;
            let found = find_one(&home, name, &given.whereabouts).await?;
            FrontEnd::of(&home, name, &found).await?
        }
    };
    let mut check = front_end.program(&program);
    let options = [
        (given.delete_photos, "--delete-photos"),
        (given.with_resize, "--with-resize"),
        (given.json, "--json"),
    ];
    check.args(options.iter().filter(|(on, _)| *on).map(|(_, name)| name));
    Err(become_it(check))
}
