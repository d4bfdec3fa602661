//! `deploy cost`.

use deployer_aws::{TargetKind, timers};
use deployer_core::cost::estimate::{Estimate, estimate};
use deployer_core::cost::so_far::so_far;
use deployer_core::cost::words;
use jiff::Timestamp;
use serde_json::json;

use super::prepare;
use crate::arguments;
use crate::bill;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::journal::Record;
use crate::prices::prices;
use crate::session::{Found, find_one};

pub(super) async fn cost(given: &arguments::Cost) -> Result<Exit, Failure> {
    let home = Home::find()?;
    let found = find_one(&home, &given.name, &given.whereabouts).await?;
    let (account, region) = (&found.session.account, &found.scope.region);
    let timers = timers::read(account, &found.scope, &found.inventory).await;
    let timers = timers.map_err(Failure::aws(format!("looking at {}", given.name)))?;
    let now = Timestamp::now();
    let prices = prices(&home, region)?;
    let so_far = so_far(&found.inventory, &prices, now);
    let expected = expected(&home, &found, &prices);
    let expires_at = timers.expires_at();
    let until = expires_at.map(|end| bill::until(end, now));
    let is_billed = account.target.kind == TargetKind::Aws;
    if given.json {
        println!(
            "{}",
            json!({
                "deployment": given.name,
                "billed": is_billed,
                "region": region,
                "prices": { "region": prices.region, "as-of": prices.as_of },
                "expires-at": expires_at,
                "seconds-left": until.as_ref().map(|until| until.seconds),
                "so-far-microdollars": so_far.total(),
                "per-hour-microdollars": expected.as_ref().map_or(so_far.per_hour(), Estimate::now),
                "most-per-hour-microdollars": expected.as_ref().map(Estimate::most),
                "things": so_far,
                "estimate": expected,
            })
        );
        return Ok(Exit::Done);
    }
    let place = if is_billed {
        format!("{} in {region}", given.name)
    } else {
        format!(
            "{} on this laptop costs nothing; on AWS in {region} it would be",
            given.name
        )
    };
    println!("{place}\n");
    let text = words::of_deployment(&so_far, expected.as_ref(), &prices, region, until.as_ref());
    print!("{text}");
    Ok(Exit::Done)
}

/// By the blueprint that it was made from, if that is still where it was.
fn expected(
    home: &Home,
    found: &Found,
    prices: &deployer_core::prices::Prices,
) -> Option<Estimate> {
    let record = Record::read(home, &found.scope.deployment)?;
    let blueprint = prepare::blueprint(&record.blueprint).ok()?;
    let is_its_own = blueprint.name == found.scope.deployment;
    let nodes = bill::nodes(&blueprint, &found.inventory);
    is_its_own.then(|| estimate(&blueprint, prices, &nodes))
}
