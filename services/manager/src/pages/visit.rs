//! Somebody who has logged in and looks at a page.

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode};
use jiff::Timestamp;
use kit::body::Body;
use kit::session::SessionId;
use kit::{csrf, reply};
use serde_json::Value;

use super::Notice;
use super::countdown::{Countdown, countdown};
use crate::manager::Manager;

/// One request of somebody who has logged in.
pub(super) struct Visit<'a, B> {
    pub(super) manager: &'a Arc<Manager<B>>,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: &'a str,
    pub(super) session: SessionId,
}

impl<B> Visit<'_, B> {
    /// A parameter in the address; the first if there are several.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.into_owned())
    }

    /// A whole page, with what is to be said on the session's next one.
    pub(super) fn page(&self, template: &str, content: Value) -> Response<Body> {
        let notice = self.manager.pages.take_notice(&self.session);
        self.page_saying(StatusCode::OK, template, content, notice)
    }

    /// A whole page that says something.
    pub(super) fn page_saying(
        &self,
        status: StatusCode,
        template: &str,
        mut content: Value,
        notice: Option<Notice>,
    ) -> Response<Body> {
        let pages = &self.manager.pages;
        content["countdown"] = serde_json::to_value(self.countdown()).unwrap_or_default();
        content["csrf"] = csrf::token(&pages.key, &self.session).into();
        content["notice"] = serde_json::to_value(notice).unwrap_or_default();
        pages.page(status, template, self.headers, content)
    }

    /// How long the deployment still lives, if it expires.
    pub(super) fn countdown(&self) -> Option<Countdown> {
        let deployment = &self.manager.settings.deployment;
        let expiry = self.manager.deadline.seen()?;
        Some(countdown(deployment, expiry, Timestamp::now()))
    }

    /// A part of a page, for the script.
    pub(super) fn part(&self, template: &str, content: &Value) -> Response<Body> {
        self.manager.pages.render(StatusCode::OK, template, content)
    }

    /// Goes on to a page, after a form, and says something there.
    pub(super) fn on_to(&self, path: &str, notice: Notice) -> Response<Body> {
        self.manager.pages.say_next(&self.session, notice);
        reply::redirect(path)
    }

    /// That something is not there.
    pub(super) fn nothing(&self, message: &str) -> Response<Body> {
        let status = StatusCode::NOT_FOUND;
        self.page_saying(status, "problem", super::problem(status, message), None)
    }
}
