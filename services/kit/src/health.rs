//! Whether a service is alive (`/healthz`) and ready to be used (`/readyz`).

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::body::Body;
use crate::reply;

/// How long a probe may take before it counts as failed.
const PROBE_TIME: Duration = Duration::from_secs(2);

type Verdict = Result<(), String>;
type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Verdict> + Send>> + Send + Sync>;

/// The named checks of a service. Clones are the same health.
#[derive(Clone, Default)]
pub struct Health(Arc<Shared>);

#[derive(Default)]
struct Shared {
    draining: AtomicBool,
    checks: Mutex<BTreeMap<&'static str, Source>>,
}

#[derive(Clone)]
enum Source {
    State(Arc<Mutex<Verdict>>),
    Probe(Probe),
}

/// A check whose state the service sets as it learns of it.
#[derive(Clone)]
pub struct Check(Arc<Mutex<Verdict>>);

impl Check {
    /// It is well.
    pub fn pass(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Ok(());
    }

    /// It is not, and why.
    pub fn fail(&self, reason: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Err(reason.into());
    }
}

impl Health {
    /// Ready, as long as no check is added that says otherwise.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check that has failed until it is passed.
    #[must_use]
    pub fn check(&self, name: &'static str) -> Check {
        let state = Arc::new(Mutex::new(Err("not yet known".to_owned())));
        self.add(name, Source::State(state.clone()));
        Check(state)
    }

    /// Adds a check that is made each time somebody asks; one that takes 2 s has failed.
    pub fn probe<F, W>(&self, name: &'static str, probe: F)
    where
        F: Fn() -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.add(name, Source::Probe(Arc::new(move || Box::pin(probe()))));
    }

    fn add(&self, name: &'static str, source: Source) {
        self.0
            .checks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, source);
    }

    /// From now on not ready: the service is about to stop.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// The first reason why the service is not ready, if there is one.
    pub async fn trouble(&self) -> Option<String> {
        if self.0.draining.load(Ordering::Relaxed) {
            return Some("stopping".to_owned());
        }
        let verdicts = self.verdicts(PROBE_TIME).await;
        verdicts
            .into_iter()
            .find_map(|(name, verdict)| Some(format!("{name}: {}", verdict.err()?)))
    }

    async fn verdicts(&self, time: Duration) -> Vec<(&'static str, Verdict)> {
        let checks = self
            .0
            .checks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        join_all(checks.into_iter().map(|(name, source)| async move {
            let verdict = match source {
                Source::State(state) => {
                    state.lock().unwrap_or_else(PoisonError::into_inner).clone()
                }
                Source::Probe(probe) => tokio::time::timeout(time, probe())
                    .await
                    .unwrap_or_else(|_| Err(format!("no answer within {time:?}"))),
            };
            (name, verdict)
        }))
        .await
    }

    /// The answer to `/healthz`: the process runs and answers.
    #[must_use]
    pub(crate) fn alive() -> Response<Body> {
        reply::json(StatusCode::OK, &json!({ "status": "ok" }))
    }

    /// The answer to `/readyz`: 200 or 503, and each check by name.
    pub(crate) async fn readiness(&self) -> Response<Body> {
        let verdicts = self.verdicts(PROBE_TIME).await;
        let draining = self.0.draining.load(Ordering::Relaxed);
        let ready = !draining && verdicts.iter().all(|(_, verdict)| verdict.is_ok());
        let checks: serde_json::Map<String, Value> = verdicts
            .into_iter()
            .map(|(name, verdict)| {
                let told = verdict.map_or_else(
                    |reason| json!({ "ok": false, "reason": reason }),
                    |()| json!({ "ok": true }),
                );
                (name.to_owned(), told)
            })
            .collect();
        let status = if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        reply::json(
            status,
            &json!({ "ready": ready, "stopping": draining, "checks": checks }),
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use http_body_util::BodyExt;

    use super::*;

    async fn ask(health: &Health) -> (u16, Value) {
        let response = health.readiness().await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn ready_when_every_check_passes_and_not_while_stopping() {
        let health = Health::new();
        let database = health.check("database");
        health.probe("bucket", || async { Ok(()) });
        let (status, told) = ask(&health).await;
        assert_eq!(status, 503);
        assert_eq!(told["checks"]["database"]["reason"], "not yet known");
        database.pass();
        assert_eq!(ask(&health).await.0, 200);
        database.fail("connection refused");
        assert_eq!(
            health.trouble().await.unwrap(),
            "database: connection refused"
        );
        database.pass();
        health.drain();
        assert_eq!(ask(&health).await.1["stopping"], true);
    }

    #[tokio::test]
    async fn a_probe_that_hangs_has_failed() {
        let health = Health::new();
        health.probe("bucket", std::future::pending);
        let verdicts = health.verdicts(Duration::from_millis(1)).await;
        assert_eq!(verdicts[0].1, Err("no answer within 1ms".to_owned()));
    }
}
