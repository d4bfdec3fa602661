//! `deploy plan`.

use serde_json::json;

use super::prepare::{self, Prepared, prepare};
use crate::arguments;
use crate::binding::Binding;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::lock::AtWork;
use crate::programs::Source;
use crate::report::{Stream, counted, lines, plan_text, reader};
use crate::session::Session;

pub(super) async fn plan(given: &arguments::Plan) -> Result<Exit, Failure> {
    let blueprint = prepare::blueprint(&given.blueprint)?;
    let home = Home::find()?;
    let kind = given.place.target.into();
    let source = Source::of(kind, &blueprint)?;
    source.build(&*reader(given.json)).await?;
    let built = source.inspect().await?;
    let at_work = AtWork::begin(&home).await?;
    let bound = Binding::of(&home, &blueprint.name);
    let session = Session::open(&home, &bound, kind, &blueprint.region, &source.folder).await?;
    let prepared = prepare(&home, &session, &blueprint, &built, &given.remove).await;
    // A localcloud that was started to look into it goes again.
    session.close(&home, &at_work).await?;
    home.remove_if_empty();
    let Prepared { plan, bill, .. } = prepared?;
    if given.json {
        println!(
            "{}",
            json!({
                "steps": lines(&plan.steps), "refusals": plan.refusals, "notes": plan.notes,
                "cost": bill.as_json(),
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
    if !given.json {
        print!("{}", bill.as_text());
    }
    if !plan.refusals.is_empty() {
        return Ok(Exit::Refused);
    }
    bill.refuse_expired()?;
    if !plan.is_empty() {
        bill.refuse_over_budget()?;
    }
    Ok(if given.detailed_exitcode && !plan.is_empty() {
        Exit::Changes
    } else {
        Exit::Done
    })
}
