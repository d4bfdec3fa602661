//! One request: its id, its log line, its figures; a panic becomes an answer.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};

use super::Access;
use super::pulse::Busy;
use crate::body::{self, Body, Incoming};
use crate::health::Health;
use crate::metrics::{Counter, Histogram, Registry};
use crate::reply;
use crate::request_id::{self, RequestId};
use crate::token::Token;

pub(super) struct Answering<H> {
    handler: H,
    health: Health,
    registry: Registry,
    access: Access,
    metrics_token: Option<Token>,
    figures: Figures,
}

/// Answers by the first digit of their status, and how long they took.
struct Figures {
    answers: [Counter; 5],
    duration: Histogram,
    panics: Counter,
}

impl Figures {
    fn new(registry: &Registry) -> Self {
        let answers = ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| {
            registry.counter(
                "http_requests_total",
                "Requests answered",
                &[("code", class)],
            )
        });
        let duration = registry.histogram(
            "http_request_duration_seconds",
            "From head to answer's head",
            &[],
        );
        let panics = registry.counter("http_panics_total", "Handlers that panicked", &[]);
        Self {
            answers,
            duration,
            panics,
        }
    }

    fn count(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.answers[class].increment();
        self.duration.observe(took);
    }
}

/// What a request has led to so far.
enum Begun<F> {
    /// The handler is at work.
    Handled(F),
    /// The server answers itself.
    Ours(BoxFuture<'static, Response<Body>>),
    /// The handler has panicked already.
    Panicked,
}

impl<H, F> Answering<H>
where
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    pub(super) fn new(handler: H, health: Health, registry: &Registry, access: Access) -> Self {
        let figures = Figures::new(registry);
        Self {
            handler,
            health,
            registry: registry.clone(),
            access,
            metrics_token: None,
            figures,
        }
    }

    /// With a token that `/metrics` needs.
    pub(super) fn metrics_for(mut self, token: Option<Token>) -> Self {
        self.metrics_token = token;
        self
    }

    /// Answers a request. What the handler can do at once is done before this returns, and what is
    /// returned is as small as the handler's future: hyper moves it about a dozen times.
    pub(super) fn answer(
        self: Arc<Self>,
        request: Request<hyper::body::Incoming>,
        busy: Busy,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<H, F> {
        let id = RequestId::of(request.headers());
        let line = Line {
            method: request.method().clone(),
            uri: request.uri().clone(),
            started: Instant::now(),
        };
        let begun = id.clone().scope_now(|| self.begin(request));
        async move {
            let handled = match begun {
                Begun::Handled(work) => {
                    let work = AssertUnwindSafe(work).catch_unwind();
                    id.clone().scope(work).await.ok()
                }
                Begun::Ours(work) => Some(work.await),
                Begun::Panicked => None,
            };
            let mut response = handled.unwrap_or_else(|| self.panicked(&line));
            self.figures
                .count(response.status(), line.started.elapsed());
            let headers = response.headers_mut();
            headers.insert(request_id::HEADER, id.header_value());
            self.log(&mut response, id, line);
            response.body_mut().hold(busy);
            Ok(response)
        }
    }

    fn begin(self: &Arc<Self>, request: Request<hyper::body::Incoming>) -> Begun<F> {
        let path = request.uri().path();
        if is_probe(path) {
            let head = request.into_parts().0;
            let answering = self.clone();
            return Begun::Ours(Box::pin(async move { answering.probed(&head).await }));
        }
        let waits_for_continue = body::waits_for_continue(request.headers());
        let request = request.map(|body| Incoming::new(body, waits_for_continue));
        let handled = catch_unwind(AssertUnwindSafe(|| (self.handler)(request)));
        handled.map_or(Begun::Panicked, Begun::Handled)
    }

    fn panicked(&self, line: &Line) -> Response<Body> {
        self.figures.panics.increment();
        let message = "an error of ours; the log has it under this answer's x-request-id";
        reply::failure_at(line.uri.path(), StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The answer to a path of which [`is_probe`] is true.
    async fn probed(&self, head: &Parts) -> Response<Body> {
        let path = head.uri.path();
        if ![Method::GET, Method::HEAD].contains(&head.method) {
            return reply::method_not_allowed(path, "GET, HEAD");
        }
        let token = self.metrics_token.as_ref();
        let is_closed = token.is_some_and(|token| !token.accepts(&head.headers));
        match path {
            "/healthz" => Health::alive(),
            "/readyz" => self.health.readiness().await,
            _ if is_closed => reply::error(
                StatusCode::UNAUTHORIZED,
                "this needs the deployment's internal token",
            ),
            _ => {
                let text = body::full(self.registry.render());
                reply::with_type(
                    StatusCode::OK,
                    "text/plain; version=0.0.4; charset=utf-8",
                    text,
                )
            }
        }
    }

    /// Writes the line of the request: now if the answer's length is known, else at its end.
    fn log(&self, response: &mut Response<Body>, id: RequestId, line: Line) {
        let status = response.status();
        let loud =
            status.is_server_error() || (self.access == Access::All && !is_probe(line.uri.path()));
        if !loud && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        match response.body().length() {
            Some(bytes) => id.scope_now(|| line.write(status, bytes, true, loud)),
            // The task of the request may be over by then: the id is given once more.
            None => response.body_mut().on_end(move |bytes, complete| {
                id.scope_now(|| line.write(status, bytes, complete, loud));
            }),
        }
    }
}

fn is_probe(path: &str) -> bool {
    ["/healthz", "/readyz", "/metrics"].contains(&path)
}

struct Line {
    method: Method,
    uri: Uri,
    started: Instant,
}

impl Line {
    fn write(&self, status: StatusCode, bytes: u64, complete: bool, loud: bool) {
        let (method, path, status) = (self.method.as_str(), self.uri.path(), status.as_u16());
        let ms = (self.started.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        if loud {
            tracing::info!(method, path, status, ms, bytes, complete, "request");
        } else {
            tracing::debug!(method, path, status, ms, bytes, complete, "request");
        }
    }
}
