//! A configuration as it is being edited.

use std::collections::BTreeMap;

use catalog::{Choices, Mode, PoolRow};
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::told_choices;
use crate::status::choices;
use crate::wish::{self, Limits, MIB, Wish, policy_name};

/// What can be set, by its name in `configure_cache`.
const NAMES: [&str; 7] = [
    "cacheSize",
    "policy",
    "mode",
    "maxMiss",
    "minMiss",
    "expRatio",
    "shrinkRatio",
];

/// A number that can be set.
struct Number {
    name: &'static str,
    label: &'static str,
    /// What it means, in a sentence.
    meaning: &'static str,
    limits: Limits,
}

const CAPACITY: Number = Number {
    name: "cacheSize",
    label: "Capacity of each node, in MB",
    meaning: "Of keys and photos together. When it is lowered, what does not fit is dropped at once.",
    limits: wish::CAPACITY,
};

const RULES: [Number; 4] = [
    Number {
        name: "maxMiss",
        label: "Grow above this miss rate",
        meaning: "The share of look-ups in a minute that find nothing. 0.6 is 60 %.",
        limits: wish::MISS_RATE,
    },
    Number {
        name: "minMiss",
        label: "Shrink below this miss rate",
        meaning: "Less than the one for growing; between the two the pool stays as it is.",
        limits: wish::MISS_RATE,
    },
    Number {
        name: "expRatio",
        label: "Growth factor",
        meaning: "2 doubles the nodes. At least one is added.",
        limits: wish::EXP_RATIO,
    },
    Number {
        name: "shrinkRatio",
        label: "Shrink factor",
        meaning: "0.5 halves the nodes. At least one is taken away.",
        limits: wish::SHRINK_RATIO,
    },
];

/// The configuration as it is, and what somebody has typed.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pool: PoolRow,
    typed: BTreeMap<&'static str, String>,
    problems: BTreeMap<&'static str, String>,
}

/// One value that would change.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Changed {
    what: &'static str,
    from: String,
    to: String,
    /// What the change brings with it.
    effect: String,
}

impl Draft {
    /// Nothing is typed yet.
    pub(super) fn of(pool: &PoolRow) -> Self {
        Self {
            pool: pool.clone(),
            typed: BTreeMap::new(),
            problems: BTreeMap::new(),
        }
    }

    /// With what was typed. A field that holds what is set asks for nothing.
    pub(super) fn with(self, given: impl Fn(&str) -> Option<String>) -> Self {
        let set = choices(&self.pool);
        self.with_form(&set, given)
    }

    /// With what came from a form that showed `shown`. A field that was left as it was asks for
    /// nothing, also if somebody else has changed meanwhile what it showed.
    pub(super) fn with_form(
        mut self,
        shown: &Choices,
        given: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let set = choices(&self.pool);
        let typed = NAMES.iter().filter_map(|name| Some((*name, given(name)?)));
        let typed =
            typed.filter(|(name, text)| [shown, &set].iter().all(|was| *text != value(was, name)));
        self.typed = typed.collect();
        self
    }

    /// The configuration as it is.
    pub(super) fn pool(&self) -> &PoolRow {
        &self.pool
    }

