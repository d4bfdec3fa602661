//! Faults by plan: what an account's owner has to live with when the network, AWS or their own
//! computer fails in the middle of a call.
//!
//! Counted are the calls of the account's own key, signed in the header: those are the deployer's.
//! An instance signs with its role's key, or comes with a URL that was signed for it; what
//! localcloud answers in its own name is signed by nobody.

mod plan;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{StatusCode, request};
use http_body_util::{BodyExt as _, Full};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::auth;
use crate::cloud::Cloud;
use crate::connections::{self, Request};
use crate::server::dispatch;
use crate::wire::{ApiError, Params, Response};

pub use plan::{Cut, Dice, Fault, Moment, NoPlan, Plan};

/// A call that went wrong as planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Happened {
    /// Its number.
    pub attempt: u64,
    /// What it was, for example `ec2 RunInstances` or `s3 PUT /bucket/key`.
    pub call: String,
    /// Before or after its effect.
    pub moment: Moment,
    /// How.
    pub fault: Fault,
}

impl std::fmt::Display for Happened {
    /// As in a plan, and what it was.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            attempt,
            call,
            moment,
            fault,
        } = self;
        write!(f, "{attempt}:{moment}:{fault} ({call})")
    }
}

/// What has come of a plan so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// How many calls were counted.
    pub attempts: u64,
    /// Those that went wrong.
    pub happened: Vec<Happened>,
}

/// The faults of a localcloud.
#[derive(Debug)]
pub struct Faults {
    state: Mutex<State>,
    /// Whether the caller is to be ended.
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    /// Nothing is counted without one.
    plan: Option<Plan>,
    report: Report,
    /// Ends the silence of this plan's calls.
    over: CancellationToken,
}

/// A call that the plan is about.
struct Struck {
    attempt: u64,
    moment: Moment,
    fault: Fault,
    over: CancellationToken,
}

impl Faults {
    /// Faults that follow a plan, or none.
    pub fn new(plan: Option<Plan>) -> Self {
        Self {
            state: Mutex::new(State {
                plan,
                report: Report::default(),
                over: CancellationToken::new(),
            }),
            stop: watch::Sender::new(false),
        }
    }

    /// Follows another plan from now on, or none, and counts from 1 again. Connections that the old
    /// one kept silent are closed.
    pub fn follow(&self, plan: Option<Plan>) {
        let mut state = self.state();
        state.over.cancel();
        *state = State {
            plan,
            report: Report::default(),
            over: CancellationToken::new(),
        };
        self.stop.send_replace(false);
    }

    /// What has come of the plan so far.
    pub fn report(&self) -> Report {
        self.state().report.clone()
    }

    /// Waits for the moment at which the caller is to be ended.
    pub async fn stop(&self) {
        // It cannot be closed: the sender is here.
        let _ = self.stop.subscribe().wait_for(|told| *told).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, and tells what is to happen to it.
    fn strike(&self) -> Option<Struck> {
        let mut state = self.state();
        let attempt = state.report.attempts + 1;
        let fate = state.plan.as_ref()?.fate(attempt);
        state.report.attempts = attempt;
        fate.map(|(moment, fault)| Struck {
            attempt,
            moment,
            fault,
            over: state.over.clone(),
        })
    }

    fn note(&self, struck: &Struck, call: String) {
        let happened = Happened {
            attempt: struck.attempt,
            call,
            moment: struck.moment,
            fault: struck.fault,
        };
        tracing::info!(%happened, "a fault as planned");
        let mut state = self.state();
        // Of a plan that is over nobody wants to hear.
        if !struck.over.is_cancelled() {
            state.report.happened.push(happened);
        }
    }
}

/// Answers a request, unless it is one that goes wrong.
pub(crate) async fn answer(cloud: &Arc<Cloud>, peer: SocketAddr, request: Request) -> Response {
    let faults = &cloud.context.faults;
    let struck = is_counted(cloud, &request).then(|| faults.strike());
    match struck.flatten() {
        Some(struck) => go_wrong(cloud, peer, request, &struck).await,
        None => dispatch::answer(cloud, peer, request).await,
    }
}

fn is_counted(cloud: &Cloud, request: &Request) -> bool {
    let root = cloud.context.credentials.root();
    auth::scope_of(request.headers()).is_some_and(|scope| scope.access_key_id == root.access_key_id)
}

async fn go_wrong(
    cloud: &Arc<Cloud>,
    peer: SocketAddr,
    request: Request,
    struck: &Struck,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        // The caller has gone before it had said all: then nothing was asked for.
        return connections::closed();
    };
    let body = body.to_bytes();
    let service = service_of(&parts);
    cloud
        .context
        .faults
        .note(struck, name_of(&service, &parts, &body));
    let headers = parts.headers.clone();
    if struck.moment == Moment::After {
        take_effect(cloud, peer, parts, body).await;
    }
    match struck.fault {
        Fault::Drop => connections::closed(),
        Fault::Failure => dispatch::refuse(cloud, &service, &headers, &failure(&service)),
        Fault::Throttle => dispatch::refuse(cloud, &service, &headers, &throttle(&service)),
        Fault::Silence => stay_silent(cloud, &struck.over).await,
        Fault::Stop => {
            cloud.context.faults.stop.send_replace(true);
            stay_silent(cloud, &struck.over).await
        }
    }
}

/// Carries a call out to its end, also when the caller goes away meanwhile.
async fn take_effect(cloud: &Arc<Cloud>, peer: SocketAddr, parts: request::Parts, body: Bytes) {
    let body = Full::new(body).map_err(|never| match never {});
    let request = Request::from_parts(parts, body.boxed_unsync());
    let cloud = Arc::clone(cloud);
    let tasks = cloud.context.tasks.clone();
    let carried_out =
        tasks.spawn(async move { drop(dispatch::answer(&cloud, peer, request).await) });
    if let Err(error) = carried_out.await {
        tracing::error!(%error, "a call ended badly");
    }
}

async fn stay_silent(cloud: &Cloud, over: &CancellationToken) -> Response {
    tokio::select! {
        () = over.cancelled() => {}
        () = cloud.context.stopping.cancelled() => {}
    }
    connections::closed()
}

fn service_of(parts: &request::Parts) -> String {
    auth::scope_of(&parts.headers).map_or_else(String::new, |scope| scope.service)
}

/// What a call is, for people.
fn name_of(service: &str, parts: &request::Parts, body: &[u8]) -> String {
    let params = Params::parse(body).ok();
    let action = params.as_ref().and_then(|params| params.action().ok());
    match action {
        Some(action) if service != "s3" => format!("{service} {action}"),
        _ => format!("{service} {} {}", parts.method, parts.uri.path()),
    }
}

/// The code with which a service says that it has failed.
fn failure(service: &str) -> ApiError {
    let code = match service {
        "ec2" | "s3" => "InternalError",
        _ => "InternalFailure",
    };
    let text = "This call was to fail.";
    ApiError::with_status(StatusCode::INTERNAL_SERVER_ERROR, code, text)
}

/// The code with which a service says that there were too many calls.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>
fn throttle(service: &str) -> ApiError {
    let (status, code) = match service {
        "ec2" => (StatusCode::SERVICE_UNAVAILABLE, "RequestLimitExceeded"),
        "s3" => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        _ => (StatusCode::BAD_REQUEST, "Throttling"),
    };
    ApiError::with_status(status, code, "This call was to be one too many.")
}
