//! The manager's pages. They work without JavaScript; with it, what changes is shown as it changes.
//!
//! Nothing but the login page and the files it loads is answered to somebody who has not logged in:
//! [`answer`] asks for that before it looks at the path.

mod assets;
mod charts;
mod configuration;
mod countdown;
mod data;
mod form;
mod glance;
mod history;
mod log;
mod login;
mod nodes;
mod overview;
mod partitions;
mod told;
mod tries;
mod visit;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use handlebars::Handlebars;
use http::header::HOST;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use kit::body::{Body, Incoming};
use kit::reply;
use kit::session::{Key, SessionId, Sessions};
use serde::Serialize;
use serde_json::{Value, json};

use crate::bucket::Bucket;
use crate::error::Error;
use crate::manager::Manager;
use crate::settings::Settings;
use form::Form;
use tries::Tries;
use visit::Visit;

const TEMPLATES: [(&str, &str); 17] = [
    ("charts", include_str!("pages/templates/charts.hbs")),
    (
        "configuration",
        include_str!("pages/templates/configuration.hbs"),
    ),
    ("countdown", include_str!("pages/templates/countdown.hbs")),
    ("data", include_str!("pages/templates/data.hbs")),
    ("deletion", include_str!("pages/templates/deletion.hbs")),
    ("figures", include_str!("pages/templates/figures.hbs")),
    ("history", include_str!("pages/templates/history.hbs")),
    ("layout", include_str!("pages/templates/layout.hbs")),
    ("lines", include_str!("pages/templates/lines.hbs")),
    ("log", include_str!("pages/templates/log.hbs")),
    ("login", include_str!("pages/templates/login.hbs")),
    ("nodes", include_str!("pages/templates/nodes.hbs")),
    ("number", include_str!("pages/templates/number.hbs")),
    ("overview", include_str!("pages/templates/overview.hbs")),
    ("pool", include_str!("pages/templates/pool.hbs")),
    ("problem", include_str!("pages/templates/problem.hbs")),
    ("review", include_str!("pages/templates/review.hbs")),
];

const SESSION_LIFETIME: Duration = kit::session::MANAGER_LIFETIME;

/// Templates, sessions, and what is to be said on somebody's next page.
pub struct Pages {
    templates: Handlebars<'static>,
    deployment: String,
    front_end_port: u16,
    key: Key,
    sessions: Sessions,
    tries: Tries,
    notices: Mutex<HashMap<SessionId, Notice>>,
}

/// A message at the top of a page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Notice {
    /// `good`, `warn` or `bad`.
    tone: &'static str,
    text: String,
}

impl Notice {
    fn good(text: impl Into<String>) -> Self {
        Self {
            tone: "good",
            text: text.into(),
        }
    }

    fn warn(text: impl Into<String>) -> Self {
        Self {
            tone: "warn",
            text: text.into(),
        }
    }

    fn bad(text: impl Into<String>) -> Self {
        Self {
            tone: "bad",
            text: text.into(),
        }
    }
}

impl Pages {
    /// Reads the templates.
    ///
    /// # Errors
    /// When one of them is wrong.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let mut templates = Handlebars::new();
        templates.set_strict_mode(true);
        for (name, text) in TEMPLATES {
            templates
                .register_template_string(name, text)
                .map_err(Box::new)?;
        }
        let key = settings.secrets.session_key.clone();
        Ok(Self {
            templates,
            deployment: settings.deployment.clone(),
            front_end_port: settings.front_end.port,
            sessions: Sessions::of_the_manager(key.clone()),
            key,
            tries: Tries::default(),
            notices: Mutex::default(),
        })
    }

    /// A page that says what went wrong.
    #[must_use]
    pub fn problem(
        &self,
        headers: &HeaderMap,
        status: StatusCode,
        message: &str,
    ) -> Response<Body> {
        self.page(status, "problem", headers, problem(status, message))
    }

    /// Renders a whole page; `content` is an object, completed by what every page shows.
    fn page(
        &self,
        status: StatusCode,
        name: &str,
        headers: &HeaderMap,
        mut content: Value,
    ) -> Response<Body> {
        content["deployment"] = self.deployment.clone().into();
        content["photos_page"] = self.front_end_address(headers).into();
        for optional in ["countdown", "csrf", "notice", "section", "scripts"] {
            if content.get(optional).is_none() {
                content[optional] = Value::Null;
            }
        }
        self.render(status, name, &content)
    }

    fn render(&self, status: StatusCode, name: &str, content: &Value) -> Response<Body> {
        match self.templates.render(name, content) {
            Ok(text) => reply::html(status, text),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    name,
                    "rendering a page"
                );
                reply::error(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the page could not be made",
                )
            }
        }
    }

    /// The front-end as this browser reaches it: on the host it reached us by.
    fn front_end_address(&self, headers: &HeaderMap) -> Option<String> {
        let host = headers.get(HOST)?.to_str().ok()?;
        let authority: http::uri::Authority = host.parse().ok()?;
        Some(format!(
            "http://{}:{}/",
            authority.host(),
            self.front_end_port
        ))
    }

    /// Says something on the session's next page.
    fn say_next(&self, session: &SessionId, notice: Notice) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.insert(session.clone(), notice);
    }

    fn take_notice(&self, session: &SessionId) -> Option<Notice> {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.remove(session)
    }
}

