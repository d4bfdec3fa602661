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
use std::time::Duration;

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
    for _ in 0..500 {
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
