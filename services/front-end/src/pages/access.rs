//! Who may look at the pages. While the API is open, everybody; once it is closed, whoever has logged
//! in: pages that show photos and take uploads would otherwise be a way around its token.

use catalog::Catalog;
use http::{HeaderMap, HeaderValue, StatusCode};
use kit::csrf;
use kit::door::Api;
use kit::session::{self, Key, SessionId, Sessions};
use kit::token::Token;

use crate::Closing;
use crate::failure::Failure;
use crate::settings::Settings;

/// Who may look.
pub(super) enum Access {
    /// Everybody who reaches the port.
    Everybody,
    /// Whoever has logged in, here or on the manager's pages: it is the same session.
    LoggedIn(Logins),
}

/// How those who have logged in are recognised.
pub(super) struct Logins {
    key: Key,
    sessions: Sessions,
    internal_token: Token,
}

/// Why somebody may not look.
#[derive(Debug)]
pub(super) enum Denied {
    /// They have not logged in, or are logged out.
    NotLoggedIn,
    /// It cannot be known.
    Unknown(Failure),
}

impl Access {
    /// Whether who looks has to log in.
    pub(super) const fn is_limited(&self) -> bool {
        matches!(self, Self::LoggedIn(_))
    }

    pub(super) fn new(settings: &Settings) -> Result<Self, Closing> {
        match settings.api {
            Api::Open => Ok(Self::Everybody),
            Api::Token => {
                let key = settings.secrets.session_key.clone();
                let key = key.ok_or(Closing::SessionKey)?;
                let sessions = Sessions::of_the_manager(key.clone());
                Ok(Self::LoggedIn(Logins {
                    key,
                    sessions,
                    internal_token: settings.secrets.internal_token.clone(),
                }))
            }
        }
    }

    /// Lets somebody look: with the token for the forms they are shown, where these need one.
    pub(super) async fn check(
        &self,
        catalog: Result<&Catalog, Failure>,
        headers: &HeaderMap,
    ) -> Result<Option<String>, Denied> {
        let Self::LoggedIn(logins) = self else {
            return Ok(None);
        };
        let session = logins.sessions.read(headers).ok_or(Denied::NotLoggedIn)?;
        let catalog = catalog.map_err(Denied::Unknown)?;
        match catalog.session_is_open(session.as_str()).await {
            Ok(true) => Ok(Some(logins.token(&session))),
            Ok(false) => Err(Denied::NotLoggedIn),
            Err(error) => Err(Denied::Unknown(error.into())),
        }
    }

    /// Refuses a form that was not made for this visitor; `shown` is the token of those that were.
    pub(super) fn check_form(shown: Option<&str>, sent: Option<&str>) -> Result<(), Failure> {
        match shown {
            Some(token) if !csrf::is_same(token, sent.unwrap_or_default()) => {
                let message = "this form was not made for you, or is too old; nothing was stored, load the page again";
                Err(Failure::new(StatusCode::FORBIDDEN, message))
            }
            _ => Ok(()),
        }
    }
}

impl Logins {
    /// By which the manager knows that we say truly who asks.
    pub(super) fn internal_token(&self) -> HeaderValue {
        self.internal_token.header_value()
    }

    /// The session of a browser that asks for the login form, begun if need be: it means nothing yet,
    /// and keeps other sites from sending the form in the browser's name.
    pub(super) fn visitor(&self, headers: &HeaderMap) -> (SessionId, Option<session::Begun>) {
        match self.sessions.read(headers) {
            Some(visitor) => (visitor, None),
            None => {
                let begun = self.sessions.begin();
                (begun.id.clone(), Some(begun))
            }
        }
    }

    pub(super) fn token(&self, session: &SessionId) -> String {
        csrf::token(&self.key, session)
    }
}
