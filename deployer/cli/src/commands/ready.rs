//! The end of `up`: waiting until the deployment answers, and saying where.

use std::time::{Duration, Instant};

use deployer_aws::carry_out::Site;
use deployer_aws::{read, stored};
use deployer_core::blueprint::Service;
use deployer_core::inventory::InstanceState;
use deployer_core::names::ResourceName;
use deployer_core::reach::Unreachable;
use deployer_core::settings::{Document, PoolStatus, pool_blueprint_key};
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::failure::Failure;
use crate::invocation::invocation;
use crate::local::request;
use crate::outputs::{self, Door, Shown};
use crate::report::{Event, Report};

/// For how long nothing may change: instances need a minute or two to boot, nodes as long again,
/// and each that is replaced as long too.
const DEADLINE: Duration = Duration::from_secs(10 * 60);

/// How long a connection is waited for that nothing answers: a first packet may be lost.
const SILENCE: Duration = Duration::from_secs(4);
/// How long a door may take to say whether its service is ready.
const ANSWER: Duration = Duration::from_secs(5);
/// How often in a row a door of a deployment that is well may stay silent. A look takes seconds then.
const SILENT_LOOKS: u32 = 3;

/// Waits until every single instance that manages a pool says so in the bucket, and every door
/// answers. Where all is well and a door stays silent for whoever asks from here, the answer says why.
pub(super) async fn await_ready(
    site: &Site,
    stop: watch::Receiver<bool>,
    report: &dyn Report,
) -> Result<Option<Unreachable>, Failure> {
    let mut since = Instant::now();
    let mut silent_looks = 0;
    let managers = site.blueprint.instances.iter();
    let names: Vec<&ResourceName> = managers
        .filter(|(_, instance)| instance.services.contains(&Service::Manager))
        .map(|(name, _)| name)
        .collect();
    let mut said = String::new();
    loop {
        let waiting = match what_is_missing(site, &names).await? {
            Missing::Nothing => return Ok(None),
            Missing::Answer(door) if silent_looks + 1 == SILENT_LOOKS => {
                return why_silent(site, &door).await.map(Some);
            }
            Missing::Answer(door) => {
                silent_looks += 1;
                format!("{} at {} stays silent", door.service, door.url)
            }
            Missing::Work(waiting) => {
                silent_looks = 0;
                waiting
            }
        };
        if waiting != said {
            report.event(&Event::Note {
                text: &format!("waiting: {waiting}"),
            });
            said.clone_from(&waiting);
            since = Instant::now();
        }
        if crate::interrupt::asked(&stop) {
            return Err(Failure::Interrupted {
                hint: "all is made; it was still starting".to_owned(),
            });
        }
        if since.elapsed() > DEADLINE {
            let (invocation, name) = (invocation(), &site.blueprint.name);
            return Err(Failure::Unfinished {
                what: format!(
                    "everything is made, but it is not well, and for {} s nothing has changed: {waiting}",
                    DEADLINE.as_secs()
                ),
                hint: format!(
                    "{invocation} logs {name} says why; {invocation} down {name} takes it away"
                ),
            });
        }
        tokio::time::sleep(site.account.target.pace.poll).await;
    }
}

/// What is missing until a deployment can be used from here.
enum Missing {
    Nothing,
    /// A service has not come so far; in words.
    Work(String),
    /// All is well as far as the manager can see, but from this door comes nothing at all.
    Answer(Door),
}

async fn what_is_missing(site: &Site, instances: &[&ResourceName]) -> Result<Missing, Failure> {
    let bucket = site.with_sources(|s| {
        deployer_core::settings::home_bucket(s.blueprint, s.known).map(str::to_owned)
    });
    let bucket = bucket.map_err(Failure::here("looking for the bucket"))?;
    for name in instances {
        if let Some(waiting) = what_a_manager_lacks(site, &bucket, name).await? {
            return Ok(Missing::Work(waiting));
        }
    }
    for door in doors(site).await? {
        match door.readiness().await {
            Readiness::Ready => {}
            Readiness::Silent => return Ok(Missing::Answer(door)),
            Readiness::NotYet(reason) => {
                let Door { service, url, .. } = door;
                return Ok(Missing::Work(format!("{service} at {url} {reason}")));
            }
        }
    }
    Ok(Missing::Nothing)
}

