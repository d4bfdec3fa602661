//! The price tables of this machine.

use std::path::PathBuf;

use deployer_aws::{Account, TargetKind};
use deployer_core::cost::rates::Rates;
use deployer_core::prices::Prices;

use crate::failure::Failure;
use crate::home::Home;
use crate::invocation::invocation;
use crate::session::FIRST_REGION;

/// What things cost in an account's region; nothing where nothing is billed. A table in the home folder
/// that cannot be read is no reason not to take things away: the one that comes along counts.
#[must_use]
pub fn rates(home: &Home, account: &Account) -> Option<Rates> {
    let region = &account.region;
    let built_in = || Prices::built_in(region).or_else(|| Prices::built_in(FIRST_REGION));
    match account.target.kind {
        TargetKind::Local => None,
        TargetKind::Aws => {
            let prices = prices(home, region).ok().or_else(built_in)?;
            Some(Rates::new(prices, region))
        }
    }
}

/// The prices of a region: those in the home folder where they are newer than those that come
/// along; where there are neither, those of another region, which say so.
///
/// # Errors
/// The table in the home folder cannot be read.
pub fn prices(home: &Home, region: &str) -> Result<Prices, Failure> {
    let kept = kept(home, region)?;
    let first = || Prices::built_in(FIRST_REGION);
    let table = match (Prices::built_in(region), kept) {
        (Some(built_in), kept) => Some(built_in.or_newer(kept)),
        (None, Some(kept)) => Some(kept),
        (None, None) => first(),
    };
    table.ok_or_else(|| Failure::Unfinished {
        what: "this program has no prices".to_owned(),
        hint: format!("{} prices --update FILE reads AWS's", invocation()),
    })
}

/// The table that `prices --update` has written for a region, if it has.
fn kept(home: &Home, region: &str) -> Result<Option<Prices>, Failure> {
    let path = path(home, region);
    let reading = format!("reading the prices in {}", path.display());
    match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::here(reading)(error)),
        Ok(text) => Prices::read(&text)
            .map(Some)
            .map_err(Failure::here(reading)),
    }
}

/// Where the prices of a region are kept.
pub fn path(home: &Home, region: &str) -> PathBuf {
    home.prices().join(format!("{region}.json"))
}
