//! Reading what a form sent.

use std::collections::BTreeMap;

use http::StatusCode;
use kit::body::{Incoming, read_limited};
use kit::csrf;
use kit::session::{Key, SessionId};

/// The longest form: a few short fields.
const LIMIT: u64 = 16 * 1024;

/// The fields of a form.
#[derive(Debug, Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads a form's fields.
    ///
    /// # Errors
    /// The status and message of the answer.
    pub(super) async fn read(body: Incoming) -> Result<Self, (StatusCode, String)> {
        let bytes = read_limited(body, LIMIT)
            .await
            .map_err(|error| (error.status(), error.to_string()))?;
        Ok(Self(form_urlencoded::parse(&bytes).into_owned().collect()))
    }

    /// A field's text; empty if it was not sent.
    pub(super) fn field(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    /// A field's text, if it was sent.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| value.trim().to_owned())
    }

    /// A field's text as it was sent.
    pub(super) fn exact(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Whether we made the form, for this session.
    pub(super) fn is_ours(&self, key: &Key, session: &SessionId) -> bool {
        csrf::verify(key, session, self.field(csrf::FIELD))
    }
}
