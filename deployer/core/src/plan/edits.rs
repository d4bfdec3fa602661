//! What an edit of the blueprint changes of things that exist: from what, to what, and what that
//! brings with it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::blueprint::{CpuCredits, Database, Image, Pool};
use crate::inventory::{FoundDatabase, FoundImage};
use crate::plan::Change;
use crate::settings::PoolStatus;

/// What happens to nodes that were launched as something else.
const REPLACED: &str = "nodes are replaced one by one";
/// What happens to nodes whose configuration changes.
const TOLD: &str = "every node is told, nothing restarts";

/// A change of one value.
pub(super) fn change(
    what: &str,
    from: impl Into<String>,
    to: impl Into<String>,
    means: impl Into<String>,
) -> Change {
    Change {
        what: what.to_owned(),
        from: from.into(),
        to: to.into(),
        means: means.into(),
    }
}

/// A change that is told by its name alone.
pub(super) fn plain(what: impl Into<String>, means: &str) -> Change {
    change(&what.into(), "", "", means)
}

/// What a pool is made of, by the ids that things have; `None` where a thing is yet to be made.
pub(super) struct PoolParts<'a> {
    pub(super) image: Option<&'a String>,
    pub(super) profile: Option<&'a String>,
    pub(super) group: Option<&'a String>,
}

/// A pool as it was published, and what its manager says of it.
pub(super) struct PublishedPool<'a> {
    pub(super) document: &'a Value,
    pub(super) status: Option<&'a PoolStatus>,
}

impl PublishedPool<'_> {
    /// What the blueprint says anew of the pool.
    pub(super) fn changes(&self, pool: &Pool, parts: &PoolParts<'_>) -> Vec<Change> {
        let mut changes = self.make(pool, parts);
        changes.extend(self.bounds(pool));
        changes.extend(self.choices(pool));
        changes
    }

    fn make(&self, pool: &Pool, parts: &PoolParts<'_>) -> Vec<Change> {
        let told = |key: &str| text(&self.document[key]);
        let id = |id: Option<&String>| id.map_or("a new one", String::as_str).to_owned();
        let credits = pool.cpu_credits.map_or("AWS's default", CpuCredits::as_str);
        let was_credits = self.document["cpu-credits"].as_str();
        let compared = [
            ("image", told("image"), id(parts.image)),
            ("type", told("type"), pool.machine.clone()),
            ("role", told("instance-profile"), id(parts.profile)),
            (
                "security-group",
                text(&self.document["security-groups"][0]),
                id(parts.group),
            ),
            (
                "cpu-credits",
                was_credits.unwrap_or("AWS's default").to_owned(),
                credits.to_owned(),
            ),
        ];
        compared
            .into_iter()
            .filter(|(_, from, to)| from != to)
            .map(|(what, from, to)| change(what, from, to, REPLACED))
            .collect()
    }

    fn bounds(&self, pool: &Pool) -> Vec<Change> {
        let size = &self.document["size"];
        let wanted = self.status.map(|s| s.wanted);
        let least = wanted.filter(|w| *w < pool.size.min);
        let most = wanted.filter(|w| *w > pool.size.max);
        let moves = |goes: &str, from: Option<u32>, to: u32| match from {
            Some(from) => format!("the pool {goes} from {from} to {} at once", nodes(to)),
            None => "the size it has is within it".to_owned(),
        };
        let compared = [
            (
                "size.min",
                pool.size.min,
                moves("grows", least, pool.size.min),
            ),
            (
                "size.max",
                pool.size.max,
                moves("shrinks", most, pool.size.max),
            ),
        ];
        compared
            .into_iter()
            .filter(|(what, to, _)| size[&what[5..]] != json!(to))
            .map(|(what, to, means)| change(what, text(&size[&what[5..]]), to.to_string(), means))
            .collect()
    }

    fn choices(&self, pool: &Pool) -> Vec<Change> {
        let new = |choice: &Choice| self.document[choice.name] != choice.says;
        let told = |choice: Choice| {
            let said = &self.document[choice.name];
            let set = self.set_by_people(&choice).filter(|set| *set != said);
            let instead = set.map_or_else(String::new, |set| {
                format!(", in place of {} from the manager's page", shown(set))
            });
            let means = match choice.name {
                "capacity" | "policy" => format!("{TOLD}{instead}"),
                "hand-over" => "counts from the next resize on".to_owned(),
                _ => format!("counts from the next decision on{instead}"),
            };
            change(choice.name, shown(said), shown(&choice.says), means)
        };
        choices(pool).into_iter().filter(new).map(told).collect()
    }

    fn set_by_people(&self, choice: &Choice) -> Option<&Value> {
        self.status?.choices.get(choice.in_status)
    }

    /// What the blueprint says of the pool and is not so, since it counts at the first start only or
    /// people have set it otherwise.
    pub(super) fn notes(&self, pool: &Pool) -> Vec<String> {
        let start = &self.document["size"]["start"];
        let has = self.status.map_or_else(String::new, |s| {
            format!("; the pool has {}", nodes(s.wanted))
        });
        let start = (*start != json!(pool.size.start)).then(|| {
            format!(
                "size.start: {} -> {} counts at the first start only; the manager's page and \
                 configure_cache resize a running pool{has}",
                text(start),
                pool.size.start
            )
        });
        let kept = choices(pool).into_iter().filter_map(|choice| {
            let is_old = self.document[choice.name] == choice.says;
            let set = self.set_by_people(&choice)?;
            (is_old && *set != choice.says).then(|| {
                format!(
                    "{}: {} stays, as set on the manager's page; {} counts again when the \
                     blueprint changes it",
                    choice.name,
                    shown(set),
                    shown(&choice.says)
                )
            })
        });
        start.into_iter().chain(kept).collect()
    }
}

