//! Whether a laptop and an account are fit for a deployment: what was read goes in, findings come out,
//! each with what to do. Nothing is read here.

mod account;
mod laptop;
mod needs;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use account::{
    AccountFacts, AccountKind, Credentials, Databases, Leftovers, Outcome, Probe, Running, account,
};
pub use laptop::{LaptopFacts, LocalcloudFacts, StaticFacts, laptop};
pub use needs::Needs;

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// How it is.
    pub level: Level,
    /// What was looked at, for example `default VPC`.
    pub check: String,
    /// What there is.
    pub fact: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// How much a trial says, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// A deployment may work, and there is something to know first.
    Warning,
    /// A deployment would fail.
    Failed,
}

/// How much a trial of a permission says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// AWS has said whether the call would be allowed.
    Proof,
    /// The call was refused for its contents. A service that looks at contents first refuses it so
    /// whether it would be allowed or not.
    Hint,
}

/// What was read, or why it could not be.
pub type Reading<T> = Result<T, Unread>;

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The call, its code and its text.
    pub why: String,
    /// Whether the credentials may not do this.
    pub denied: bool,
}

impl Finding {
    fn new(level: Level, check: impl Into<String>, fact: impl Into<String>) -> Finding {
        Finding {
            level,
            check: check.into(),
            fact: fact.into(),
            remedy: None,
            basis: None,
        }
    }

    fn ok(check: impl Into<String>, fact: impl Into<String>) -> Finding {
        Finding::new(Level::Ok, check, fact)
    }

    fn warning(
        check: impl Into<String>,
        fact: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding::new(Level::Warning, check, fact).with(remedy)
    }

    fn failed(
        check: impl Into<String>,
        fact: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding::new(Level::Failed, check, fact).with(remedy)
    }

    fn with(self, remedy: impl Into<String>) -> Finding {
        let remedy = Some(remedy.into());
        Finding { remedy, ..self }
    }

    /// What cannot be read: `up` reads it too, where it `must`.
    fn unread(check: impl Into<String>, unread: &Unread, must: bool) -> Finding {
        let level = if must { Level::Failed } else { Level::Warning };
        let remedy = if unread.denied {
            "let these credentials make this call, see docs/security.md"
        } else {
            "run this again"
        };
        Finding::new(level, check, format!("cannot be read: {}", unread.why)).with(remedy)
    }
}

/// The worst of what was found.
#[must_use]
pub fn worst(findings: &[Finding]) -> Level {
    let levels = findings.iter().map(|finding| finding.level);
    levels.max().unwrap_or(Level::Ok)
}

/// `2 databases`.
fn counted(count: u32, thing: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{ending}")
}
