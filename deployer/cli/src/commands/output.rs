//! `deploy output`.

use serde_json::{Map, Value};

use crate::arguments;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::outputs;
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
            hint: format!("{} up goes on with it", crate::invocation::invocation()),
        });
    }
    let mut outputs: Vec<(String, String)> =
        doors.into_iter().map(|d| (d.service, d.url)).collect();
    if given.show_password {
        let password = outputs::password(account, &found.inventory)
            .await
            .map_err(reading())?;
        outputs.extend(password.map(|p| ("password".to_owned(), p)));
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
