//! `deploy status`.

use deployer_aws::timers;
use deployer_core::expiry::{Expiry, in_words};
use deployer_core::inventory::Inventory;
use deployer_core::names::Kind;
use deployer_core::settings::PoolStatus;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::arguments;
use crate::bill;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::invocation::invocation;
use crate::journal::Record;
use crate::outputs::{self, Door};
use crate::session::{Found, find_one};

pub(super) async fn status(given: &arguments::Status) -> Result<Exit, Failure> {
    let home = Home::find()?;
    let Some(name) = &given.name else {
        list(&home, given.json);
        return Ok(Exit::Done);
    };
    let found = find_one(&home, name, &given.whereabouts).await?;
    let seen = look(&home, &found).await?;
    if given.json {
        println!("{}", seen.as_json(&found));
    } else {
        print!("{}", seen.as_text(&found));
    }
    Ok(Exit::Done)
}

/// All deployments that this machine remembers.
fn list(home: &Home, json: bool) {
    let records = Record::all(home);
    if json {
        println!("{}", json!(records));
        return;
    }
    if records.is_empty() {
        println!(
            "There is no deployment on this machine. Make one:\n  {} up blueprints/elastic-cache.yaml",
            invocation()
        );
    }
    for record in records {
        let age = age(Some(&record.begun.to_string()));
        println!(
            "{:24} {:6} {:12} {age}",
            record.name.as_str(),
            record.target.as_str(),
            record.region
        );
    }
}

/// The state of what has none: it is there.
const PRESENT: &str = "present";
/// Columns of the narrowest usual terminal.
const TERMINAL: usize = 80;

/// A resource with what is known of it now.
struct Row {
    resource: String,
    id: String,
    state: String,
    address: String,
    age: String,
}

impl Row {
    /// In one line, or in two where that would be longer than a terminal is wide.
    fn as_text(&self, width: usize) -> String {
        let facts: Vec<&str> = [self.state.as_str(), &self.address, &self.age]
            .into_iter()
            .filter(|fact| !["", PRESENT].contains(fact))
            .collect();
        let facts = facts.join("  ");
        let id = console::style(&self.id).dim();
        let resource = &self.resource;
        if facts.is_empty() {
            format!("  {resource:width$}  {id}\n")
        } else if 2 + width + 2 + self.id.len() + 2 + facts.len() <= TERMINAL {
            format!("  {resource:width$}  {id}  {facts}\n")
        } else {
            format!("  {resource:width$}  {id}\n  {:width$}  {facts}\n", "")
        }
    }
}

struct Seen {
    rows: Vec<Row>,
    doors: Vec<(Door, bool)>,
    pool: Option<PoolStatus>,
    expires_at: Option<Expiry>,
    /// The command that goes on with it, should it not be finished.
    up_again: String,
}

async fn look(home: &Home, found: &Found) -> Result<Seen, Failure> {
    let account = &found.session.account;
    let reading = || Failure::aws(format!("looking at {}", found.scope.deployment));
    let mut doors = Vec::new();
    for door in outputs::doors(account, &found.inventory)
        .await
        .map_err(reading())?
    {
        let well = door.answers().await;
        doors.push((door, well));
    }
    let mut pool = None;
    for running in outputs::running(&found.inventory) {
        let status =
            outputs::pool_status(account, running.bucket, &running.instance.resource.name).await;
        pool = pool.or(status.map_err(reading())?);
    }
    let timers = timers::read(account, &found.scope, &found.inventory).await;
    Ok(Seen {
        rows: rows(&found.inventory),
        doors,
        pool,
        expires_at: timers.map_err(reading())?.expires_at(),
        up_again: Record::up_again(home, &found.scope.deployment),
    })
}

fn rows(inventory: &Inventory) -> Vec<Row> {
    let listed = inventory.listed().into_iter().map(|line| {
        let instance = inventory.instances.iter().find(|i| i.id == line.id);
        let database = inventory.databases.iter().find(|d| d.id == line.id);
        let endpoint = database
            .and_then(|d| d.endpoint.as_ref())
            .map(|e| format!("{}:{}", e.host, e.port));
        let address = instance.and_then(|i| i.public_address.clone()).or(endpoint);
        let born = instance
            .and_then(|i| i.launched.as_deref())
            .or(database.and_then(|d| d.created.as_deref()));
        Row {
            resource: line.resource,
            state: if line.state.is_empty() {
                PRESENT.to_owned()
            } else {
                line.state
            },
            address: address.unwrap_or_default(),
            age: age(born),
            id: line.id,
        }
    });
    listed.collect()
}

