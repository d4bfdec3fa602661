//! The manager's pages. They work without JavaScript; with it, the nodes are shown as they change.

mod actions;
mod form;
mod login;
mod overview;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use handlebars::Handlebars;
use http::header::HOST;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use kit::assets::{Asset, STYLE};
use kit::body::{Body, Incoming};
use kit::reply;
use kit::session::{Key, SessionId, Sessions};
use serde::Serialize;
use serde_json::{Value, json};

use crate::bucket::Bucket;
use crate::error::Error;
use crate::manager::Manager;
use crate::settings::Settings;
use login::Tries;

static SCRIPT: Asset = Asset::new(
    "text/javascript; charset=utf-8",
    include_bytes!("pages/assets/manager.js"),
);
static ICON: Asset = Asset::new("image/svg+xml", include_bytes!("pages/assets/icon.svg"));

const TEMPLATES: [(&str, &str); 5] = [
    ("layout", include_str!("pages/templates/layout.hbs")),
    ("login", include_str!("pages/templates/login.hbs")),
    ("overview", include_str!("pages/templates/overview.hbs")),
    ("pool", include_str!("pages/templates/pool.hbs")),
    ("problem", include_str!("pages/templates/problem.hbs")),
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
        let page = json!({
            "title": kit::words::trouble(status),
            "code": status.as_u16(),
            "message": message,
            "retry": status.is_server_error(),
        });
        self.page(status, "problem", headers, page)
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
        if content.get("csrf").is_none() {
            content["csrf"] = Value::Null;
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

/// Answers a path that is neither below `/api` nor `/internal`.
pub async fn answer<B: Bucket>(manager: &Manager<B>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let problem = |status, message| manager.pages.problem(request.headers(), status, message);
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    match (is_read, path.as_str()) {
        (true, "/") => overview::page(manager, request.headers()).await,
        (true, "/pool") => overview::fragment(manager, request.headers()).await,
        (true, "/login") => login::page(manager, request.headers()).await,
        (true, "/assets/style.css") => STYLE.respond(request.headers()),
        (true, "/assets/manager.js") => SCRIPT.respond(request.headers()),
        (true, "/assets/icon.svg" | "/favicon.ico") => ICON.respond(request.headers()),
        (false, _) if request.method() == Method::POST => post(manager, request).await,
        (true, "/size" | "/configuration" | "/clear" | "/delete" | "/logout") => {
            reply::redirect("/")
        }
        (true, _) => {
            let message = "There is no page at this address.";
            problem(StatusCode::NOT_FOUND, message)
        }
        (false, _) => {
            let message =
                "This address can be looked at, and forms can be sent to it; nothing else.";
            problem(StatusCode::METHOD_NOT_ALLOWED, message)
        }
    }
}

async fn post<B: Bucket>(manager: &Manager<B>, request: Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/login" => login::log_in(manager, request).await,
        "/logout" => login::log_out(manager, request).await,
        "/size" => actions::size(manager, request).await,
        "/configuration" => actions::configuration(manager, request).await,
        "/clear" => actions::clear(manager, request).await,
        "/delete" => actions::delete(manager, request).await,
        _ => {
            let message = "There is no form at this address.";
            manager
                .pages
                .problem(request.headers(), StatusCode::NOT_FOUND, message)
        }
    }
}
