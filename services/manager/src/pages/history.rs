//! What was changed, and what the scaler decided: newest first, a page at a time.

use catalog::{By, Change, Decision, Outcome, ScalerState};
use serde::Serialize;
use serde_json::{Value, json};

use super::configuration::{label, value_told};
use super::told;
use super::visit::Visit;
use crate::reconcile::chain;

/// Rows on a page.
const ROWS: u32 = 15;
/// The last page that is shown: what is older is of no use here.
const LAST: u32 = 60;

/// A row of either table.
#[derive(Serialize)]
struct Row {
    time: String,
    moment: String,
    cells: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    label: &'static str,
    text: String,
    tone: Option<&'static str>,
    /// Whether it shares a line of a card with the next.
    is_half: bool,
}

/// Both tables, for the template.
pub(super) async fn shown<B>(visit: &Visit<'_, B>) -> Value {
    let keeper = &visit.manager.keeper;
    let (catalog, pool) = (keeper.catalog(), keeper.pool_name());
    let (changes, decisions) = (page(visit, "changes"), page(visit, "decisions"));
    let read = tokio::join!(
        catalog.changes(pool, rows_up_to(changes)),
        catalog.decisions(pool, rows_up_to(decisions)),
    );
    let changes_table = table(
        read.0.map(|rows| rows.iter().map(change).collect()),
        changes,
        "Nothing was changed yet.",
        |page| address(page, decisions, "changes"),
    );
    let decisions_table = table(
        read.1.map(|rows| rows.iter().map(decision).collect()),
        decisions,
        "The scaler has decided nothing yet.",
        |page| address(changes, page, "decisions"),
    );
    json!({ "changes": changes_table, "decisions": decisions_table })
}

fn page<B>(visit: &Visit<'_, B>, table: &str) -> u32 {
    let page = visit.parameter(table).and_then(|page| page.parse().ok());
    page.unwrap_or(0).min(LAST)
}

/// Rows to be read for a page, with one more, which tells that there is a next page.
const fn rows_up_to(page: u32) -> u32 {
    (page + 1) * ROWS + 1
}

fn address(changes: u32, decisions: u32, table: &str) -> String {
    format!("/configuration?changes={changes}&decisions={decisions}#{table}")
}

fn table(
    rows: Result<Vec<Row>, catalog::Error>,
    page: u32,
    none: &str,
    address: impl Fn(u32) -> String,
) -> Value {
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) => {
            tracing::warn!(error = chain(&error), "reading the history");
            return Value::Null;
        }
    };
    let has_older = rows.len() > ((page + 1) * ROWS) as usize && page < LAST;
    let own = rows.into_iter().skip((page * ROWS) as usize);
    json!({
        "rows": own.take(ROWS as usize).collect::<Vec<_>>(),
        "none": none,
        "newer": page.checked_sub(1).map(&address),
        "older": has_older.then(|| address(page + 1)),
    })
}

fn cell(label: &'static str, text: impl Into<String>) -> Cell {
    Cell {
        label,
        text: text.into(),
        tone: None,
        is_half: false,
    }
}

fn half(label: &'static str, text: impl Into<String>) -> Cell {
    Cell {
        is_half: true,
        ..cell(label, text)
    }
}

fn change(change: &Change) -> Row {
    let by = match change.by {
        By::Page => "manager's page",
        By::Api => "API",
        By::Blueprint => "blueprint",
        By::Scaler => "scaler",
    };
    let value = |text: &String| value_told(&change.what, text.clone());
    Row {
        time: change.at.to_string(),
        moment: told::moment(change.at),
        cells: vec![
            cell("Setting", label(&change.what)),
            half("From", value(&change.from)),
            half("To", value(&change.to)),
            cell("By", by),
        ],
    }
}

fn decision(decision: &Decision) -> Row {
    let (did, tone) = match decision.outcome {
        Outcome::Grew => (format!("grew {} → {}", decision.size, decision.to), "good"),
        Outcome::Shrank => (
            format!("shrank {} → {}", decision.size, decision.to),
            "good",
        ),
        Outcome::Held => (format!("held {}", decision.size), ""),
    };
    let state = match decision.state {
        ScalerState::Steady => "steady",
        ScalerState::Resizing => "resizing",
        ScalerState::Cooling => "cooling",
    };
    Row {
        time: decision.at.to_string(),
        moment: told::moment(decision.at),
        cells: vec![
            Cell {
                tone: Some(tone),
                ..cell("Decision", did)
            },
            cell("Why", why(&decision.reason)),
            half(
                "Miss rate",
                told::or_nothing(decision.rate.map(told::percent)),
            ),
            half("State", state),
        ],
    }
}

/// A reason without what was done, which its own column says.
fn why(reason: &str) -> &str {
    let is_deed = |said: &str| {
        ["held", "grew", "shrank"]
            .iter()
            .any(|deed| said.starts_with(deed))
    };
    match reason.split_once(": ") {
        Some((said, why)) if is_deed(said) => why,
        _ => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_does_not_say_again_what_was_done() {
        assert_eq!(why("grew 2 -> 4: 0.71 is above 0.50"), "0.71 is above 0.50");
        assert_eq!(why("held: no lookups"), "no lookups");
        assert_eq!(
            why("cooling: resized 70 s ago"),
            "cooling: resized 70 s ago"
        );
        assert_eq!(why(""), "");
    }
}