impl Seen {
    fn well(&self) -> bool {
        !self.doors.is_empty()
            && self.doors.iter().all(|(_, well)| *well)
            && self
                .pool
                .as_ref()
                .is_none_or(|p| p.ready && p.nodes == p.wanted)
    }

    fn as_text(&self, found: &Found) -> String {
        let word = if self.well() {
            console::style("well").green()
        } else {
            console::style("not well").red()
        };
        let mut text = format!(
            "{} in {}: {word}\n",
            found.scope.deployment, found.scope.region
        );
        if let Some(end) = self.expires_at {
            let told = bill::until(end, Timestamp::now()).told;
            let (invocation, name) = (invocation(), &found.scope.deployment);
            text.push_str(&format!(
                "{told}; {invocation} extend {name} 2h makes it later\n"
            ));
        }
        if self.doors.is_empty() {
            text.push_str(&format!(
                "it is not finished: {} goes on with it\n",
                self.up_again
            ));
        } else {
            text.push('\n');
        }
        for (door, well) in &self.doors {
            let health = if *well { "answers" } else { "does not answer" };
            text.push_str(&format!("  {:24} {health:16} {}\n", door.service, door.url));
        }
        if let Some(pool) = &self.pool {
            text.push_str(&format!("  {:24} {}\n", "pool", pool_in_words(pool)));
        }
        text.push('\n');
        let width = self.rows.iter().map(|row| row.resource.len()).max();
        for row in &self.rows {
            text.push_str(&row.as_text(width.unwrap_or(0)));
        }
        text
    }

    fn as_json(&self, found: &Found) -> Value {
        let rows = self.rows.iter().map(|r| {
            json!({ "resource": r.resource, "id": r.id, "state": r.state, "address": r.address, "age": r.age })
        });
        let doors = self
            .doors
            .iter()
            .map(|(d, well)| json!({ "service": d.service, "url": d.url, "answers": well }));
        json!({
            "deployment": found.scope.deployment.as_str(),
            "account": found.scope.account,
            "region": found.scope.region,
            "expires-at": self.expires_at,
            "well": self.well(),
            "services": doors.collect::<Vec<_>>(),
            "pool": self.pool.as_ref().map(|p| json!({ "nodes": p.nodes, "wanted": p.wanted, "ready": p.ready, "replacing": p.replacing })),
            "resources": rows.collect::<Vec<_>>(),
            "nodes": found.inventory.instances.iter().filter(|i| i.resource.kind == Kind::Pool).count(),
        })
    }
}

/// `3 of 3 nodes, replacing 2 of 3: new image`.
fn pool_in_words(pool: &PoolStatus) -> String {
    let mut words = format!("{} of {} nodes", pool.nodes, pool.wanted);
    if let Some(replacing) = &pool.replacing {
        words.push_str(&format!(", replacing {replacing}"));
    }
    if let Some(hold) = &pool.hold {
        words.push_str(&format!("; {hold}"));
    }
    words
}

/// How long ago, in the two largest units: `3 h 12 min`.
fn age(born: Option<&str>) -> String {
    let Some(born) = born.and_then(|text| text.parse::<Timestamp>().ok()) else {
        return String::new();
    };
    let age = Timestamp::now().duration_since(born).as_secs();
    in_words(u64::try_from(age).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_line_while_it_fits_a_terminal() {
        let row = |id: &str, state: &str| {
            let row = Row {
                resource: "database/catalog".to_owned(),
                id: id.to_owned(),
                state: state.to_owned(),
                address: String::new(),
                age: "3 min".to_owned(),
            };
            console::strip_ansi_codes(&row.as_text(16)).into_owned()
        };
        assert_eq!(row("i-1", PRESENT), "  database/catalog  i-1  3 min\n");
        assert_eq!(
            row("i-1", "running"),
            "  database/catalog  i-1  running  3 min\n"
        );
        let long = "x".repeat(60);
        assert_eq!(
            row(&long, "running"),
            format!("  database/catalog  {long}\n{:20}running  3 min\n", "")
        );
    }
}
