//! A connection to one region of an account.

use std::time::{Duration, SystemTime};

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use deployer_core::names::{DeploymentName, Scope};

use crate::clock::Clock;
use crate::credentials::Renewable;
use crate::error::{AwsError, During};
use crate::json_api::JsonApi;
use crate::target::{CallPace, Target};

/// The SDK's clients for one region of an account.
#[derive(Clone, Debug)]
pub struct Account {
    /// The twelve digits of the account.
    pub id: String,
    /// Who we are in it, an ARN.
    pub caller: String,
    /// The region.
    pub region: String,
    /// Where the calls go.
    pub target: Target,
    /// How many entries a page of a listing has; as many as each service likes when absent.
    pub page_size: Option<i32>,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    /// The user's credentials; localcloud's do not change.
    credentials: Option<Renewable>,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) rds: aws_sdk_rds::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) json: JsonApi,
    sts: aws_sdk_sts::Client,
}

/// How long the user's credentials are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// Keys without an end.
    ForEver,
    /// A session that does not say when it ends: keys that were pasted.
    ASession,
    /// A session that ends then.
    Until(SystemTime),
}

impl Account {
    /// Connects, and asks who we are: the one call that needs no permission.
    ///
    /// # Errors
    /// When no credentials are found or AWS does not accept them.
    pub async fn connect(target: Target, region: &str) -> Result<Account, AwsError> {
        Account::connect_by(target, region, &Clock::default()).await
    }

    /// Connects likewise, and lets that clock see the dates of AWS's answers, of refusals too.
    ///
    /// # Errors
    /// When no credentials are found or AWS does not accept them.
    pub async fn connect_by(
        target: Target,
        region: &str,
        clock: &Clock,
    ) -> Result<Account, AwsError> {
        let (config, credentials) = sdk_config(&target, region).await?;
        let call = target.pace.call;
        let sts = aws_sdk_sts::config::Builder::from(&config).interceptor(clock.clone());
        let sts = aws_sdk_sts::Client::from_conf(sts.build());
        let (id, caller) = identity(&sts).await?;
        Ok(Account {
            id,
            caller,
            region: region.to_owned(),
            target,
            page_size: None,
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            credentials,
            ec2: aws_sdk_ec2::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            rds: aws_sdk_rds::Client::new(&config),
            s3: aws_sdk_s3::Client::new(&config),
            json: JsonApi::new(&config, region, call),
            sts,
        })
    }

    /// How long the credentials are good for.
    ///
    /// # Errors
    /// When they can be found no more.
    pub async fn credentials_last(&self) -> Result<Lasting, AwsError> {
        let Some(credentials) = &self.credentials else {
            return Ok(Lasting::ForEver);
        };
        Ok(match credentials.end().await.map_err(none_found)? {
            Some(end) => Lasting::Until(end),
            None if credentials.is_session().await => Lasting::ASession,
            None => Lasting::ForEver,
        })
    }

    /// Looks for credentials again, after a session has ended: every client uses what is found. The
    /// answer is the account that they are of.
    ///
    /// # Errors
    /// When none are found or AWS does not accept them.
    pub async fn renew_credentials(&self) -> Result<String, AwsError> {
        if let Some(credentials) = &self.credentials {
            credentials
                .look_again(&found_by_the_sdk(&self.region, &self.target.pace.call).await)
                .await;
        }
        identity(&self.sts).await.map(|(account, _)| account)
    }

    /// The names that a deployment's resources have here.
    #[must_use]
    pub fn scope(&self, deployment: DeploymentName) -> Scope {
        Scope {
            account: self.id.clone(),
            region: self.region.clone(),
            deployment,
        }
    }

    /// The regions that the account can use.
    ///
    /// # Errors
    /// When AWS does not say.
    pub async fn regions(&self) -> Result<Vec<String>, AwsError> {
        let answer = self
            .ec2
            .describe_regions()
            .send()
            .await
            .during("DescribeRegions")?;
        Ok(answer
            .regions()
            .iter()
            .filter_map(|r| r.region_name().map(str::to_owned))
            .collect())
    }
}

/// The account and the ARN of whoever calls.
async fn identity(sts: &aws_sdk_sts::Client) -> Result<(String, String), AwsError> {
    let answer = sts.get_caller_identity().send().await;
    let identity = answer.during("GetCallerIdentity")?;
    let missing = |what| AwsError::Incomplete {
        operation: "GetCallerIdentity",
        what,
    };
    let account = identity.account().ok_or(missing("account"))?;
    let arn = identity.arn().ok_or(missing("ARN"))?;
    Ok((account.to_owned(), arn.to_owned()))
}

fn none_found(error: CredentialsError) -> AwsError {
    // The SDK names every place where there are none, at length.
    let nothing_is_set_up = matches!(error, CredentialsError::CredentialsNotLoaded(_));
    AwsError::NoCredentials {
        source: (!nothing_is_set_up).then(|| Box::new(error).into()),
    }
}

/// Limits for one attempt, and for a call with all of its attempts and the waits between them.
pub(crate) fn timeouts(call: &CallPace, attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(call.connect)
        .operation_attempt_timeout(attempt)
        .operation_timeout((attempt + call.longest_wait) * call.attempts)
        .build()
}

fn retries(call: &CallPace) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(call.attempts)
        .with_initial_backoff(call.first_wait)
        .with_max_backoff(call.longest_wait)
}

/// What the clients are made with, and the credentials if they are the user's.
async fn sdk_config(
    target: &Target,
    region: &str,
) -> Result<(SdkConfig, Option<Renewable>), AwsError> {
    let call = &target.pace.call;
    // An endpoint of our own is spoken to with nothing from the user's environment or profiles:
    // the two targets never mix.
    if let (Some(endpoint), Some(credentials)) = (&target.endpoint, &target.credentials) {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .http_client(http())
            .timeout_config(timeouts(call, call.attempt))
            .retry_config(retries(call))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .build();
        return Ok((config, None));
    }
    let found = found_by_the_sdk(region, call).await;
    let credentials = Renewable::of(&found);
    credentials.end().await.map_err(none_found)?;
    let config = found
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
        .identity_cache(IdentityCache::no_cache())
        .build();
    Ok((config, Some(credentials)))
}

async fn found_by_the_sdk(region: &str, call: &CallPace) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .http_client(http())
        .timeout_config(timeouts(call, call.attempt))
        .retry_config(retries(call))
        .load()
        .await
}

fn http() -> aws_smithy_runtime_api::client::http::SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}
