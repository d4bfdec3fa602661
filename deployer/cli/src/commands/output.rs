//! `deploy output`.

use serde_json::{Map, Value};

use crate::arguments;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::journal::Record;
use crate::outputs::{self, Shown};
use crate::session::find_one;

pub(super) async fn output(given: &arguments::Output) -> Result<Exit, Failure> {
    let home = Home::find()?;
    let found = find_one(&home, &given.name, &given.whereabouts).await?;
    let account = &found.session.account;
    let reading = || Failure::aws(format!("reading the addresses of {}", given.name));
    let doors = outputs::doors(account, &found.inventory)
        .await
        .map_err(reading())?;
    if doors.is_empty() {
        return Err(Failure::Unfinished {
            what: format!("{} is not finished: it has no addresses yet", given.name),
            hint: format!("{} goes on with it", Record::up_again(&home, &given.name)),
        });
    }
    let mut outputs: Vec<(String, String)> =
        doors.into_iter().map(|d| (d.service, d.url)).collect();
    if given.show_password || given.show_token {
        let shown = outputs::shown(account, &found.inventory)
            .await
            .map_err(reading())?;
        outputs.extend(asked_for(given, shown));
    }
    if given.json {
        let object: Map<String, Value> = outputs
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect();
        println!("{}", Value::from(object));
    } else {
        for (name, value) in outputs {
            println!("{name:10} {value}");
        }
    }
    Ok(Exit::Done)
}

/// The secrets that were asked for, and are there.
fn asked_for(given: &arguments::Output, shown: Option<Shown>) -> Vec<(String, String)> {
    let (password, token) = shown.map_or((None, None), |s| (Some(s.password), s.token));
    if given.show_token && token.is_none() {
        eprintln!("the API of {} is open: it takes no token", given.name);
    }
    let password = password.filter(|_| given.show_password);
    let token = token.filter(|_| given.show_token);
    let named = [("password", password), ("token", token)].into_iter();
    named
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}