/// A value that both the blueprint and the manager's page decide.
struct Choice {
    /// Its name in the pool's document.
    name: &'static str,
    /// Its name in the manager's status.
    in_status: &'static str,
    /// What the blueprint says.
    says: Value,
}

fn choices(pool: &Pool) -> [Choice; 8] {
    let choice = |name, in_status, says| Choice {
        name,
        in_status,
        says,
    };
    let scaling = &pool.scaling;
    [
        choice("capacity", "capacity", json!(pool.capacity)),
        choice("policy", "policy", json!(pool.policy.as_str())),
        choice("hand-over", "hand-over", json!(pool.hand_over)),
        choice("mode", "mode", json!(scaling.mode())),
        choice("grow-above", "max-miss", json!(scaling.grow_above)),
        choice("shrink-below", "min-miss", json!(scaling.shrink_below)),
        choice("expand", "exp-ratio", json!(scaling.expand)),
        choice("shrink", "shrink-ratio", json!(scaling.shrink)),
    ]
}

/// What is new in the settings of an instance, of which its services read all when they start.
pub(super) fn instance_changes(mut told: Value, mut now: Value, means: &str) -> Vec<Change> {
    let mut changes = Vec::new();
    // Before there was a choice, it was open.
    let api = |document: &mut Value| match document["api"].take() {
        Value::Null => "open".to_owned(),
        api => text(&api),
    };
    let (was, is) = (api(&mut told), api(&mut now));
    if was != is {
        changes.push(change("api", was, is, means));
    }
    if told != now {
        changes.push(plain("what its services are told", means));
    }
    changes
}

/// A value without its quotes.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A value for people: whole numbers are bytes here.
fn shown(value: &Value) -> String {
    const MIB: u64 = 1024 * 1024;
    match value.as_u64() {
        Some(bytes) if bytes % MIB == 0 => format!("{} MiB", bytes / MIB),
        Some(bytes) => format!("{bytes} bytes"),
        None => text(value),
    }
}

fn nodes(count: u32) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} node{s}")
}

/// What of a policy is not as it was, by the names of its statements.
pub(super) fn policy_changes(old: Option<&str>, new: &str) -> Vec<Change> {
    const MEANS: &str = "counts within a minute, nothing restarts";
    let (old, new) = (old.map(statements).unwrap_or_default(), statements(new));
    let names = old
        .keys()
        .chain(new.keys().filter(|n| !old.contains_key(*n)));
    names
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| {
            let verb = match (old.contains_key(name), new.contains_key(name)) {
                (true, true) => "changed",
                (true, false) => "removed",
                (false, _) => "added",
            };
            plain(format!("statement {name} {verb}"), MEANS)
        })
        .collect()
}

/// The statements of a policy by their ids; those without one by their number.
fn statements(policy: &str) -> BTreeMap<String, Value> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let list = policy["Statement"].as_array().cloned().unwrap_or_default();
    let named = |(index, statement): (usize, Value)| {
        let number = || format!("{}", index + 1);
        let name = statement["Sid"].as_str().map_or_else(number, str::to_owned);
        (name, statement)
    };
    list.into_iter().enumerate().map(named).collect()
}

/// Why an image is made anew, beside one of other inputs.
pub(super) fn image_changes(
    found: &FoundImage,
    image: &Image,
    programs: &str,
    recipe: &str,
) -> Vec<Change> {
    let differs = |tag: &Option<String>, now: &str| tag.as_deref().is_some_and(|t| t != now);
    let mut why = Vec::new();
    if differs(&found.programs, programs) {
        why.push(plain("its programs were built anew", ""));
    }
    if differs(&found.recipe, recipe) {
        why.push(plain("its recipe has changed", ""));
    }
    if why.is_empty() {
        let base = image.base.as_str();
        why.push(plain(
            format!("it is made from {base}, or otherwise than before"),
            "",
        ));
    }
    why
}

/// What has to be changed of a database, or why it cannot be.
pub(super) fn database_changes(
    found: &FoundDatabase,
    wanted: &Database,
) -> Result<Vec<Change>, String> {
    let (has, wants) = (found.storage_gib, wanted.storage_gib);
    if wants < has {
        return Err(format!(
            "has {has} GiB, and the storage of a database cannot shrink; set the blueprint to {has} GiB"
        ));
    }
    let least = (u64::from(has) * 11).div_ceil(10);
    if wants > has && u64::from(wants) < least {
        return Err(format!(
            "has {has} GiB, and RDS adds a tenth at least; set the blueprint to {has} GiB, or to {least} GiB or more"
        ));
    }
    let mut changes = Vec::new();
    if found.class != wanted.class {
        let means = "it restarts; until then no uploads, and photos from the caches only";
        changes.push(change("class", &found.class, &wanted.class, means));
    }
    if wants > has {
        let means = "it grows while it serves; RDS allows the next change in six hours";
        let gib = |size: u32| format!("{size} GiB");
        changes.push(change("storage", gib(has), gib(wants), means));
    }
    Ok(changes)
}

/// Whether RDS is at it already.
pub(super) fn is_being_changed(found: &FoundDatabase, wanted: &Database) -> bool {
    let will = &found.pending;
    let class = will.class.as_ref().unwrap_or(&found.class);
    let storage = will.storage_gib.unwrap_or(found.storage_gib);
    !found.is_available() && *class == wanted.class && storage == wanted.storage_gib
}
