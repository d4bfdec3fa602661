//! Services that speak JSON 1.1 and are asked little: their calls are signed here, in place of an SDK
//! for each.
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::error::{AwsError, Meaning};
use crate::target::CallPace;

/// A service as its calls name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// In addresses and signatures.
    pub(crate) name: &'static str,
    /// Before the operation.
    pub(crate) target: &'static str,
}

/// What calls are made with.
#[derive(Clone, Debug)]
pub(crate) struct JsonApi {
    endpoint: Option<String>,
    region: String,
    credentials: Option<SharedCredentialsProvider>,
    pace: CallPace,
}

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// What came of one attempt.
struct Answer {
    status: http::StatusCode,
    body: Value,
    request_id: Option<String>,
}

impl JsonApi {
    pub(crate) fn new(config: &SdkConfig, region: &str, pace: CallPace) -> JsonApi {
        JsonApi {
            endpoint: config.endpoint_url().map(str::to_owned),
            region: region.to_owned(),
            credentials: config.credentials_provider(),
            pace,
        }
    }

    /// Makes a call, and again where no answer comes or AWS says that it failed or is asked too much.
    /// What is asked for has to stand being asked for twice.
    pub(crate) async fn call(
        &self,
        service: Service,
        operation: &'static str,
        body: &Value,
    ) -> Result<Value, AwsError> {
        let body = body.to_string();
        let mut wait = self.pace.first_wait;
        for _ in 1..self.pace.attempts {
            let answer = self.attempt(service, operation, &body).await;
            if !answer
                .as_ref()
                .map_or_else(is_unanswered, Answer::is_passing)
            {
                return answer?.into_result(operation);
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(self.pace.longest_wait);
        }
        let last = self.attempt(service, operation, &body).await?;
        last.into_result(operation)
    }

    async fn attempt(
        &self,
        service: Service,
        operation: &'static str,
        body: &str,
    ) -> Result<Answer, AwsError> {
        let asked = tokio::time::timeout(self.pace.attempt, self.ask(service, operation, body));
        asked
            .await
            .unwrap_or_else(|late| Err(late.into()))
            .map_err(|source| AwsError::Unanswered { operation, source })
    }

    async fn ask(&self, service: Service, operation: &str, body: &str) -> Result<Answer, Problem> {
        let request = self.signed(service, operation, body).await?;
        let connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build();
        let response = connector.call(request).await?;
        let status = http::StatusCode::from_u16(response.status().as_u16())?;
        let request_id = response.headers().get("x-amzn-requestid");
        let request_id = request_id.map(str::to_owned);
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok(Answer {
            status,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            request_id,
        })
    }

    async fn signed(
        &self,
        service: Service,
        operation: &str,
        body: &str,
    ) -> Result<HttpRequest, Problem> {
        let provider = self
            .credentials
            .as_ref()
            .ok_or("there are no credentials")?;
        let identity = provider.provide_credentials().await?.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let url = self.url(service);
        let target = format!("{}.{operation}", service.target);
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
        ];
        let signable = SignableRequest::new(
            "POST",
            url.as_str(),
            headers.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        )?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        let mut request = http::Request::post(&url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(SdkBody::from(body))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(HttpRequest::try_from(request)?)
    }

    fn url(&self, service: Service) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => format!("https://{}.{}.amazonaws.com/", service.name, self.region),
        }
    }
}

fn is_unanswered(error: &AwsError) -> bool {
    matches!(error, AwsError::Unanswered { .. })
}

impl Answer {
    /// Whether the same call may be answered otherwise a little later.
    fn is_passing(&self) -> bool {
        let is_throttled = || self.refusal("").meaning() == Meaning::Throttled;
        self.status.is_server_error() || (!self.status.is_success() && is_throttled())
    }

    fn into_result(self, operation: &'static str) -> Result<Value, AwsError> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        Err(self.refusal(operation))
    }

    fn refusal(&self, operation: &'static str) -> AwsError {
        // `com.amazonaws.…#AccessDeniedException`
        let code = self.body["__type"].as_str().unwrap_or_default();
        let code = code.rsplit('#').next().filter(|code| !code.is_empty());
        let message = self.body["message"].as_str();
        let message = message.or(self.body["Message"].as_str());
        AwsError::Answered {
            operation,
            code: code.map_or_else(|| self.status.as_u16().to_string(), str::to_owned),
            message: message.unwrap_or("no message").to_owned(),
            request_id: self.request_id.clone(),
        }
    }
}
