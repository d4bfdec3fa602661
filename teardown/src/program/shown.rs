//! What is said of the deployments of an account.

use deployer_session::home::Home;
use deployer_session::prices::rates;
use deployer_session::report::counted;
use jiff::Timestamp;
use serde_json::{Value, json};
use teardown::everywhere::{Found, Unreadable};
use teardown::terminal::lines;

/// A deployment: a line that says whose it is, and below it all that there is of it.
pub(crate) fn deployment(found: &Found, sign: char, home: &Home, now: Timestamp) -> String {
    let instant = |at: &str| {
        let parsed = at.parse::<Timestamp>();
        parsed.map_or_else(
            |_| at.to_owned(),
            |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        )
    };
    let listed = found.listed();
    let rates = rates(home, &found.account);
    let mut facts = vec![
        format!("{} in {}", found.scope.deployment, found.scope.region),
        counted(listed.len(), "thing"),
    ];
    facts.extend(rates.as_ref().map(|rates| {
        let sum = rates.sum(&listed);
        match sum.without_price {
            0 => format!("{} an hour", sum.per_hour),
            count => format!("{} an hour and {count} without a price", sum.per_hour),
        }
    }));
    facts.extend(found.made().map(|at| format!("since {}", instant(at))));
    facts.extend(found.says.expires.as_deref().map(|at| {
        let is = match found.is_expired(now) {
            true => "EXPIRED",
            false => "expires",
        };
        format!("{is} {}", instant(at))
    }));
    facts.extend(
        found
            .says
            .owner
            .as_ref()
            .map(|owner| format!("made by {owner}")),
    );
    let mut text = format!(
        "{}\n{}",
        facts.join(", "),
        lines(&listed, sign, rates.as_ref())
    );
    for unread in &found.unread {
        text.push_str(&format!("  not read: {unread}\n"));
    }
    text
}

/// The same as JSON.
pub(crate) fn as_json(found: &Found, home: &Home, now: Timestamp) -> Value {
    let rates = rates(home, &found.account);
    let sum = rates.map(|rates| rates.sum(&found.listed()));
    json!({
        "deployment": found.scope.deployment,
        "account": found.scope.account,
        "region": found.scope.region,
        "owner": found.says.owner,
        "made": found.made(),
        "expires": found.says.expires,
        "expired": found.is_expired(now),
        "per-hour-microdollars": sum.map(|sum| sum.per_hour),
        "without-price": sum.map(|sum| sum.without_price),
        "resources": found.listed(),
        "unread": found.unread,
    })
}

/// Names the regions that could not be read, on standard error.
pub(crate) fn name(unreadable: &[Unreadable]) {
    for Unreadable { region, error } in unreadable {
        eprintln!("{region} could not be read and is left out: {error}");
    }
}
