//! A localcloud of its own for each test, and clients of it.

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::BehaviorVersion;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use aws_sdk_s3::types::Tag;
use aws_smithy_http_client::tls;
use localcloud::Options;
use localcloud::Running;
use localcloud::auth::Caller;
use localcloud::auth::Principal;
use localcloud::wire::Params;
use std::time::Duration;

use crate::lonely::lonely_network;

pub(crate) struct Cloud {
    pub(crate) running: Running,
    pub(crate) home: tempfile::TempDir,
}

pub(crate) fn options(home: &std::path::Path) -> Options {
    Options {
        init_program: Some(env!("CARGO_BIN_EXE_localcloud").into()),
        ..Options::new(home)
    }
}

/// For a test that stops and starts again: on a network far from those that others take meanwhile.
pub(crate) async fn lonely_cloud() -> Cloud {
    let home = tempfile::tempdir().unwrap();
    let options = Options {
        first_network: lonely_network(),
        ..options(home.path())
    };
    let running = localcloud::start(options).await.unwrap();
    Cloud { running, home }
}

pub(crate) async fn cloud() -> Cloud {
    let home = tempfile::tempdir().unwrap();
    let running = localcloud::start(options(home.path())).await.unwrap();
    Cloud { running, home }
}

pub(crate) fn client_with(running: &Running, credentials: Credentials, region: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(running.endpoint())
        .region(Region::new(region.to_owned()))
        .credentials_provider(credentials)
        .force_path_style(true)
        .http_client(http)
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

pub(crate) fn root(running: &Running) -> Credentials {
    let root = running.credentials();
    Credentials::new(
        &root.access_key_id,
        &root.secret_access_key,
        None,
        None,
        "test",
    )
}

pub(crate) fn client(running: &Running) -> Client {
    client_with(running, root(running), "us-east-1")
}

pub(crate) fn code<E: ProvideErrorMetadata, T: std::fmt::Debug>(
    answer: Result<T, SdkError<E>>,
) -> String
where
    SdkError<E>: std::fmt::Debug,
{
    let error = answer.expect_err("an error");
    match error.code() {
        Some(code) => code.to_owned(),
        None => format!("{error:?}"),
    }
}

pub(crate) async fn read(client: &Client, bucket: &str, key: &str) -> Vec<u8> {
    let got = client
        .get_object()
        .bucket(bucket)
        .key(key)
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    got.body.collect().await.unwrap().to_vec()
}

pub(crate) async fn put(client: &Client, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) {
    let body = ByteStream::from(bytes.into());
    client
        .put_object()
        .bucket(bucket)
        .key(key)
        .body(body)
        .send()
        .await
        .unwrap();
}

pub(crate) fn data_files(cloud: &Cloud, bucket: &str) -> usize {
    let folder = cloud.home.path().join("buckets").join(bucket).join("files");
    std::fs::read_dir(folder).unwrap().count()
}

pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..3000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}

pub(crate) fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

pub(crate) fn lasting(seconds: u64) -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(seconds)).unwrap()
}

/// A role with one statement.
pub(crate) fn role(running: &Running, statement: &str) -> Principal {
    let cloud = running.cloud();
    let account = cloud.context.account();
    let caller = Caller::new(account, Principal::Root, "us-east-1".into(), "iam".into());
    let call = |form: &[(&str, &str)]| {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let params = Params::parse(form.as_bytes()).unwrap();
        cloud.iam.call(&caller, &params).unwrap()
    };
    let trust = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}"#;
    let made = call(&[
        ("Action", "CreateRole"),
        ("RoleName", "r"),
        ("AssumeRolePolicyDocument", trust),
    ]);
    call(&[
        ("Action", "PutRolePolicy"),
        ("RoleName", "r"),
        ("PolicyName", "p"),
        (
            "PolicyDocument",
            &format!(r#"{{"Statement":[{statement}]}}"#),
        ),
    ]);
    let (_, id) = made.split_once("<RoleId>").unwrap();
    let (id, _) = id.split_once('<').unwrap();
    Principal::Role {
        name: "r".to_owned(),
        id: id.to_owned(),
        session: "i-1".to_owned(),
    }
}

/// A client with the credentials of a session of a role.
pub(crate) fn client_of(running: &Running, role: Principal) -> Client {
    let store = &running.cloud().context.credentials;
    let session = store.issue(role, jiff::SignedDuration::from_hours(1));
    let credentials = Credentials::new(
        session.access_key_id,
        session.secret_access_key,
        session.session_token,
        None,
        "test",
    );
    client_with(running, credentials, "us-east-1")
}