/// What a page shows that says what went wrong.
fn problem(status: StatusCode, message: &str) -> Value {
    json!({
        "title": kit::words::trouble(status),
        "code": status.as_u16(),
        "message": message,
        "retry": status.is_server_error(),
    })
}

/// Answers a path that is neither below `/api` nor `/internal`.
pub async fn answer<B: Bucket>(
    manager: &Arc<Manager<B>>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let (path, headers) = (head.uri.path(), &head.headers);
    let is_read = [Method::GET, Method::HEAD].contains(&head.method);
    if !is_read && head.method != Method::POST {
        let message = "This address can be looked at, and forms can be sent to it; nothing else.";
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return manager.pages.problem(headers, status, message);
    }
    match (is_read, path) {
        (true, "/login") => return login::page(manager, headers).await,
        (false, "/login") => return login::log_in(manager, &head, body).await,
        _ => {}
    }
    if is_read && let Some(asset) = assets::find(path) {
        return asset.respond(headers);
    }
    let visit = match login::signed_in(manager, headers).await {
        Ok(session) => Visit {
            manager,
            headers,
            query: head.uri.query().unwrap_or_default(),
            session,
        },
        Err(answer) => return stranger(path, answer),
    };
    if is_read {
        return show(&visit, path).await;
    }
    match login::read_form(&visit, body).await {
        Ok(form) => act(&visit, path, &form).await,
        Err(answer) => answer,
    }
}

/// The answer to somebody who has not logged in: a script is not sent on to a page.
fn stranger(path: &str, answer: Response<Body>) -> Response<Body> {
    if path.starts_with("/live/") && answer.status() == StatusCode::SEE_OTHER {
        return reply::error(StatusCode::UNAUTHORIZED, "log in first");
    }
    answer
}

/// A page, or below `/live` the part of one that changes by itself.
async fn show<B: Bucket>(visit: &Visit<'_, B>, path: &str) -> Response<Body> {
    match path {
        "/" => overview::page(visit).await,
        "/live/countdown" => countdown::part(visit),
        "/live/figures" => overview::figures(visit).await,
        "/live/charts" => overview::charts(visit).await,
        "/pool" => nodes::page(visit).await,
        "/live/nodes" => nodes::part(visit).await,
        "/log" => log::page(visit).await,
        "/live/log" => log::part(visit).await,
        "/configuration" => configuration::page(visit).await,
        "/data" => data::page(visit).await,
        "/live/deletion" => data::part(visit),
        // Somebody reloads what a form has answered.
        "/size" => reply::redirect("/pool"),
        "/configuration/save" => reply::redirect("/configuration"),
        "/clear" | "/delete" => reply::redirect("/data"),
        "/logout" => reply::redirect("/"),
        _ => visit.nothing("There is no page at this address."),
    }
}

/// Does what a form asks for.
async fn act<B: Bucket>(visit: &Visit<'_, B>, path: &str, form: &Form) -> Response<Body> {
    match path {
        "/logout" => login::log_out(visit).await,
        "/size" => nodes::resize(visit, form).await,
        "/configuration" => configuration::review(visit, form).await,
        "/configuration/save" => configuration::save(visit, form).await,
        "/clear" => data::clear(visit).await,
        "/delete" => data::delete(visit, form).await,
        _ => visit.nothing("There is no form at this address."),
    }
}
