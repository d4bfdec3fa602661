//! Costs in words, for a terminal of 80 columns.

use super::HOURS_A_MONTH;
use super::budget::{Edit, Exceeded, Limit, Overrun};
use super::estimate::Estimate;
use super::so_far::SoFar;
use crate::expiry::in_words;
use crate::money::Microdollars;
use crate::prices::Prices;

/// Columns of the narrowest usual terminal.
const WIDTH: usize = 80;

/// When a deployment ends, as far as costs depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Until {
    /// The seconds that are left.
    pub seconds: u64,
    /// The same in words, with the time of day ([`crate::expiry::told`]).
    pub told: String,
}

/// What `plan` and `up` say of costs where they are billed.
#[must_use]
pub fn of_plan(found: &Estimate, prices: &Prices, region: &str, until: Option<&Until>) -> String {
    let mut lines = vec![format!(
        "{} an hour now, {} an hour at most (largest pool, all processors busy)",
        found.now(),
        found.most()
    )];
    let make = found.creation();
    lines.push(match until {
        Some(until) => format!(
            "{} at most until it {}; {make} of it to make it",
            found.most_for(until.seconds),
            until.told
        ),
        None => format!(
            "{make} to make it, and no end: {} a month at most",
            a_month(found)
        ),
    });
    if !found.without_price.is_empty() {
        let names: Vec<&str> = found.without_price.iter().map(String::as_str).collect();
        lines.push(format!(
            "no price known, and in no sum: {}",
            names.join(", ")
        ));
    }
    lines.push(format!("not priced: {}", found.not_priced.join("; ")));
    lines.push(of_prices(prices, region));
    labelled("cost", &lines)
}

fn a_month(found: &Estimate) -> Microdollars {
    found.most().for_seconds(HOURS_A_MONTH * 3600)
}

/// Where prices come from, and what is not in them.
pub(super) fn of_prices(prices: &Prices, region: &str) -> String {
    let same = if prices.region == region {
        ""
    } else {
        ", since there are none of this region"
    };
    format!(
        "list prices of {} ({}){same}, without taxes and free tiers",
        prices.region, prices.as_of
    )
}

/// What `plan` and `up` say of costs where nothing is billed.
#[must_use]
pub fn where_free(found: &Estimate) -> String {
    let text = format!(
        "nothing on this laptop; on AWS {} an hour now, {} at most",
        found.now(),
        found.most()
    );
    labelled("cost", &[text])
}

/// Why a blueprint is refused, and what would fit.
#[must_use]
pub fn of_overrun(name: &str, overrun: &Overrun) -> (String, String) {
    match overrun {
        Overrun::Exceeded(exceeded) => (of_exceeded(name, exceeded), ways(exceeded)),
        Overrun::WithoutPrice(names) => (
            format!(
                "whether {name} keeps to its budget cannot be told: no price is known of {}; nothing \
                 was changed",
                names.join(", ")
            ),
            "deploy prices --update FILE reads AWS's price list; or leave the budget out"
                .to_owned(),
        ),
        Overrun::OtherRegion(region) => (
            format!(
                "whether {name} keeps to its budget cannot be told: the prices are those of {region}; \
                 nothing was changed"
            ),
            "deploy prices --update FILE reads AWS's price list; or leave the budget out"
                .to_owned(),
        ),
        Overrun::Endless => (
            format!("{name} has a budget for all of its life and no end; nothing was changed"),
            "give it a `ttl`, or its budget `per-hour` in place of `total`".to_owned(),
        ),
    }
}

fn of_exceeded(name: &str, exceeded: &Exceeded) -> String {
    let (most, allowed) = (exceeded.most, exceeded.allowed);
    let mut text = match exceeded.limit {
        Limit::PerHour => format!("{name} can cost {most} an hour; its budget allows {allowed}"),
        Limit::Total => {
            format!("{name} can cost {most} until it expires; its budget allows {allowed}")
        }
    };
    text.push_str("\n  Nothing was changed. The largest parts of it, an hour:");
    for line in &exceeded.largest {
        text.push_str(&format!("\n  {:>9}  {}", line.most.to_string(), line.what));
    }
    text
}

fn ways(exceeded: &Exceeded) -> String {
    let shown = |edits: &[Edit]| -> Vec<String> { edits.iter().map(ToString::to_string).collect() };
    match exceeded.ways.as_slice() {
        [] => format!(
            "no smaller size of it fits: the least that it can cost is {} an hour",
            exceeded.least
        ),
        [edits] => {
            let all = shown(edits).join("\n  ");
            format!("it fits with this in the blueprint:\n  {all}")
        }
        several => {
            let each: Vec<String> = several.iter().map(|way| shown(way).join(", ")).collect();
            let each = each.join("\n  ");
            format!("it fits with any one of these lines in the blueprint:\n  {each}")
        }
    }
}

/// What `deploy cost` says.
#[must_use]
pub fn of_deployment(
    so_far: &SoFar,
    found: Option<&Estimate>,
    prices: &Prices,
    region: &str,
    until: Option<&Until>,
) -> String {
    let mut text = String::new();
    let width = so_far.lines.iter().map(|line| line.resource.len()).max();
    for line in &so_far.lines {
        let age = line.seconds.map_or_else(String::new, in_words);
        text.push_str(&format!(
            "  {:width$}  {:>8} an hour  {:>8} so far  {age}\n",
            line.resource,
            line.per_hour.to_string(),
            line.so_far.to_string(),
            width = width.unwrap_or(0)
        ));
    }
    text.push('\n');
    let spent = so_far.total();
    text.push_str(&labelled(
        "so far",
        &[format!(
            "{spent} for what there is now; not what has ended, nor calls, metrics and data"
        )],
    ));
    let now = found.map_or_else(|| so_far.per_hour(), Estimate::now);
    let most = found.map(Estimate::most);
    let at_most = |amount: Microdollars| format!(", {amount} at most (largest pool, all busy)");
    let hour = format!("{now}{}", most.map_or_else(String::new, at_most));
    text.push_str(&labelled("an hour", &[hour]));
    let end = match until {
        Some(until) => {
            let rest = most.map(|most| at_most(spent + most.for_seconds(until.seconds)));
            format!(
                "{} as it is now{}; it {}",
                spent + now.for_seconds(until.seconds),
                rest.unwrap_or_default(),
                until.told
            )
        }
        None => format!("it has no end; {} a day as it is now", now.per_day()),
    };
    text.push_str(&labelled("in all", &[end]));
    if !so_far.without_price.is_empty() {
        let names: Vec<&str> = so_far.without_price.iter().map(String::as_str).collect();
        let names = format!("of {}: in no sum", names.join(", "));
        text.push_str(&labelled("no price", &[names]));
    }
    text.push_str(&labelled("prices", &[of_prices(prices, region)]));
    text
}

/// Paragraphs with a word before the first of them, broken between words.
fn labelled(label: &str, paragraphs: &[String]) -> String {
    const INDENT: usize = 11;
    let mut text = String::new();
    for (index, paragraph) in paragraphs.iter().enumerate() {
        let mut line = match index {
            0 => format!("  {label:width$}", width = INDENT - 2),
            _ => " ".repeat(INDENT),
        };
        let mut is_fresh = true;
        for word in paragraph.split(' ') {
            if !is_fresh && line.chars().count() + 1 + word.chars().count() > WIDTH {
                text.push_str(&line);
                text.push('\n');
                line = " ".repeat(INDENT + 2);
                is_fresh = true;
            }
            if !is_fresh {
                line.push(' ');
            }
            line.push_str(word);
            is_fresh = false;
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}
