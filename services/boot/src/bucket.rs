//! The deployment's bucket, as far as boot reads it.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::patience::Trouble;

/// A bucket to read from. It is asked once per call: whoever asks decides how long to go on.
pub struct Bucket {
    client: Client,
    name: String,
}

/// An object and the version of it.
pub(crate) struct Object {
    pub(crate) content: Vec<u8>,
    pub(crate) tag: String,
}

impl Bucket {
    /// The bucket called `name`.
    #[must_use]
    pub fn new(client: &Client, name: String) -> Self {
        let once = client
            .config()
            .to_builder()
            .retry_config(RetryConfig::disabled())
            .build();
        Self {
            client: Client::from_conf(once),
            name,
        }
    }

    /// Reads an object. That it is not there yet is expected: the deployer writes it when what it
    /// tells of exists.
    pub(crate) async fn read(&self, key: &str) -> Result<Object, Trouble> {
        let found = self
            .client
            .get_object()
            .bucket(&self.name)
            .key(key)
            .send()
            .await;
        let found = found.map_err(|error| trouble(key, &error))?;
        let tag = found.e_tag.unwrap_or_default();
        let content = found.body.collect().await.map_err(|error| Trouble {
            cause: "broken off".to_owned(),
            detail: kit::logging::chain(&error),
            expected: false,
        })?;
        Ok(Object {
            content: content.to_vec(),
            tag,
        })
    }

    /// The version of an object.
    pub(crate) async fn tag(&self, key: &str) -> Result<String, Trouble> {
        let found = self
            .client
            .head_object()
            .bucket(&self.name)
            .key(key)
            .send()
            .await;
        Ok(found
            .map_err(|error| trouble(key, &error))?
            .e_tag
            .unwrap_or_default())
    }
}

fn trouble<E>(key: &str, error: &SdkError<E>) -> Trouble
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let cause = match error {
        SdkError::ServiceError(refused) => {
            match (refused.err().code(), refused.raw().status().as_u16()) {
                (Some(code), _) => code.to_owned(),
                // HEAD has no body to hold a code.
                (None, 404) => "NoSuchKey".to_owned(),
                (None, status) => format!("status {status}"),
            }
        }
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        _ => "no connection or no credentials".to_owned(),
    };
    let expected = ["NoSuchKey", "NotFound"].contains(&cause.as_str());
    let detail = if expected {
        format!("{key} is not in the bucket yet")
    } else {
        format!("{key}: {}", DisplayErrorContext(error))
    };
    Trouble {
        cause,
        detail,
        expected,
    }
}
