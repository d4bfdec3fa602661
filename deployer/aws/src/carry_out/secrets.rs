//! The secrets of a deployment. They are drawn once, live in its private bucket, and are read by
//! the instances with their roles; no plan, log or user data holds one.

use aws_sdk_s3::primitives::ByteStream;
use deployer_core::names::Kind;
use deployer_core::settings::secrets_key;
use rand::Rng;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};

use super::Site;
use crate::account::Account;
use crate::error::AwsError;
use crate::stored;

/// The secrets of the instance that looks after the deployment.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Secrets {
    /// The password of the database's master user.
    pub database_password: String,
    /// The password of the manager's pages.
    pub manager_password: String,
    /// What the services show to one another.
    pub internal_token: String,
    /// What session cookies are signed with: 32 bytes, hexadecimal.
    pub session_key: String,
    /// Opens the API, where the blueprint closes it. Absent until secrets that are older than it are
    /// completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_token: Option<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct NodeSecrets<'a> {
    internal_token: &'a str,
}

impl Secrets {
    fn draw() -> Secrets {
        let key: [u8; 32] = rand::random();
        Secrets {
            database_password: text(32),
            manager_password: text(16),
            internal_token: text(32),
            session_key: hex::encode(key),
            api_token: Some(text(32)),
        }
    }

    /// With what was not drawn yet when they were.
    fn complete(self) -> Secrets {
        Secrets {
            api_token: self.api_token.or_else(|| Some(text(32))),
            ..self
        }
    }

    /// Reads the secrets from a bucket; `None` when they were never written.
    ///
    /// # Errors
    /// When the bucket does not answer, or holds something else under their key.
    pub async fn read(
        account: &Account,
        bucket: &str,
        key: &str,
    ) -> Result<Option<Secrets>, AwsError> {
        let Some(bytes) = stored::get(account, bucket, key).await? else {
            return Ok(None);
        };
        let what = format!("reading s3://{bucket}/{key}");
        let parsed = serde_json::from_slice(&bytes);
        parsed.map(Some).map_err(|e| AwsError::Here {
            what,
            source: Box::new(e),
        })
    }
}

/// So many random letters and digits.
fn text(length: usize) -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(length)
        .map(char::from)
        .collect()
}

impl Site {
    /// Reads the secrets of the blueprint's first instance.
    pub(super) async fn secrets(&self) -> Result<Option<Secrets>, AwsError> {
        let bucket = self.home_bucket()?;
        let Some(name) = self.blueprint.instances.keys().next() else {
            return Ok(None);
        };
        Secrets::read(&self.account, &bucket, &secrets_key(Kind::Instance, name)).await
    }

    /// Writes what is missing, and changes nothing that is there: the database knows the password.
    pub(super) async fn write_secrets(&self) -> Result<(), AwsError> {
        let bucket = self.home_bucket()?;
        let secrets = self
            .secrets()
            .await?
            .map_or_else(Secrets::draw, Secrets::complete);
        for name in self.blueprint.instances.keys() {
            self.write_json(&bucket, &secrets_key(Kind::Instance, name), &secrets)
                .await?;
        }
        let of_nodes = NodeSecrets {
            internal_token: &secrets.internal_token,
        };
        for name in self.blueprint.pools.keys() {
            self.write_json(&bucket, &secrets_key(Kind::Pool, name), &of_nodes)
                .await?;
        }
        Ok(())
    }

    async fn write_json(
        &self,
        bucket: &str,
        key: &str,
        value: &impl Serialize,
    ) -> Result<(), AwsError> {
        let what = || format!("writing {key}");
        let text = serde_json::to_vec(value).map_err(|e| AwsError::Here {
            what: what(),
            source: Box::new(e),
        })?;
        stored::put(
            &self.account,
            bucket,
            key,
            ByteStream::from(text),
            "application/json",
        )
        .await
    }
}
