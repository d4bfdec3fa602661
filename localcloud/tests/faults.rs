//! Calls that go wrong as planned, as the AWS SDK sees them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use localcloud::faults::{Fault, Moment, Plan};
use localcloud::{Options, Running};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long silence is listened to: longer than an answer takes, shorter than a person waits.
const SILENCE: Duration = Duration::from_secs(5);

struct Cloud {
    running: Running,
    _home: tempfile::TempDir,
}

impl Cloud {
    async fn start(plan: Option<&str>) -> Cloud {
        let home = tempfile::tempdir().unwrap();
        let mut options = Options::paper(home.path());
        options.faults = plan.map(|plan| plan.parse().unwrap());
        Cloud {
            running: localcloud::start(options).await.unwrap(),
            _home: home,
        }
    }

    /// Clients that try so often, and wait so long each time.
    fn config(&self, attempts: u32, patience: Option<Duration>) -> SdkConfig {
        let key = self.running.credentials();
        let credentials = Credentials::new(
            &key.access_key_id,
            &key.secret_access_key,
            None,
            None,
            "test",
        );
        let http = aws_smithy_http_client::Builder::new().build_http();
        let mut timeouts = TimeoutConfig::builder();
        timeouts.set_operation_attempt_timeout(patience);
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.running.endpoint())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http)
            .timeout_config(timeouts.build())
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(attempts)
                    .with_initial_backoff(Duration::from_millis(1)),
            )
            .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
                aws_smithy_async::rt::sleep::TokioSleep::new(),
            ))
            .build()
    }

    fn ec2(&self, attempts: u32, patience: Option<Duration>) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::new(&self.config(attempts, patience))
    }

    fn follow(&self, plan: &str) {
        let plan: Plan = plan.parse().unwrap();
        self.running.faults().follow(Some(plan));
    }

    /// How many security groups there are besides the default one.
    fn groups(&self) -> usize {
        self.running.cloud().remaining().len()
    }

    /// What localcloud answers in its own name.
    async fn own(&self, method: &str, path: &str) -> String {
        let endpoint = self.running.endpoint();
        let address = endpoint.strip_prefix("http://").unwrap();
        let secret = &self.running.credentials().secret_access_key;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "{method} /_localcloud/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {secret}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

/// How long the client that meets a fault waits.
fn patience(fault: &str) -> Duration {
    match fault {
        "silence" => SILENCE,
        _ => PATIENCE,
    }
}

async fn make(ec2: &aws_sdk_ec2::Client, name: &str) -> Result<(), String> {
    let request = ec2.create_security_group().group_name(name);
    let made = request.description("x").send().await;
    made.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_call_that_goes_wrong_before_has_no_effect_and_after_it_has_all() {
    let cloud = Cloud::start(None).await;
    for fault in ["drop", "silence", "500", "throttle"] {
        let ec2 = cloud.ec2(1, Some(patience(fault)));
        let before = cloud.groups();
        cloud.follow(&format!("1:before:{fault}"));
        make(&ec2, &format!("before-{fault}")).await.unwrap_err();
        assert_eq!(cloud.groups(), before, "{fault}");
        cloud.follow(&format!("1:after:{fault}"));
        make(&ec2, &format!("after-{fault}")).await.unwrap_err();
        assert_eq!(cloud.groups(), before + 1, "{fault}");
        let report = cloud.running.faults().report();
        assert_eq!(report.attempts, 1);
        assert_eq!(report.happened[0].call, "ec2 CreateSecurityGroup");
        assert_eq!(report.happened[0].moment, Moment::After);
    }
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn every_fault_but_a_stop_is_got_over_by_trying_again() {
    let cloud = Cloud::start(None).await;
    for fault in ["drop", "silence", "500", "throttle"] {
        let ec2 = cloud.ec2(2, Some(patience(fault)));
        cloud.follow(&format!("1:before:{fault}"));
        make(&ec2, fault).await.unwrap();
        assert_eq!(cloud.running.faults().report().attempts, 2, "{fault}");
    }
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn each_service_fails_and_throttles_with_its_own_code() {
    let cloud = Cloud::start(None).await;
    let config = cloud.config(1, Some(PATIENCE));
    let (ec2, s3) = (
        aws_sdk_ec2::Client::new(&config),
        aws_sdk_s3::Client::new(&config),
    );
    let (iam, rds) = (
        aws_sdk_iam::Client::new(&config),
        aws_sdk_rds::Client::new(&config),
    );
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&config);
    let expected = [
        ("500", ["InternalError", "InternalError", "InternalFailure"]),
        (
            "throttle",
            ["RequestLimitExceeded", "SlowDown", "Throttling"],
        ),
    ];
    for (fault, [of_ec2, of_s3, of_others]) in expected {
        cloud.follow(
            &[1, 2, 3, 4, 5]
                .map(|n| format!("{n}:before:{fault}"))
                .join(","),
        );
        let answer = ec2.describe_vpcs().send().await.unwrap_err();
        assert_eq!(answer.code(), Some(of_ec2));
        let answer = s3.list_buckets().send().await.unwrap_err();
        assert_eq!(answer.code(), Some(of_s3));
        let answer = iam.list_roles().send().await.unwrap_err();
        assert_eq!(answer.code(), Some(of_others));
        let answer = rds.describe_db_instances().send().await.unwrap_err();
        assert_eq!(answer.code(), Some(of_others));
        let answer = cloudwatch.list_metrics().send().await.unwrap_err();
        assert_eq!(answer.code(), Some(of_others));
    }
    drop((ec2, s3, iam, rds, cloudwatch));
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn a_stop_is_told_and_keeps_the_caller_waiting_until_the_plan_is_over() {
    let cloud = Cloud::start(Some("1:after:stop")).await;
    let ec2 = cloud.ec2(1, None);
    let call = tokio::spawn(async move { make(&ec2, "last").await });
    cloud.running.faults().stop().await;
    assert_eq!(cloud.groups(), 1);
    assert!(!call.is_finished());
    cloud.running.faults().follow(None);
    let ended = tokio::time::timeout(PATIENCE, call).await;
    ended
        .expect("the connection is closed")
        .unwrap()
        .unwrap_err();
    cloud.running.nobody_connected().await;
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn an_object_is_written_whole_or_not_at_all() {
    let cloud = Cloud::start(None).await;
    let s3 = aws_sdk_s3::Client::new(&cloud.config(1, Some(PATIENCE)));
    s3.create_bucket().bucket("photos").send().await.unwrap();
    for (moment, kept) in [("before", false), ("after", true)] {
        cloud.follow(&format!("1:{moment}:drop"));
        let put = s3.put_object().bucket("photos").key(moment);
        let body = vec![7; 100_000].into();
        put.body(body).send().await.unwrap_err();
        let found = s3.get_object().bucket("photos").key(moment).send().await;
        match found {
            Ok(object) if kept => {
                let bytes = object.body.collect().await.unwrap().to_vec();
                assert_eq!(bytes, [7; 100_000]);
            }
            Err(error) if !kept => assert_eq!(error.code(), Some("NoSuchKey")),
            other => panic!("{moment}: {other:?}"),
        }
    }
    drop(s3);
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn only_calls_of_the_accounts_own_key_are_counted() {
    let cloud = Cloud::start(Some("seed:1:0")).await;
    let s3 = aws_sdk_s3::Client::new(&cloud.config(1, Some(PATIENCE)));
    s3.create_bucket().bucket("photos").send().await.unwrap();
    cloud.own("GET", "health").await;
    // A presigned URL, as a builder has one; and nobody's.
    let hour = aws_sdk_s3::presigning::PresigningConfig::expires_in(Duration::from_secs(3600));
    let url = s3.put_object().bucket("photos").key("a");
    let url = url.presigned(hour.unwrap()).await.unwrap();
    let (host, path) = url
        .uri()
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap();
    for path in [path, "photos/b"] {
        let mut stream = TcpStream::connect(host).await.unwrap();
        let request = format!(
            "PUT /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    }
    s3.head_object()
        .bucket("photos")
        .key("a")
        .send()
        .await
        .unwrap();
    assert_eq!(cloud.running.faults().report().attempts, 2);
    drop(s3);
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn a_running_one_takes_another_plan_over_the_wire_and_tells_what_happened() {
    let cloud = Cloud::start(None).await;
    let refused = cloud.own("POST", "faults?1:later:drop").await;
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
    assert!(refused.contains("1:later:drop"), "{refused}");
    let taken = cloud.own("POST", "faults?2:before:drop").await;
    assert!(
        taken.ends_with(r#"{"attempts":0,"happened":[]}"#),
        "{taken}"
    );
    let ec2 = cloud.ec2(1, Some(PATIENCE));
    ec2.describe_vpcs().send().await.unwrap();
    ec2.describe_vpcs().send().await.unwrap_err();
    let told = cloud.own("GET", "faults").await;
    let happened = r#"{"attempts":2,"happened":[{"attempt":2,"call":"ec2 DescribeVpcs","fault":"drop","moment":"before"}]}"#;
    assert!(told.ends_with(happened), "{told}");
    cloud.own("POST", "faults").await;
    ec2.describe_vpcs().send().await.unwrap();
    assert_eq!(cloud.running.faults().report().attempts, 0);
    drop(ec2);
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn with_one_seed_the_same_calls_go_wrong() {
    let cloud = Cloud::start(None).await;
    let ec2 = cloud.ec2(1, Some(PATIENCE));
    let mut runs = Vec::new();
    for _ in 0..2 {
        cloud.follow("seed:7:200");
        let mut answers = Vec::new();
        for _ in 0..20 {
            answers.push(ec2.describe_vpcs().send().await.is_ok());
        }
        let happened = cloud.running.faults().report().happened;
        assert!(happened.iter().any(|h| h.fault == Fault::Drop));
        runs.push((answers, happened));
    }
    assert_eq!(runs[0], runs[1]);
    drop(ec2);
    cloud.running.shutdown().await;
}
