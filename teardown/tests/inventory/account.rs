//! An account of its own for each test, on paper machines, and what the tests make in it.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use deployer_aws::progress::Progress;
use deployer_aws::read::Remembered;
use deployer_aws::{Account, AwsError, Pace, Target, TargetKind};
use deployer_core::destroy::Removal;
use deployer_core::inventory::Keep;
use deployer_core::names::{Scope, TAG_DEPLOYMENT};
use localcloud::auth::{Caller, Principal};
use localcloud::{Options, Running};
use teardown::{Ended, Observer, Teardown};
use tempfile::TempDir;
use tokio::sync::watch;

pub(crate) const REGION: &str = "us-east-1";

pub(crate) struct Place {
    pub(crate) account: Account,
    pub(crate) cloud: Running,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) rds: aws_sdk_rds::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) async fn new() -> Place {
        let folder = tempfile::Builder::new()
            .prefix("bivouac-inventory-")
            .tempdir_in("/var/tmp")
            .unwrap();
        let open = std::fs::Permissions::from_mode(0o711);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let options = Options::paper(folder.path().join("cloud"));
        let cloud = localcloud::start(options).await.unwrap();
        let key = cloud.credentials();
        let credentials = Credentials::new(
            &key.access_key_id,
            &key.secret_access_key,
            None,
            None,
            "test",
        );
        let target = Target {
            kind: TargetKind::Local,
            endpoint: Some(cloud.endpoint()),
            credentials: Some(credentials.clone()),
            database_ca: String::new(),
            address_lookup: String::new(),
            pace: Pace {
                poll: Duration::from_millis(2),
                between_scans: Duration::from_millis(1),
                ..Pace::LAPTOP
            },
        };
        let account = Account::connect(target, REGION).await.unwrap();
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(cloud.endpoint())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .build();
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
        Place {
            account,
            ec2: aws_sdk_ec2::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            rds: aws_sdk_rds::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            cloud,
            folder,
        }
    }

    /// Makes a group of CloudWatch's logs, in the account's own name.
    pub(crate) fn make_log_group(&self, name: &str) {
        let cloud = self.cloud.cloud();
        let (account, region) = (cloud.context.account(), REGION.to_owned());
        let owner = Caller::new(account, Principal::Root, region, "logs".to_owned());
        let body = serde_json::json!({ "logGroupName": name })
            .to_string()
            .into();
        cloud.logs.call(&owner, "CreateLogGroup", &body).unwrap();
    }

    /// The deployment that is taken away.
    pub(crate) fn ours(&self) -> Scope {
        self.account.scope("camp".parse().unwrap())
    }

    /// One that is not, whose name begins likewise.
    pub(crate) fn others(&self) -> Scope {
        self.account.scope("camp-two".parse().unwrap())
    }

    pub(crate) async fn take_away(&self) -> Ended {
        self.take_away_but(Keep::default(), None).await
    }

    pub(crate) async fn take_away_but(&self, keep: Keep, last_snapshot: Option<&str>) -> Ended {
        let (_told, stop) = watch::channel(false);
        let teardown = Teardown {
            account: &self.account,
            scope: &self.ours(),
            remembered: &Remembered::new(),
            keep,
            last_snapshot,
            last_made: None,
            quiet: Duration::ZERO,
        };
        teardown.run(stop, &Silent).await
    }

    /// What there is in the whole account, by other means than the deployer's.
    pub(crate) fn remaining(&self) -> Vec<String> {
        let mut lines = self.cloud.cloud().remaining();
        lines.sort();
        lines
    }
}

/// The tags of a deployment's thing.
pub(crate) fn tagged(scope: &Scope, kind: ResourceType) -> TagSpecification {
    let tag = Tag::builder()
        .key(TAG_DEPLOYMENT)
        .value(scope.deployment.as_str());
    TagSpecification::builder()
        .resource_type(kind)
        .tags(tag.build())
        .build()
}

pub(crate) struct Silent;

impl Observer for Silent {
    fn planned(&self, _: &[Removal]) {}
    fn started(&self, _: usize) {}
    fn progress(&self, _: usize) -> Progress {
        Progress::silent()
    }
    fn ended(&self, _: usize, _: &Result<(), AwsError>) {}
    fn scanning(&self, _: u32, _: Duration) {}
}
