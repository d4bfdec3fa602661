//! A receipt as one page that needs nothing from anywhere else.

use jiff::Timestamp;

use super::{Left, Receipt, Word};
use crate::{Blocked, Look};

const STYLE: &str = include_str!("page.css");

/// The page of a receipt.
#[must_use]
pub fn page(receipt: &Receipt) -> String {
    let sections = [
        head(receipt),
        left("What remains", &receipt.left, receipt),
        blocked(&receipt.blocked),
        left("What was kept", &receipt.kept, receipt),
        removed(receipt),
        evidence(receipt),
        made(receipt),
        note(receipt),
    ];
    let title = format!("Receipt: {}", text(&receipt.deployment));
    let sections = sections.concat();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{sections}</main>\n</body>\n</html>\n"
    )
}

/// A text as HTML has it.
fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// AWS's instants have fractions or not; people read them without.
fn said(at: Option<&String>) -> String {
    at.map_or_else(
        || "not known".to_owned(),
        |at| at.parse().map_or_else(|_| text(at), time),
    )
}

fn words(verdict: Word) -> (&'static str, &'static str, &'static str) {
    match verdict {
        Word::Zero => (
            "zero",
            "ZERO",
            "Two looks one after the other showed nothing of it.",
        ),
        Word::Kept => (
            "kept",
            "KEPT",
            "Two looks one after the other showed what was to be kept, and nothing else.",
        ),
        Word::Remains => ("remains", "REMAINS", "Something of it is still there."),
        Word::CannotProve => (
            "cannot-prove",
            "CANNOT PROVE",
            "A listing failed, so it is not known whether anything is left.",
        ),
    }
}

fn head(receipt: &Receipt) -> String {
    let (class, word, meaning) = words(receipt.verdict);
    let name = text(&receipt.deployment);
    let (account, region) = (text(&receipt.account), text(&receipt.region));
    let place = match receipt.target.as_str() {
        "local" => "on this laptop, account",
        _ => "in account",
    };
    let cost = receipt.cost.map_or_else(String::new, |cost| {
        format!("<div><dt>Cost until then, estimated</dt><dd>{cost}</dd></div>\n")
    });
    format!(
        "<h1>Receipt of {name}</h1>\n<p class=\"where\">{place} {account}, {region}</p>\n\
         <p class=\"verdict {class}\"><strong>{word}</strong> {meaning}</p>\n<dl>\n\
         <div><dt>Begun</dt><dd>{began}</dd></div>\n<div><dt>Ended</dt><dd>{ended}</dd></div>\n\
         <div><dt>Removed</dt><dd>{count}</dd></div>\n{cost}</dl>\n",
        began = time(receipt.began),
        ended = time(receipt.ended),
        count = receipt.removed.len(),
    )
}

/// A table, if it has rows.
fn table(title: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head: String = head.iter().map(|cell| format!("<th>{cell}</th>")).collect();
    let row = |cells: &Vec<String>| {
        let cells: String = cells
            .iter()
            .map(|cell| format!("<td>{cell}</td>"))
            .collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = rows.iter().map(row).collect();
    format!(
        "<h2>{title}</h2>\n<div class=\"wide\"><table>\n<tr>{head}</tr>\n{rows}</table></div>\n"
    )
}

/// What a thing is, and below it its id.
fn thing(resource: &str, id: &str) -> String {
    format!("{}<br>{}", text(resource), code(id))
}

fn code(id: &str) -> String {
    format!("<code>{}</code>", text(id))
}

fn left(title: &str, left: &[Left], receipt: &Receipt) -> String {
    let row = |left: &Left| {
        let price = match left.a_day {
            Some(amount) => amount.to_string(),
            None if receipt.target == "local" => "nothing".to_owned(),
            None => "no price known".to_owned(),
        };
        vec![thing(&left.resource, &left.id), text(&left.state), price]
    };
    let rows: Vec<Vec<String>> = left.iter().map(row).collect();
    table(title, &["What", "State", "A day"], &rows)
}

fn blocked(blocked: &[Blocked]) -> String {
    let row = |blocked: &Blocked| {
        let holders = blocked.holders.iter();
        let why: String = holders
            .map(|h| {
                let (what, command) = (text(&h.what), text(&h.command));
                format!(
                    "<p class=\"small\">{what}. To free it:</p><pre><code>{command}</code></pre>"
                )
            })
            .collect();
        let error = text(&blocked.error);
        vec![
            thing(&blocked.resource, &blocked.id),
            format!("{error}{why}"),
        ]
    };
    let rows: Vec<Vec<String>> = blocked.iter().map(row).collect();
    table("Why it would not go", &["What", "Why"], &rows)
}

fn removed(receipt: &Receipt) -> String {
    let row = |removed: &crate::Removed| {
        let made = receipt.made.iter().find(|m| m.id == removed.id);
        let made = made.map_or_else(|| said(removed.made.as_ref()), |m| time(m.at));
        let took = removed.milliseconds;
        vec![
            thing(&removed.resource, &removed.id),
            made,
            time(removed.gone),
            format!("{}.{} s", took / 1000, took % 1000 / 100),
        ]
    };
    let rows: Vec<Vec<String>> = receipt.removed.iter().map(row).collect();
    table("What was removed", &["What", "Made", "Gone", "Took"], &rows)
}

/// The looks that the verdict rests on, the last two; those before them removed things.
fn evidence(receipt: &Receipt) -> String {
    let looks = receipt.evidence.iter().rev().take(2).rev();
    let one = |look: &Look| {
        let listing = |l: &deployer_aws::read::Listing| {
            vec![
                code(&l.call),
                l.pages.to_string(),
                l.entries.to_string(),
                l.ours.to_string(),
            ]
        };
        let rows: Vec<Vec<String>> = look.listings.iter().map(listing).collect();
        let shown =
            table("", &["Call", "Pages", "Entries", "Ours"], &rows).replace("<h2></h2>\n", "");
        let unread: String = (look.unread.iter())
            .map(|u| format!("<p class=\"small\">Not read: {}</p>\n", text(u)))
            .chain(
                look.notes
                    .iter()
                    .map(|n| format!("<p class=\"small\">{}</p>\n", text(n))),
            )
            .collect();
        format!(
            "<details open><summary>{}: {} listings read, {} of it there</summary>\n{unread}{shown}</details>\n",
            time(look.at),
            look.listings.len(),
            look.ours
        )
    };
    let looks: String = looks.map(one).collect();
    format!("<h2>The evidence</h2>\n{looks}")
}

fn made(receipt: &Receipt) -> String {
    let row = |made: &super::Made| vec![thing(&made.resource, &made.id), time(made.at)];
    let rows: Vec<Vec<String>> = receipt.made.iter().map(row).collect();
    table(
        "What the journal says was made",
        &["What", "There at"],
        &rows,
    )
}

fn note(receipt: &Receipt) -> String {
    let region = text(&receipt.region);
    format!(
        "<h2>What this speaks of</h2>\n<p class=\"small\">The region {region} and what is global: \
         IAM and the names of buckets. Metrics of CloudWatch cannot be deleted; they cost nothing \
         and expire after 15 months. <code>deploy audit</code> with the JSON file beside this page \
         looks again.</p>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_resource_is_called_cannot_become_markup() {
        assert_eq!(text("<a b=\"c\">&"), "&lt;a b=&quot;c&quot;&gt;&amp;");
    }
}
