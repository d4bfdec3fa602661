//! `teardown list`.

use deployer_session::failure::{Exit, Failure};
use deployer_session::home::Home;
use deployer_session::lock::AtWork;
use deployer_session::session::{Session, everywhere};
use jiff::Timestamp;
use serde_json::json;
use teardown::everywhere::look;

use super::arguments;
use super::shown;

pub(crate) async fn list(given: &arguments::List) -> Result<Exit, Failure> {
    let home = Home::find()?;
    let at_work = AtWork::begin(&home).await?;
    let place = &given.place;
    let sessions = everywhere(&home, place.target.into(), place.region.clone()).await?;
    let accounts = sessions.iter().map(|s| s.account.clone()).collect();
    let (found, unreadable) = look(accounts).await;
    let now = Timestamp::now();
    if given.json {
        let deployments: Vec<_> = found
            .iter()
            .map(|f| shown::as_json(f, &home, now))
            .collect();
        let regions = unreadable.iter();
        let regions: Vec<_> = regions
            .map(|u| json!({ "region": u.region, "error": u.error.to_string() }))
            .collect();
        println!(
            "{}",
            json!({ "deployments": deployments, "unreadable": regions })
        );
    } else {
        for found in &found {
            print!("{}", shown::deployment(found, '=', &home, now));
        }
        if found.is_empty() {
            println!("There is no deployment here.");
        }
        shown::name(&unreadable);
    }
    leave(sessions, &home, &at_work).await?;
    Ok(Exit::Done)
}

/// Ends localcloud if nothing is left in it.
pub(crate) async fn leave(
    sessions: Vec<Session>,
    home: &Home,
    at_work: &AtWork,
) -> Result<(), Failure> {
    let mut last = None;
    // All share one localcloud; open connections to it would be waited for.
    for session in sessions {
        last = Some(session);
    }
    if let Some(session) = last {
        session.close(home, at_work).await?;
    }
    home.remove_if_empty();
    Ok(())
}
