//! A connection to one region of an account.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use deployer_core::names::{DeploymentName, Scope};

use crate::error::{AwsError, During};
use crate::target::Target;

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
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) rds: aws_sdk_rds::Client,
    pub(crate) s3: aws_sdk_s3::Client,
}

impl Account {
    /// Connects, and asks who we are: the one call that needs no permission.
    ///
    /// # Errors
    /// When no credentials are found or AWS does not accept them.
    pub async fn connect(target: Target, region: &str) -> Result<Account, AwsError> {
        let config = sdk_config(&target, region).await;
        let answer = aws_sdk_sts::Client::new(&config)
            .get_caller_identity()
            .send()
            .await;
        let identity = answer.during("GetCallerIdentity")?;
        let missing = |what| AwsError::Incomplete {
            operation: "GetCallerIdentity",
            what,
        };
        Ok(Account {
            id: identity.account().ok_or(missing("account"))?.to_owned(),
            caller: identity.arn().ok_or(missing("ARN"))?.to_owned(),
            region: region.to_owned(),
            target,
            ec2: aws_sdk_ec2::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            rds: aws_sdk_rds::Client::new(&config),
            s3: aws_sdk_s3::Client::new(&config),
        })
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

async fn sdk_config(target: &Target, region: &str) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(60))
        .build();
    let retries = RetryConfig::standard().with_max_attempts(5);
    let region = Region::new(region.to_owned());
    // An endpoint of our own is spoken to with nothing from the user's environment or profiles:
    // the two targets never mix.
    if let (Some(endpoint), Some(credentials)) = (&target.endpoint, &target.credentials) {
        return SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region)
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .http_client(http)
            .timeout_config(timeouts)
            .retry_config(retries)
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .build();
    }
    aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries)
        .load()
        .await
}
