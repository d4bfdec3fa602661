//! `deploy plan`.

use serde_json::json;

use super::prepare::{self, prepare};
use crate::arguments;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::lock::AtWork;
use crate::programs;
use crate::report::{Stream, counted, lines, plan_text, reader};
use crate::session::Session;

pub(super) async fn plan(given: &arguments::Plan) -> Result<Exit, Failure> {
    let blueprint = prepare::blueprint(&given.blueprint)?;
    let home = Home::find()?;
    let folder = programs::build(&*reader(given.json)).await?;
    let built = programs::inspect(&folder, given.place.target.into()).await?;
    let at_work = AtWork::begin(&home).await?;
    let session =
        Session::open(&home, given.place.target.into(), &blueprint.region, &folder).await?;
    let prepared = prepare(&session, &blueprint, &built, &given.remove).await;
    // A localcloud that was started to look into it goes again.
    session.close(&home, &at_work).await?;
    home.remove_if_empty();
    let plan = prepared?.plan;
    if given.json {
        println!(
            "{}",
            json!({
                "steps": lines(&plan.steps), "refusals": plan.refusals, "notes": plan.notes,
            })
        );
    } else if plan.is_empty() {
        println!(
            "No changes: {} is as {} says.",
            blueprint.name,
            given.blueprint.display()
        );
        print!("{}", plan_text(&plan, Stream::Output));
    } else {
        println!("{}: {}", blueprint.name, counted(plan.steps.len(), "step"));
        print!("{}", plan_text(&plan, Stream::Output));
    }
    if !plan.refusals.is_empty() {
        return Ok(Exit::Refused);
    }
    Ok(if given.detailed_exitcode && !plan.is_empty() {
        Exit::Changes
    } else {
        Exit::Done
    })
}
