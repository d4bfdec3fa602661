//! What `down` leaves there on purpose, and what that costs.

use deployer_aws::Account;
use deployer_aws::stored::tally;
use deployer_core::cost::Billed;
use deployer_core::cost::rates::Rates;
use deployer_core::inventory::{Inventory, Listed};
use teardown::terminal::{in_all, lines};

use crate::failure::Failure;

/// What is there afterwards: what is kept, and the last snapshots.
pub(super) fn what_stays(goes: &Inventory, kept: &Inventory, last_snapshot: bool) -> Vec<Listed> {
    let mut stays = kept.listed();
    let databases = goes.databases.iter().filter(|_| last_snapshot);
    stays.extend(databases.map(|database| Listed {
        resource: "database snapshot".to_owned(),
        id: format!("of {}", database.id),
        state: String::new(),
        billed: Some(vec![Billed::DatabaseSnapshot {
            gib: u64::from(database.storage_gib),
        }]),
    }));
    stays
}

pub(super) fn stays_text(stays: &[Listed], rates: Option<&Rates>) -> String {
    if stays.is_empty() {
        return String::new();
    }
    let lines = lines(stays, '=', rates);
    format!("This is kept:\n{lines}{}", in_all(stays, rates))
}

/// The password of a database goes with the bucket it lies in.
pub(super) fn password_text(goes: &Inventory, kept: &Inventory) -> &'static str {
    if goes.buckets.is_empty() || kept.databases.is_empty() {
        return "";
    }
    "  The database's password is in the bucket: add --keep bucket to keep it too.\n"
}

/// Counts what kept buckets hold, which is what they are billed for.
pub(super) async fn count_kept(
    account: &Account,
    kept: &Inventory,
    rates: &mut Rates,
) -> Result<(), Failure> {
    for bucket in &kept.buckets {
        let found = tally(account, &bucket.name, "").await;
        let found = found.map_err(Failure::aws("counting what is kept"))?;
        rates.count(&bucket.name, found.bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use deployer_core::inventory::{FoundDatabase, Pending};
    use deployer_core::prices::Prices;

    fn database() -> Inventory {
        Inventory {
            databases: vec![FoundDatabase {
                id: "catalog-1".to_owned(),
                resource: "catalog".parse().unwrap(),
                state: "available".to_owned(),
                endpoint: None,
                class: "db.t3.micro".to_owned(),
                storage_gib: 20,
                pending: Pending::default(),
                groups: Vec::new(),
                created: None,
            }],
            ..Inventory::default()
        }
    }

    fn told(goes: &Inventory, kept: &Inventory, last_snapshot: bool) -> String {
        let rates = Rates::new(Prices::built_in("us-east-1").unwrap(), "us-east-1");
        let stays = what_stays(goes, kept, last_snapshot);
        console::strip_ansi_codes(&stays_text(&stays, Some(&rates))).into_owned()
    }

    #[test]
    fn what_is_kept_says_beforehand_what_it_costs() {
        let nothing = Inventory::default();
        let kept = told(&nothing, &database(), false);
        assert!(kept.contains("$0.508 a day, $15.45 a month"), "{kept}");
        let last = told(&database(), &nothing, true);
        assert!(
            last.contains("database snapshot  of catalog-1   $0.0"),
            "{last}"
        );
        assert_eq!(told(&database(), &nothing, false), "");
        let stays = what_stays(&nothing, &database(), false);
        assert!(!stays_text(&stays, None).contains('$'));
    }
}