/// Holds the rules of a silent door against the address that asks.
async fn why_silent(site: &Site, door: &Door) -> Result<Unreachable, Failure> {
    let failed = || Failure::aws("looking why a door is silent");
    let here = read::my_address(&site.account).await.map_err(failed())?;
    let inventory = read::inventory(&site.account, &site.scope)
        .await
        .map_err(failed())?;
    let instance = inventory.instances.iter().find(|i| i.id == door.instance);
    let instance = instance.ok_or_else(|| Failure::Unfinished {
        what: format!("{} is gone while it was asked", door.instance),
        hint: "the same command goes on from there".to_owned(),
    })?;
    Ok(Unreachable::new(&inventory, instance, door.port, here))
}

/// An instance that has ended is not waited for.
async fn insist_it_runs(site: &Site, name: &ResourceName, id: Option<&str>) -> Result<(), Failure> {
    let inventory = read::inventory(&site.account, &site.scope)
        .await
        .map_err(Failure::aws("looking at the instances"))?;
    let runs = inventory.instances.iter().any(|found| {
        Some(found.id.as_str()) == id
            && matches!(found.state, InstanceState::Pending | InstanceState::Running)
    });
    if runs {
        return Ok(());
    }
    let (invocation, deployment) = (invocation(), &site.blueprint.name);
    Err(Failure::Unfinished {
        what: format!("instance/{name} has ended while its services were starting"),
        hint: format!(
            "the same command makes another; if it ends too, {invocation} logs {deployment} says why"
        ),
    })
}

/// What is missing until a manager's pool is as the blueprint says.
async fn what_a_manager_lacks(
    site: &Site,
    bucket: &str,
    name: &ResourceName,
) -> Result<Option<String>, Failure> {
    let status = outputs::pool_status(&site.account, bucket, name)
        .await
        .map_err(Failure::aws("asking for the pool's status"))?;
    let settings = site
        .with_sources(|s| s.instance(name))
        .map_err(Failure::here("reading settings"))?;
    let id = site.known().instances.get(name).cloned();
    let is_of_now =
        |s: &PoolStatus| s.settings == settings.hash() && Some(&s.instance) == id.as_ref();
    let Some(status) = status.filter(is_of_now) else {
        insist_it_runs(site, name, id.as_deref()).await?;
        return Ok(Some(format!("{name} starts its services")));
    };
    let hold = status.hold.map_or_else(String::new, |h| format!("; {h}"));
    if let Some(replacing) = status.replacing {
        return Ok(Some(format!("{name} replaces node {replacing}{hold}")));
    }
    if !status.ready {
        let (nodes, wanted) = (status.nodes, status.wanted);
        return Ok(Some(format!("{name} has {nodes} of {wanted} nodes{hold}")));
    }
    for pool in site.blueprint.pools.keys() {
        let key = pool_blueprint_key(name, pool);
        let told = stored::get(&site.account, bucket, &key)
            .await
            .map_err(Failure::aws(format!("reading {key}")))?;
        let told = told.map(|text| Document::new(key, &text).hash());
        if told.is_some() && status.blueprint != told {
            return Ok(Some(format!("{name} takes in what is new")));
        }
    }
    Ok(None)
}

async fn doors(site: &Site) -> Result<Vec<Door>, Failure> {
    let failed = || Failure::aws("looking for the addresses");
    let inventory = read::inventory(&site.account, &site.scope)
        .await
        .map_err(failed())?;
    outputs::doors(&site.account, &inventory)
        .await
        .map_err(failed())
}

