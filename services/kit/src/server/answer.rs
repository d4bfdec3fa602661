//! One request: its id, its log line, its figures; a panic becomes an answer.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use http::{Method, Request, Response, StatusCode, Uri};

use super::Access;
use super::pulse::Busy;
use crate::body::{self, Body, Incoming};
use crate::health::Health;
use crate::metrics::{Counter, Histogram, Registry};
use crate::reply;
use crate::request_id::{self, RequestId};

pub(super) struct Answering<H> {
    handler: H,
    health: Health,
    registry: Registry,
    access: Access,
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

impl<H, F> Answering<H>
where
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Body>>,
{
    pub(super) fn new(handler: H, health: Health, registry: &Registry, access: Access) -> Self {
        let figures = Figures::new(registry);
        Self {
            handler,
            health,
            registry: registry.clone(),
            access,
            figures,
        }
    }

    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<hyper::body::Incoming>,
        busy: Busy,
    ) -> Result<Response<Body>, Infallible> {
        let started = Instant::now();
        let id = RequestId::of(request.headers());
        let line = Line {
            method: request.method().clone(),
            uri: request.uri().clone(),
            started,
        };
        let mut response = id.clone().scope(self.guarded(request)).await;
        self.figures.count(response.status(), started.elapsed());
        response
            .headers_mut()
            .insert(request_id::HEADER, id.header_value());
        let response = self.logged(response, id, line).await;
        Ok(response.map(|body| body.with(busy)))
    }

    /// The answer of the handler, or 500 if it panics.
    async fn guarded(&self, request: Request<hyper::body::Incoming>) -> Response<Body> {
        let uri = request.uri().clone();
        match AssertUnwindSafe(self.dispatch(request))
            .catch_unwind()
            .await
        {
            Ok(response) => response,
            Err(_) => {
                self.figures.panics.increment();
                let message = "an error of ours; the log has it under this answer's x-request-id";
                reply::failure_at(uri.path(), StatusCode::INTERNAL_SERVER_ERROR, message)
            }
        }
    }

    async fn dispatch(&self, request: Request<hyper::body::Incoming>) -> Response<Body> {
        let path = request.uri().path();
        if !["/healthz", "/readyz", "/metrics"].contains(&path) {
            let (head, body) = request.into_parts();
            let body = Incoming::new(body, &head.headers);
            return (self.handler)(Request::from_parts(head, body)).await;
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return reply::method_not_allowed(path, "GET, HEAD");
        }
        match path {
            "/healthz" => Health::alive(),
            "/readyz" => self.health.readiness().await,
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
    async fn logged(&self, response: Response<Body>, id: RequestId, line: Line) -> Response<Body> {
        let status = response.status();
        let loud =
            status.is_server_error() || (self.access == Access::All && !is_probe(line.uri.path()));
        if !loud && !tracing::enabled!(tracing::Level::DEBUG) {
            return response;
        }
        if let Some(bytes) = response.body().length() {
            id.scope(async move { line.write(status, bytes, true, loud) })
                .await;
            return response;
        }
        response.map(|body| {
            body.on_end(move |bytes, complete| {
                // The task of the request may be over by now: the id is given once more.
                let _ = id
                    .scope(async move { line.write(status, bytes, complete, loud) })
                    .now_or_never();
            })
        })
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
