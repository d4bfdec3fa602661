//! `deploy logs`.

use std::io::Write;

use deployer_aws::logs::console;
use deployer_core::inventory::{FoundInstance, Inventory};
use deployer_core::names::Kind;

use crate::arguments;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::interrupt;
use crate::session::{Found, find_one};

pub(super) async fn logs(given: &arguments::Logs) -> Result<Exit, Failure> {
    let home = Home::find()?;
    let found = find_one(&home, &given.name, &given.whereabouts).await?;
    let chosen = choose(&found.inventory, given.instance.as_deref())?;
    let mut shown: Vec<String> = vec![String::new(); chosen.len()];
    let stop = interrupt::listen()?;
    loop {
        for (instance, before) in chosen.iter().zip(&mut shown) {
            let now = read(&found, instance).await?;
            print(instance, chosen.len() > 1, added(before, &now))?;
            *before = now;
        }
        if !given.follow || interrupt::asked(&stop) {
            return Ok(Exit::Done);
        }
        let pause = found.session.account.target.pace.follow;
        let mut stop = stop.clone();
        tokio::select! { () = tokio::time::sleep(pause) => {}, _ = stop.wait_for(|asked| *asked) => {} }
    }
}

async fn read(found: &Found, instance: &FoundInstance) -> Result<String, Failure> {
    let console = console(&found.session.account, &instance.id).await;
    console.map_err(Failure::aws(format!(
        "reading the console of {}",
        instance.id
    )))
}

/// The instances that are meant; without a word, the single ones.
fn choose<'a>(
    inventory: &'a Inventory,
    wanted: Option<&str>,
) -> Result<Vec<&'a FoundInstance>, Failure> {
    let matches = |i: &&FoundInstance| match wanted {
        None => i.resource.kind == Kind::Instance,
        Some(word) => {
            i.id == word || i.resource.name.as_str() == word || i.resource.to_string() == word
        }
    };
    let chosen: Vec<&FoundInstance> = inventory.instances.iter().filter(matches).collect();
    if chosen.is_empty() {
        let there: Vec<String> = inventory
            .instances
            .iter()
            .map(|i| format!("{} ({})", i.id, i.resource))
            .collect();
        return Err(Failure::Unfinished {
            what: format!("no instance is called {}", wanted.unwrap_or("so")),
            hint: if there.is_empty() {
                "there are none yet, or none any more".to_owned()
            } else {
                format!("there are {}", there.join(", "))
            },
        });
    }
    Ok(chosen)
}

/// What the console has now and had not before. It keeps its last 64 KiB only, so its beginning
/// may have moved on.
fn added<'a>(before: &str, now: &'a str) -> &'a str {
    if let Some(rest) = now.strip_prefix(before) {
        return rest;
    }
    let mut from = before.len().saturating_sub(now.len());
    while from < before.len() {
        if before.is_char_boundary(from)
            && let Some(rest) = now.strip_prefix(&before[from..])
        {
            return rest;
        }
        from += 1;
    }
    now
}

fn print(instance: &FoundInstance, several: bool, text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for line in text.lines() {
        let written = if several {
            writeln!(out, "{}: {line}", instance.id)
        } else {
            writeln!(out, "{line}")
        };
        match written {
            // The reader of a pipe has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(Failure::here("printing"))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_added_is_printed() {
        assert_eq!(added("", "one\n"), "one\n");
        assert_eq!(added("one\n", "one\ntwo\n"), "two\n");
        assert_eq!(added("one\ntwo\n", "two\nthree\n"), "three\n");
        assert_eq!(added("one\n", "four\n"), "four\n");
    }
}
