//! What the checks found.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// The results of a run, in the order of the checks.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The address that was checked.
    pub base: String,
    /// How many checks passed.
    pub passed: usize,
    /// How many did not.
    pub failed: usize,
    /// Each check with its result.
    pub checks: Vec<Check>,
}

/// One check and its result.
#[derive(Debug, Serialize)]
pub struct Check {
    /// The endpoint that is tried.
    pub endpoint: &'static str,
    /// What must hold, as a sentence.
    pub name: String,
    /// The statuses that came, in order; a row of the same ones is one.
    pub answered: Vec<u16>,
    /// What differed; `None` if nothing did.
    pub mismatch: Option<Mismatch>,
    /// How long the check took.
    #[serde(rename = "milliseconds", serialize_with = "as_milliseconds")]
    pub took: Duration,
}

/// A difference between what must come and what came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// What must come.
    pub expected: String,
    /// What came.
    pub came: String,
}

impl Report {
    pub(super) fn new(base: &str, checks: Vec<Check>) -> Self {
        let failed = checks
            .iter()
            .filter(|check| check.mismatch.is_some())
            .count();
        Self {
            base: base.to_owned(),
            passed: checks.len() - failed,
            failed,
            checks,
        }
    }

    /// True if every check passed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failed == 0
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.mismatch.is_some())
    }
}

impl fmt::Display for Report {
    /// The failures, one per line, and the count.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in self.failures() {
            writeln!(out, "{check}")?;
        }
        write!(
            out,
            "{} of {} checks passed",
            self.passed,
            self.checks.len()
        )
    }
}

impl fmt::Display for Check {
    /// One line: `ok`, or what was expected and what came.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mismatch {
            None => write!(out, "ok      {}", self.name),
            Some(Mismatch { expected, came }) => {
                write!(
                    out,
                    "FAILED  {}: expected {expected}; came {came}",
                    self.name
                )
            }
        }
    }
}

impl Mismatch {
    pub(super) fn new(expected: impl Into<String>, came: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            came: came.into(),
        }
    }
}

fn as_milliseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(time.as_millis())
}