    /// What was typed, by name.
    pub(super) fn pairs(&self) -> &BTreeMap<&'static str, String> {
        &self.typed
    }

    /// The address of the form with what was typed.
    pub(super) fn address(&self) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.typed)
            .finish();
        format!("/configuration?{query}")
    }

    /// What was typed, as a wish.
    ///
    /// # Errors
    /// When something cannot be.
    pub(super) fn wish(&self) -> Result<Wish, wish::Refused> {
        Wish::from_pairs(&self.typed)
    }

    /// What would change.
    ///
    /// # Errors
    /// When something cannot be: the draft, with what is wrong at each field.
    pub(super) fn changes(&self) -> Result<Vec<Changed>, Box<Self>> {
        let mut checked = self.clone();
        for (name, value) in &self.typed {
            if Wish::from_pairs([(name, value)]).is_err() {
                checked.problems.insert(name, problem(name));
            }
        }
        let granted = self.wish().and_then(|wish| wish.grant(&self.pool));
        match granted {
            Ok(granted) => Ok(differences(&self.pool, &granted)),
            Err(refused) => {
                if checked.problems.is_empty() {
                    let text = kit::words::sentence(&refused.to_string());
                    checked.problems.insert("minMiss", text);
                }
                Err(Box::new(checked))
            }
        }
    }

    /// The form, for the template.
    pub(super) fn shown(&self) -> Value {
        let policy = self.value("policy").to_ascii_uppercase();
        let rules: Vec<_> = RULES.iter().map(|number| self.number(number)).collect();
        json!({
            "capacity": self.number(&CAPACITY),
            "rules": rules,
            "is_automatic": self.value("mode") == Mode::Auto.as_str(),
            "mode_problem": self.problems.get("mode"),
            "policy": policy,
            "policy_problem": self.problems.get("policy"),
            "seen": told_choices(&self.pool),
        })
    }

    fn number(&self, number: &Number) -> Value {
        json!({
            "name": number.name,
            "label": number.label,
            "meaning": number.meaning,
            "limits": number.limits,
            "is_minimum": number.name == "minMiss",
            "wrong": problem(number.name),
            "value": self.value(number.name),
            "problem": self.problems.get(number.name),
        })
    }

    /// What was typed for a name, else what it is.
    fn value(&self, name: &str) -> String {
        let typed = self.typed.get(name).cloned();
        typed.unwrap_or_else(|| value(&choices(&self.pool), name))
    }
}

/// What would be right.
fn problem(name: &str) -> String {
    let mut numbers = RULES.iter().chain([&CAPACITY]);
    match numbers.find(|number| number.name == name) {
        Some(number) => format!("Give {}.", number.limits.told()),
        None => "Choose one of those that there are.".to_owned(),
    }
}

/// A value as `configure_cache` says it.
fn value(choices: &Choices, name: &str) -> String {
    match name {
        // A blueprint may give one that is no whole number of MB.
        "cacheSize" => (choices.capacity as f64 / MIB as f64).to_string(),
        "policy" => policy_name(choices.policy).to_owned(),
        "mode" => choices.mode.as_str().to_owned(),
        "maxMiss" => choices.max_miss.to_string(),
        "minMiss" => choices.min_miss.to_string(),
        "expRatio" => choices.exp_ratio.to_string(),
        _ => choices.shrink_ratio.to_string(),
    }
}

fn differences(from: &PoolRow, to: &PoolRow) -> Vec<Changed> {
    let changed = NAMES.iter().filter_map(|name| {
        let (old, new) = (value(&choices(from), name), value(&choices(to), name));
        (old != new).then(|| Changed {
            what: label(name),
            effect: effect(name, from, to),
            from: value_told(name, old),
            to: value_told(name, new),
        })
    });
    changed.collect()
}

/// What a value is called.
pub(in crate::pages) fn label(name: &str) -> &'static str {
    let mut numbers = RULES.iter().chain([&CAPACITY]);
    match name {
        "policy" => "What a full node gives up",
        "mode" => "Who sets the size",
        "numNodes" => "Number of nodes",
        _ => numbers
            .find(|number| number.name == name)
            .map_or("Something else", |number| number.label),
    }
}

/// A value as people read it.
pub(in crate::pages) fn value_told(name: &str, value: String) -> String {
    match (name, value.as_str()) {
        ("policy", "LRU") => "least recently used (LRU)".to_owned(),
        ("policy", "SIEVE") => "oldest not asked for lately (SIEVE)".to_owned(),
        ("policy", "RR") => "any entry (RR)".to_owned(),
        ("mode", "manual") => "a person (manual)".to_owned(),
        ("mode", "auto") => "the scaler (auto)".to_owned(),
        ("cacheSize", megabytes) => format!("{megabytes} MB"),
        _ => value,
    }
}

fn effect(name: &str, from: &PoolRow, to: &PoolRow) -> String {
    let effect = match name {
        "cacheSize" if to.capacity < from.capacity => {
            "Every node drops at once what does not fit any more."
        }
        "cacheSize" => "Every node may hold more from now on.",
        "policy" => "Entries stay; it counts when a node is full.",
        "mode" if to.mode == Mode::Auto => {
            "The scaler decides from its next look on; growing and shrinking by hand is off."
        }
        "mode" => "The pool keeps its size until somebody changes it.",
        _ if to.mode == Mode::Auto => "It counts from the scaler's next look on.",
        _ => "It counts when the scaler sets the size.",
    };
    effect.to_owned()
}

#[cfg(test)]
mod tests;
