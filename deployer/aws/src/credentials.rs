//! The user's credentials: found as the AWS tools find them, and found anew when a session has ended.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::Mutex;

/// Credentials that end sooner than this are found anew before they are used.
const SPARE: Duration = Duration::from_secs(60);

/// Where credentials come from. It keeps what it found itself, because the SDK's own cache would go on
/// with keys that were replaced meanwhile. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Renewable(Arc<Mutex<Held>>);

#[derive(Debug)]
struct Held {
    chain: Option<SharedCredentialsProvider>,
    credentials: Option<Credentials>,
}

impl Renewable {
    /// The providers that a configuration was loaded with.
    pub(crate) fn of(config: &SdkConfig) -> Renewable {
        Renewable(Arc::new(Mutex::new(Held {
            chain: config.credentials_provider(),
            credentials: None,
        })))
    }

    /// Forgets what was found, and looks in the places of a configuration that was loaded since.
    pub(crate) async fn look_again(&self, config: &SdkConfig) {
        *self.0.lock().await = Held {
            chain: config.credentials_provider(),
            credentials: None,
        };
    }

    /// When the credentials end; nothing for keys that do not say.
    ///
    /// # Errors
    /// When there are none.
    pub(crate) async fn end(&self) -> Result<Option<SystemTime>, CredentialsError> {
        self.current().await.map(|found| found.expiry())
    }

    /// Whether they are of a session: a long-lived key has no token.
    pub(crate) async fn is_session(&self) -> bool {
        let found = self.current().await;
        found.is_ok_and(|found| found.session_token().is_some())
    }

    async fn current(&self) -> Result<Credentials, CredentialsError> {
        let mut held = self.0.lock().await;
        if let Some(credentials) = held.credentials.as_ref().filter(|found| lasts(found)) {
            return Ok(credentials.clone());
        }
        let chain = held.chain.clone();
        let chain = chain.ok_or_else(|| CredentialsError::not_loaded("no provider is set"))?;
        let found = chain.provide_credentials().await?;
        held.credentials = Some(found.clone());
        Ok(found)
    }
}

fn lasts(credentials: &Credentials) -> bool {
    credentials
        .expiry()
        .is_none_or(|end| end > SystemTime::now() + SPARE)
}

impl ProvideCredentials for Renewable {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.current())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config(key: &str, lasting: Option<Duration>) -> SdkConfig {
        let end = lasting.map(|lasting| SystemTime::now() + lasting);
        let credentials = Credentials::new(key, "secret", None, end, "test");
        SdkConfig::builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    #[tokio::test]
    async fn keys_that_were_pasted_anew_are_used_from_then_on() {
        let found = Renewable::of(&config("old", None));
        let key = async || found.provide_credentials().await.unwrap();
        assert_eq!(key().await.access_key_id(), "old");
        found.look_again(&config("new", None)).await;
        assert_eq!(key().await.access_key_id(), "new");
        assert_eq!(found.end().await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_end_of_a_session_is_told() {
        let hour = Duration::from_secs(3600);
        let found = Renewable::of(&config("session", Some(hour)));
        assert!(found.end().await.unwrap().unwrap() > SystemTime::now());
        let none = Renewable::of(&SdkConfig::builder().build());
        assert!(none.end().await.is_err());
    }
}
