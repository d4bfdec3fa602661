//! When the deployment expires: what an instance can tell by itself, without a permission and
//! without anybody else.
//!
//! The instant is a tag of the instance, which the metadata service shows and keeps up to date while
//! the instance runs. So `deploy extend` reaches every instance by changing a tag.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html>

use std::time::Duration;

use aws_config::imds::Client;
use aws_config::imds::client::error::ImdsError;
use jiff::Timestamp;
use serde::Deserialize;

/// The tag that says when: RFC 3339, UTC, whole seconds.
pub const TAG: &str = "bivouac:expires-at";

/// How long an instance that was off when its deployment expired lives on after its start, so that
/// somebody can see that it has expired, and extend it.
pub const GRACE: Duration = Duration::from_secs(15 * 60);

/// When a deployment expires, as one of its instances sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// What the tag says.
    pub at: Timestamp,
    /// When the instance was launched, or last started after it was stopped; a reboot does not
    /// count. `None` where the metadata service does not say.
    pub started: Option<Timestamp>,
}

impl Expiry {
    /// Whether it passed while the instance was off.
    #[must_use]
    pub fn was_slept_through(&self) -> bool {
        self.started.is_some_and(|started| started > self.at)
    }

    /// When the instance has to act on it: at once, or, where it was slept through, after `grace`.
    #[must_use]
    pub fn due(&self, grace: Duration) -> Timestamp {
        match self.started {
            Some(started) if started > self.at => {
                // Beyond the end of time is never; `at` has passed.
                started.checked_add(grace).unwrap_or(self.at)
            }
            _ => self.at,
        }
    }
}

/// Why it is not known when the deployment expires.
#[derive(Debug, thiserror::Error)]
pub enum ExpiryError {
    /// The metadata service gives no answer, or not the one that is asked for.
    #[error("the metadata service does not tell the tag {TAG}")]
    Metadata(#[source] Box<ImdsError>),
    /// The tag is not an instant.
    #[error("the tag {TAG} is {value:?}, not an instant such as 2026-11-26T13:00:00Z")]
    Malformed {
        /// What it is.
        value: String,
        /// Why that is none.
        source: jiff::Error,
    },
}

/// Asks when the deployment expires; `None` if it never does.
///
/// # Errors
/// When the metadata service does not answer, or the tag is not an instant.
pub async fn read(metadata: &Client) -> Result<Option<Expiry>, ExpiryError> {
    let path = format!("/latest/meta-data/tags/instance/{TAG}");
    let value = match metadata.get(path).await {
        Ok(value) => String::from(value),
        // There is no such tag, or the instance may not read its tags.
        Err(ImdsError::ErrorResponse(answer)) if answer.response().status().as_u16() == 404 => {
            return Ok(None);
        }
        Err(error) => return Err(ExpiryError::Metadata(Box::new(error))),
    };
    let at = value.parse();
    let at = at.map_err(|source| ExpiryError::Malformed { value, source })?;
    let started = started(metadata).await;
    Ok(Some(Expiry { at, started }))
}

/// `pendingTime` of the identity document is renewed when a stopped instance is started.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html>
async fn started(metadata: &Client) -> Option<Timestamp> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Identity {
        pending_time: Timestamp,
    }
    let document = metadata
        .get("/latest/dynamic/instance-identity/document")
        .await;
    let identity: Identity = serde_json::from_str(document.ok()?.as_ref()).ok()?;
    Some(identity.pending_time)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn expiry(at: &str, started: Option<&str>) -> Expiry {
        Expiry {
            at: at.parse().unwrap(),
            started: started.map(|started| started.parse().unwrap()),
        }
    }

    #[test]
    fn only_an_instance_that_was_off_has_a_grace() {
        let at = "2026-11-26T13:00:00Z";
        let due = |started| expiry(at, started).due(GRACE).to_string();
        assert_eq!(due(None), at);
        assert_eq!(due(Some("2026-11-26T05:00:00Z")), at);
        assert_eq!(due(Some("2026-11-27T09:00:00Z")), "2026-11-27T09:15:00Z");
    }
}
