//! One run: the deployment under test and what has been found so far.

use std::time::Instant;

use super::api::{Api, Outcome};
use super::{Check, Options, Report};

pub(super) struct Run<'a> {
    pub(super) api: Api,
    pub(super) options: Options,
    endpoint: &'static str,
    checks: Vec<Check>,
    tell: &'a mut dyn FnMut(&Check),
}

impl<'a> Run<'a> {
    pub(super) fn new(api: Api, options: Options, tell: &'a mut dyn FnMut(&Check)) -> Self {
        Self {
            api,
            options,
            endpoint: endpoint_of("/api"),
            checks: Vec::new(),
            tell,
        }
    }

    /// Names the endpoint that the next checks try, by a path.
    pub(super) fn about(&mut self, path: &str) {
        self.endpoint = endpoint_of(path);
    }

    /// Carries out one check and keeps its result, whatever it is.
    pub(super) async fn check(
        &mut self,
        name: impl Into<String>,
        examine: impl AsyncFnOnce(&Api) -> Outcome,
    ) {
        let start = Instant::now();
        self.api.answered();
        let mismatch = examine(&self.api).await.err();
        let check = Check {
            endpoint: self.endpoint,
            name: name.into(),
            answered: self.api.answered(),
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

/// The endpoint that a path belongs to, as the contract writes it.
fn endpoint_of(path: &str) -> &'static str {
    const ENDPOINTS: [&str; 6] = [
        "/api/upload",
        "/api/list_keys",
        "/api/delete_all",
        "/api/configure_cache",
        "/api/getNumNodes",
        "/api/getRate",
    ];
    if path.starts_with("/api/key/") {
        return "/api/key/<key>";
    }
    let plain = path.split('?').next().unwrap_or(path).trim_end_matches('/');
    ENDPOINTS
        .into_iter()
        .find(|known| *known == plain)
        .unwrap_or("any other path below /api")
}
