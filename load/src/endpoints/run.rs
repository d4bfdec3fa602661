//! One run: the deployment under test and what has been found so far.

use std::time::Instant;

use super::api::{Api, Outcome};
use super::{Check, Options, Report};

pub(super) struct Run<'a> {
    pub(super) api: Api,
    pub(super) options: Options,
    checks: Vec<Check>,
    tell: &'a mut dyn FnMut(&Check),
}

impl<'a> Run<'a> {
    pub(super) fn new(api: Api, options: Options, tell: &'a mut dyn FnMut(&Check)) -> Self {
        Self {
            api,
            options,
            checks: Vec::new(),
            tell,
        }
    }

    /// Carries out one check and keeps its result, whatever it is.
    pub(super) async fn check(
        &mut self,
        name: impl Into<String>,
        examine: impl AsyncFnOnce(&Api) -> Outcome,
    ) {
        let start = Instant::now();
        let mismatch = examine(&self.api).await.err();
        let check = Check {
            name: name.into(),
            mismatch,
            took: start.elapsed(),
        };
        (self.tell)(&check);
        self.checks.push(check);
    }

    pub(super) fn finish(self, base: &str) -> Report {
        Report::new(base, self.checks)
    }
}
