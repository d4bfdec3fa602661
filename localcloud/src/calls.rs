//! How often each action was called, and by whom: every HTTP request counts, one that was refused too.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::auth::{Caller, Principal};

/// The calls since localcloud started.
#[derive(Debug, Default)]
pub struct Calls(Mutex<BTreeMap<(String, String, String), u64>>);

/// How often one action was called by one caller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counted {
    /// `account`, or the name of the role.
    pub caller: String,
    /// The service as signatures name it, for example `ec2`.
    pub service: String,
    /// For example `RunInstances`.
    pub action: String,
    /// How often.
    pub count: u64,
}

impl Calls {
    /// Counts one call.
    pub fn note(&self, caller: &Caller, action: &str) {
        let who = match &caller.principal {
            Principal::Root => "account",
            Principal::Role { name, .. } => name,
        };
        let key = (who.to_owned(), caller.service.clone(), action.to_owned());
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(key).or_default() += 1;
    }

    /// The counts so far.
    pub fn counted(&self) -> Vec<Counted> {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted =
            |((caller, service, action), count): (&(String, String, String), &u64)| Counted {
                caller: caller.clone(),
                service: service.clone(),
                action: action.clone(),
                count: *count,
            };
        calls.iter().map(counted).collect()
    }
}
