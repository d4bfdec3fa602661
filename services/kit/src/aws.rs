//! How every service talks to AWS.

use std::time::Duration;

use aws_config::imds;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::Builder as HttpBuilder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use futures::FutureExt;
use futures::future::BoxFuture;

/// The settings for all SDK clients of a service: HTTP with rustls, timeouts on everything, the
/// instance's role. Endpoint and metadata address come from the SDK's own variables
/// (`AWS_ENDPOINT_URL`, `AWS_EC2_METADATA_SERVICE_ENDPOINT`).
pub fn sdk_config(region: &str) -> BoxFuture<'_, SdkConfig> {
    // Boxed, so that it is compiled here and not in every program and test that awaits it.
    async move {
        let http = HttpBuilder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .http_client(http)
            .timeout_config(timeouts())
            .retry_config(RetryConfig::standard().with_max_attempts(4))
            .load()
            .await
    }
    .boxed()
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .read_timeout(Duration::from_secs(10))
        .operation_attempt_timeout(Duration::from_secs(30))
        .operation_timeout(Duration::from_secs(60))
        .build()
}

/// The metadata service of this instance (IMDSv2 only), asked once per call: whoever asks decides
/// how long to go on. Its address is `AWS_EC2_METADATA_SERVICE_ENDPOINT`, by default
/// `http://169.254.169.254`.
#[must_use]
pub fn metadata() -> imds::Client {
    let provider =
        ProviderConfig::without_region().with_http_client(HttpBuilder::new().build_http());
    imds::Client::builder()
        .configure(&provider)
        .max_attempts(1)
        .build()
}
