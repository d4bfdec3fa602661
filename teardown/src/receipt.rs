//! The receipt of a teardown: what was made and removed, when, and what proves that it is gone. JSON for
//! `deploy audit`, and a page for people.

use std::path::{Path, PathBuf};

use deployer_core::cost::rates::Rates;
use deployer_core::cost::so_far::so_far;
use deployer_core::inventory::{Inventory, Listed};
use deployer_core::money::Microdollars;
use deployer_core::names::Scope;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Blocked, Ended, Look, Removed, Verdict};

mod page;

pub use page::page;

/// The version of the form below.
pub const VERSION: u32 = 1;

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Receipt {
    /// The version of this form.
    pub receipt: u32,
    /// The deployment's name.
    pub deployment: String,
    /// The twelve digits of the account.
    pub account: String,
    /// The region.
    pub region: String,
    /// `local` or `aws`.
    pub target: String,
    /// When the teardown was begun.
    pub began: Timestamp,
    /// When it had ended.
    pub ended: Timestamp,
    /// What it came to: `zero`, `kept`, `remains` or `cannot-prove`.
    pub verdict: Word,
    /// What this machine remembers of having made; empty where it remembers nothing.
    pub made: Vec<Made>,
    /// What was removed.
    pub removed: Vec<Removed>,
    /// What was to be kept.
    pub kept: Vec<Left>,
    /// What is left and should not be.
    pub left: Vec<Left>,
    /// Why that would not go.
    pub blocked: Vec<Blocked>,
    /// The looks at the account that this rests on.
    pub evidence: Vec<Look>,
    /// An estimate of what it cost in micro-dollars, of what there was when it was begun; absent where
    /// nothing is billed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Microdollars>,
}

/// A verdict in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// Nothing is left.
    Zero,
    /// Nothing is left but what was to be kept.
    Kept,
    /// Something is left.
    Remains,
    /// Not everything could be looked at.
    CannotProve,
}

/// Something that this machine remembers of having made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Made {
    /// What it was, for example `instance/manager`.
    pub resource: String,
    /// Its id or name.
    pub id: String,
    /// When it was there.
    pub at: Timestamp,
}

/// Something that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Left {
    /// What it is.
    pub resource: String,
    /// Its id or name.
    pub id: String,
    /// Its state, or an empty text.
    pub state: String,
    /// What it costs a day in micro-dollars, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a_day: Option<Microdollars>,
}

impl Left {
    /// What is there, with its price where things are billed.
    #[must_use]
    pub fn of(listed: &[Listed], rates: Option<&Rates>) -> Vec<Left> {
        let left = |line: &Listed| Left {
            resource: line.resource.clone(),
            id: line.id.clone(),
            state: line.state.clone(),
            a_day: rates.and_then(|rates| rates.per_day(line)),
        };
        listed.iter().map(left).collect()
    }
}

/// What a receipt says besides what the teardown itself knows.
#[derive(Clone, Copy)]
pub struct About<'a> {
    /// The deployment's names.
    pub scope: &'a Scope,
    /// `local` or `aws`.
    pub target: &'a str,
    /// When the teardown was begun.
    pub began: Timestamp,
    /// What this machine remembers of having made.
    pub made: &'a [Made],
    /// What things cost, where they are billed.
    pub rates: Option<&'a Rates>,
    /// An estimate of what it cost in micro-dollars, see [`cost`].
    pub cost: Option<Microdollars>,
}

/// An estimate of what there is of a deployment has cost until now, where it is billed.
#[must_use]
pub fn cost(inventory: &Inventory, rates: Option<&Rates>) -> Option<Microdollars> {
    let until = Timestamp::now();
    rates.map(|rates| so_far(inventory, rates.prices(), until).total())
}

impl Receipt {
    /// The receipt of a teardown. There is none of one that was stopped: it is not over.
    #[must_use]
    pub fn of(ended: &Ended, about: &About<'_>) -> Option<Receipt> {
        let (verdict, kept, left) = match &ended.verdict {
            Verdict::Zero => (Word::Zero, Vec::new(), Vec::new()),
            Verdict::Kept(kept) => (Word::Kept, Left::of(kept, about.rates), Vec::new()),
            Verdict::Remains { left, .. } => {
                (Word::Remains, Vec::new(), Left::of(left, about.rates))
            }
            Verdict::CannotProve(_) => (Word::CannotProve, Vec::new(), Vec::new()),
            Verdict::Stopped => return None,
        };
        Some(Receipt {
            receipt: VERSION,
            deployment: about.scope.deployment.to_string(),
            account: about.scope.account.clone(),
            region: about.scope.region.clone(),
            target: about.target.to_owned(),
            began: about.began,
            ended: Timestamp::now(),
            verdict,
            made: about.made.to_vec(),
            removed: ended.removed.clone(),
            kept,
            left,
            blocked: ended.blocked.clone(),
            evidence: ended.looks.clone(),
            cost: about.cost,
        })
    }

    /// Writes it and its page into a folder, which is made, and says where the first is.
    ///
    /// # Errors
    /// The folder or a file cannot be written.
    pub fn write(&self, folder: &Path) -> std::io::Result<PathBuf> {
        std::fs::create_dir_all(folder)?;
        let when = self.ended.strftime("%Y%m%dT%H%M%SZ");
        let place = folder.join(format!("{}-{when}.json", self.deployment));
        std::fs::write(&place, serde_json::to_vec_pretty(self)?)?;
        std::fs::write(place.with_extension("html"), page(self))?;
        Ok(place)
    }

    /// Reads one.
    ///
    /// # Errors
    /// The file cannot be read, or is no receipt.
    pub fn read(place: &Path) -> std::io::Result<Receipt> {
        serde_json::from_slice(&std::fs::read(place)?).map_err(|error| {
            let at = format!("line {}, column {}", error.line(), error.column());
            std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                format!("it is no receipt of `down`: {at}"),
            )
        })
    }
}
