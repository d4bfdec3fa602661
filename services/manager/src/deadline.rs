//! When the deployment expires: pages count down to it, and nodes are launched with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::imds;
use kit::expiry::{self, Expiry, ExpiryError};

/// How often it is looked whether the deployment was extended.
const LOOK: Duration = Duration::from_secs(10);

/// When the deployment expires, as this instance's tag says.
#[derive(Clone, Debug)]
pub struct Deadline {
    metadata: Option<imds::Client>,
    seen: Arc<Mutex<Option<Expiry>>>,
}

impl Deadline {
    /// As the metadata service says it.
    #[must_use]
    pub fn new(metadata: imds::Client) -> Self {
        Self {
            metadata: Some(metadata),
            seen: Arc::default(),
        }
    }

    /// One that does not change.
    #[must_use]
    pub fn fixed(expiry: Option<Expiry>) -> Self {
        Self {
            metadata: None,
            seen: Arc::new(Mutex::new(expiry)),
        }
    }

    /// What was seen last; `None` if the deployment does not expire.
    #[must_use]
    pub fn seen(&self) -> Option<Expiry> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks anew.
    ///
    /// # Errors
    /// When the metadata service does not answer, or the tag is no instant.
    pub async fn look(&self) -> Result<Option<Expiry>, ExpiryError> {
        if let Some(metadata) = &self.metadata {
            let expiry = expiry::read(metadata).await?;
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = expiry;
        }
        Ok(self.seen())
    }

    /// Looks again and again, for ever.
    pub async fn watch(self) {
        let mut told = false;
        loop {
            let looked = self.look().await;
            if let Err(error) = &looked
                && !told
            {
                let error = crate::reconcile::chain(error);
                tracing::warn!(error, "looking when the deployment expires");
            }
            told = looked.is_err();
            tokio::time::sleep(LOOK).await;
        }
    }
}
