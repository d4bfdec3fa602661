//! `deploy audit`: a receipt held against the account again.

use deployer_aws::{Account, TargetKind};
use deployer_core::names::DeploymentName;
use serde_json::{Value, json};
use teardown::audit::{Audit, audit as look_again};
use teardown::receipt::Receipt;
use teardown::terminal::in_all;

use crate::arguments;
use crate::binding::Binding;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::invocation::folder;
use crate::lock::AtWork;
use crate::prices::rates;
use crate::session::Session;

pub(super) async fn audit(given: &arguments::Audit) -> Result<Exit, Failure> {
    let home = Home::find()?;
    // Its page is what `down` names, and what people open.
    let file = match given.receipt.extension() {
        Some(kind) if kind == "html" => given.receipt.with_extension("json"),
        _ => given.receipt.clone(),
    };
    let receipt = Receipt::read(&file).map_err(|source| Failure::Unreadable {
        path: file.clone(),
        source,
        hint: format!(
            "`down` writes its receipts to {}",
            home.receipts().display()
        ),
    })?;
    let named = receipt.deployment.parse::<DeploymentName>();
    let name = named.map_err(Failure::here("reading the receipt"))?;
    let at_work = AtWork::begin(&home).await?;
    let session = Session::open(
        &home,
        &Binding::from(None),
        target_of(&receipt)?,
        &receipt.region,
        &folder()?,
    )
    .await?;
    let scope = session.account.scope(name);
    if session.account.id != receipt.account {
        let refusal = of_another(&session.account, &receipt);
        session.close(&home, &at_work).await?;
        home.remove_if_empty();
        return Err(refusal);
    }
    let audit = look_again(&session.account, &scope, &receipt).await;
    if given.json {
        println!("{}", as_json(&audit));
    } else {
        print!("{}", as_text(&audit, &receipt));
        let rates = rates(&home, &session.account).filter(|_| audit.remains());
        print!("{}", in_all(&audit.there(), rates.as_ref()));
    }
    session.close(&home, &at_work).await?;
    home.remove_if_empty();
    Ok(if audit.remains() {
        Exit::Remains
    } else if audit.unread.is_empty() {
        Exit::Done
    } else {
        Exit::CannotProve
    })
}

/// A localcloud has a number of its own as long as something is in it.
fn of_another(account: &Account, receipt: &Receipt) -> Failure {
    let expected = &receipt.account;
    match account.target.kind {
        TargetKind::Local => Failure::Refused {
            what: format!(
                "the receipt is of localcloud's account {expected}, which has ended with all that was in it"
            ),
            hint: "on a laptop a receipt can be held against its own localcloud only".to_owned(),
        },
        TargetKind::Aws => Failure::Refused {
            what: format!(
                "these credentials are of account {}, and the receipt is of account {expected}",
                account.id
            ),
            hint: "choose the other profile: AWS_PROFILE=NAME".to_owned(),
        },
    }
}

fn target_of(receipt: &Receipt) -> Result<TargetKind, Failure> {
    [TargetKind::Local, TargetKind::Aws]
        .into_iter()
        .find(|kind| kind.as_str() == receipt.target)
        .ok_or_else(|| Failure::Refused {
            what: format!("the receipt is of the target `{}`", receipt.target),
            hint: "it is local or aws".to_owned(),
        })
}

fn word(audit: &Audit) -> &'static str {
    match (audit.remains(), audit.unread.is_empty()) {
        (true, _) => "remains",
        (false, true) => "gone",
        (false, false) => "cannot-prove",
    }
}

fn as_text(audit: &Audit, receipt: &Receipt) -> String {
    let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let what = width(&mut audit.rows.iter().map(|r| r.resource.len()));
    let id = width(&mut audit.rows.iter().map(|r| r.id.len()));
    let mut text = String::new();
    for row in &audit.rows {
        let is = match (&row.there, row.kept) {
            (None, false) => "gone".to_owned(),
            (None, true) => "gone, and was to be kept".to_owned(),
            (Some(_), true) => "kept".to_owned(),
            (Some(there), false) => format!("THERE {}", there.state),
        };
        text.push_str(&format!("  {:what$}  {:id$}  {is}\n", row.resource, row.id));
    }
    for other in &audit.others {
        text.push_str(&format!(
            "  {:what$}  {:id$}  THERE, made since\n",
            other.resource, other.id
        ));
    }
    for listing in &audit.look.listings {
        let (call, entries, ours) = (&listing.call, listing.entries, listing.ours);
        let pages = crate::report::counted(listing.pages as usize, "page");
        text.push_str(&format!(
            "  {call:36} {pages}, {entries} entries, {ours} of it\n"
        ));
    }
    for unread in &audit.unread {
        text.push_str(&format!("  {} NOT READ: {}\n", unread.what, unread.error));
    }
    let (name, region, account) = (&receipt.deployment, &receipt.region, &receipt.account);
    let ending = match word(audit) {
        "gone" => {
            format!("All of it is as the receipt says: {name} in account {account}, {region}.")
        }
        "remains" => format!("REMAINS: something of {name} is in account {account}, {region}."),
        _ => format!("CANNOT PROVE that nothing of {name} is in account {account}, {region}."),
    };
    text + &ending + "\n"
}

fn as_json(audit: &Audit) -> Value {
    let rows = audit.rows.iter().map(|r| {
        json!({ "resource": r.resource, "id": r.id, "kept": r.kept, "there": r.there.is_some() })
    });
    json!({
        "verdict": word(audit),
        "resources": rows.collect::<Vec<_>>(),
        "others": audit.others,
        "look": audit.look,
    })
}