/// The addresses, the password, the token if the API takes one, and what to try next.
pub(super) async fn print_outputs(
    site: &Site,
    took: Duration,
    unreachable: Option<&Unreachable>,
    json: bool,
) -> Result<(), Failure> {
    let failed = || Failure::aws("looking for the addresses");
    let inventory = read::inventory(&site.account, &site.scope)
        .await
        .map_err(failed())?;
    let doors = outputs::doors(&site.account, &inventory)
        .await
        .map_err(failed())?;
    let shown = outputs::shown(&site.account, &inventory)
        .await
        .map_err(failed())?;
    if json {
        let mut event = Map::from_iter([("event".to_owned(), Value::from("ready"))]);
        event.extend(doors.into_iter().map(|d| (d.service, Value::from(d.url))));
        event.insert("seconds".to_owned(), Value::from(took.as_secs_f64()));
        if let Some(why) = unreachable {
            event.insert("unreachable".to_owned(), Value::from(why.to_string()));
        }
        println!("{}", Value::from(event));
        return Ok(());
    }
    let (invocation, name) = (invocation(), &site.blueprint.name);
    match unreachable {
        None => println!("\n{name} is up ({:.1} s).\n", took.as_secs_f64()),
        Some(why) => println!("\n{name} is up, but not reachable from here: {why}.\n"),
    }
    for door in &doors {
        println!("  {:10} {}", door.service, door.url);
    }
    let token = shown.as_ref().and_then(|shown| shown.token.as_deref());
    if let Some(Shown { password, .. }) = &shown {
        let flag = if token.is_some() { " --show-token" } else { "" };
        println!("  {:10} {password}", "password");
        if let Some(token) = token {
            println!("  {:10} {token}", "token");
        }
        println!(
            "  {:10} {invocation} output {name} --show-password{flag}",
            "  again:"
        );
    }
    if let Some(door) = doors.iter().find(|d| d.service == "front-end") {
        let header = token.map(|token| format!("-H 'Authorization: Bearer {token}' "));
        println!("\nOpen the front-end in a browser, or try:");
        println!(
            "  curl {}-F key=hello -F file=@photo.jpg {}/api/upload",
            header.unwrap_or_default(),
            door.url
        );
    }
    println!("Take it away with:\n  {invocation} down {name}");
    Ok(())
}

/// Whether a service can do its work.
enum Readiness {
    Ready,
    /// Not even its machine answers.
    Silent,
    /// In words that follow its name.
    NotYet(String),
}

impl Door {
    /// Whether the service can do its work.
    pub(super) async fn answers(&self) -> bool {
        matches!(self.readiness().await, Readiness::Ready)
    }

    async fn readiness(&self) -> Readiness {
        match request("GET", &format!("{}/readyz", self.url), None, ANSWER).await {
            Ok((200, _)) => Readiness::Ready,
            Ok((_, body)) => Readiness::NotYet(what_it_waits_for(&body)),
            Err(_) if self.is_silent().await => Readiness::Silent,
            Err(_) => Readiness::NotYet("does not answer yet".to_owned()),
        }
    }

    /// Whether a connection is neither made nor refused, as where a security group drops it.
    async fn is_silent(&self) -> bool {
        let at = self.url.strip_prefix("http://").unwrap_or(&self.url);
        let connecting = tokio::net::TcpStream::connect(at);
        tokio::time::timeout(SILENCE, connecting).await.is_err()
    }
}

/// What `/readyz` says is missing: `{"checks":{"database":{"ok":false,"reason":"…"}}}`.
fn what_it_waits_for(body: &[u8]) -> String {
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    let checks = told["checks"].as_object().into_iter().flatten();
    let reasons: Vec<String> = checks
        .filter(|(_, check)| check["ok"] == false)
        .filter_map(|(name, check)| Some(format!("{name}: {}", check["reason"].as_str()?)))
        .collect();
    if reasons.is_empty() {
        return "is not ready yet".to_owned();
    }
    format!("waits for its {}", reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_waits_for_is_told() {
        let body = br#"{"checks":{"bucket":{"ok":true},"database":{"ok":false,"reason":"gone"}}}"#;
        assert_eq!(what_it_waits_for(body), "waits for its database: gone");
        assert_eq!(what_it_waits_for(b"<html>"), "is not ready yet");
    }
}
