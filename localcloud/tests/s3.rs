//! S3 as the AWS SDK sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region, RequestChecksumCalculation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint,
    ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart,
    CreateBucketConfiguration, Delete, ExpirationStatus, LifecycleRule, LifecycleRuleFilter,
    ObjectIdentifier, PublicAccessBlockConfiguration, Tag, Tagging,
};
use aws_smithy_http_client::tls;
use localcloud::{Options, Running};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Cloud {
    running: Running,
    home: tempfile::TempDir,
}

fn options(home: &std::path::Path) -> Options {
    Options {
        init_program: Some(env!("CARGO_BIN_EXE_localcloud").into()),
        ..Options::new(home)
    }
}

async fn cloud() -> Cloud {
    let home = tempfile::tempdir().unwrap();
    let running = localcloud::start(options(home.path())).await.unwrap();
    Cloud { running, home }
}

fn client_with(running: &Running, credentials: Credentials, region: &str) -> Client {
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

fn root(running: &Running) -> Credentials {
    let root = running.credentials();
    Credentials::new(
        &root.access_key_id,
        &root.secret_access_key,
        None,
        None,
        "test",
    )
}

fn client(running: &Running) -> Client {
    client_with(running, root(running), "us-east-1")
}

fn code<E: ProvideErrorMetadata, T: std::fmt::Debug>(answer: Result<T, SdkError<E>>) -> String
where
    SdkError<E>: std::fmt::Debug,
{
    let error = answer.expect_err("an error");
    match error.code() {
        Some(code) => code.to_owned(),
        None => format!("{error:?}"),
    }
}

async fn read(client: &Client, bucket: &str, key: &str) -> Vec<u8> {
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

async fn put(client: &Client, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) {
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

fn data_files(cloud: &Cloud, bucket: &str) -> usize {
    let folder = cloud.home.path().join("buckets").join(bucket).join("files");
    std::fs::read_dir(folder).unwrap().count()
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

#[tokio::test]
async fn an_object_comes_back_as_it_went_in() {
    let cloud = cloud().await;
    let s3 = client(&cloud.running);
    s3.create_bucket().bucket("photos").send().await.unwrap();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    let put = s3
        .put_object()
        .bucket("photos")
        .key("photos/é 1.jpg")
        .content_type("image/jpeg")
        .cache_control("no-cache")
        .metadata("origin", "camera")
        .tagging("a=1&b=two%20words")
        .body(ByteStream::from(bytes.clone()))
        .send()
        .await
        .unwrap();
    let etag = put.e_tag().unwrap().to_owned();
    assert_eq!(etag.len(), 34);

    let got = s3
        .get_object()
        .bucket("photos")
        .key("photos/é 1.jpg")
        .send()
        .await
        .unwrap();
    assert_eq!(got.content_type(), Some("image/jpeg"));
    assert_eq!(got.cache_control(), Some("no-cache"));
    assert_eq!(got.metadata().unwrap()["origin"], "camera");
    assert_eq!(got.e_tag(), Some(etag.as_str()));
    assert_eq!(got.tag_count(), Some(2));
    assert_eq!(got.content_length(), Some(3_000_000));
    assert_eq!(got.body.collect().await.unwrap().to_vec(), bytes);

    let head = s3
        .head_object()
        .bucket("photos")
        .key("photos/é 1.jpg")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (head.content_length(), head.e_tag()),
        (Some(3_000_000), Some(etag.as_str()))
    );
    let part = s3
        .get_object()
        .bucket("photos")
        .key("photos/é 1.jpg")
        .range("bytes=10-19")
        .send()
        .await
        .unwrap();
    assert_eq!(part.content_range(), Some("bytes 10-19/3000000"));
    assert_eq!(part.body.collect().await.unwrap().to_vec(), bytes[10..20]);
    let tail = s3
        .get_object()
        .bucket("photos")
        .key("photos/é 1.jpg")
        .range("bytes=-5")
        .send()
        .await
        .unwrap();
    assert_eq!(
        tail.body.collect().await.unwrap().to_vec(),
        bytes[bytes.len() - 5..]
    );
    let beyond = s3
        .get_object()
        .bucket("photos")
        .key("photos/é 1.jpg")
        .range("bytes=3000000-")
        .send()
        .await;
    assert_eq!(code(beyond), "InvalidRange");

    s3.delete_object()
        .bucket("photos")
        .key("photos/é 1.jpg")
        .send()
        .await
        .unwrap();
    assert_eq!(
        code(
            s3.get_object()
                .bucket("photos")
                .key("photos/é 1.jpg")
                .send()
                .await
        ),
        "NoSuchKey"
    );
    assert_eq!(
        code(
            s3.head_object()
                .bucket("photos")
                .key("photos/é 1.jpg")
                .send()
                .await
        ),
        "NotFound"
    );
    s3.delete_object()
        .bucket("photos")
        .key("photos/é 1.jpg")
        .send()
        .await
        .unwrap();
    assert_eq!(data_files(&cloud, "photos"), 0);
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn an_empty_object_and_streamed_bodies_are_objects_too() {
    let cloud = cloud().await;
    let s3 = client(&cloud.running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    put(&s3, "bucket", "empty", "").await;
    assert_eq!(read(&s3, "bucket", "empty").await, b"");
    let file = cloud.home.path().join("upload");
    std::fs::write(&file, vec![7; 700_000]).unwrap();
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        let body = ByteStream::from_path(&file).await.unwrap();
        let key = algorithm.as_str();
        s3.put_object()
            .bucket("bucket")
            .key(key)
            .checksum_algorithm(algorithm.clone())
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(read(&s3, "bucket", key).await, vec![7; 700_000]);
        let head = s3
            .head_object()
            .bucket("bucket")
            .key(key)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .unwrap();
        let sums = [
            head.checksum_crc32(),
            head.checksum_crc32_c(),
            head.checksum_crc64_nvme(),
            head.checksum_sha1(),
            head.checksum_sha256(),
        ];
        assert_eq!(sums.iter().flatten().count(), 1, "{key}: {sums:?}");
        assert_eq!(head.content_encoding(), None);
    }
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn a_wrong_checksum_is_refused_and_leaves_nothing() {
    let cloud = cloud().await;
    let s3 = client(&cloud.running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let wrong = s3
        .put_object()
        .bucket("bucket")
        .key("k")
        .checksum_sha256("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
        .body(ByteStream::from_static(b"hello"))
        .send()
        .await;
    assert_eq!(code(wrong), "BadDigest");
    let wrong = s3
        .put_object()
        .bucket("bucket")
        .key("k")
        .content_md5("AAAAAAAAAAAAAAAAAAAAAA==")
        .body(ByteStream::from_static(b"hello"))
        .send()
        .await;
    assert_eq!(code(wrong), "BadDigest");
    assert_eq!(
        code(s3.get_object().bucket("bucket").key("k").send().await),
        "NoSuchKey"
    );
    assert_eq!(data_files(&cloud, "bucket"), 0);
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn hostile_keys_stay_in_their_bucket() {
    let cloud = cloud().await;
    let s3 = client(&cloud.running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let long = "k".repeat(1024);
    let accented = "é".repeat(512);
    let keys = [
        "../x",
        "a/../../b",
        "..",
        ".",
        "/",
        "//",
        "/etc/passwd",
        "%2e",
        "%2e%2e%2f",
        "a\0b",
        "a\nb",
        "a b+c",
        "\u{1f600}",
        "a\\b",
        "con",
        "index.log",
        "../bucket.json",
        "<&>\"'",
        "?x=1",
        "#",
        &long,
        &accented,
    ];
    for (n, key) in keys.iter().enumerate() {
        put(&s3, "bucket", key, format!("value {n}")).await;
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(
            read(&s3, "bucket", key).await,
            format!("value {n}").into_bytes(),
            "{key:?}"
        );
    }
    let listed = s3
        .list_objects_v2()
        .bucket("bucket")
        .encoding_type(aws_sdk_s3::types::EncodingType::Url)
        .send()
        .await
        .unwrap();
    let mut found: Vec<String> = listed
        .contents()
        .iter()
        .map(|object| {
            percent_encoding::percent_decode_str(object.key().unwrap())
                .decode_utf8()
                .unwrap()
                .into_owned()
        })
        .collect();
    let mut expected: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let names: Vec<_> = std::fs::read_dir(cloud.home.path().join("buckets"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["bucket"]);
    let files = cloud.home.path().join("buckets/bucket/files");
    for entry in std::fs::read_dir(files).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name.len() == 32 && name.chars().all(|c| c.is_ascii_hexdigit()),
            "{name}"
        );
    }
    let too_long = s3
        .put_object()
        .bucket("bucket")
        .key("k".repeat(1025))
        .body(ByteStream::from_static(b""))
        .send()
        .await;
    assert_eq!(code(too_long), "KeyTooLongError");
    for key in keys {
        s3.delete_object()
            .bucket("bucket")
            .key(key)
            .send()
            .await
            .unwrap();
    }
    s3.delete_bucket().bucket("bucket").send().await.unwrap();
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn buckets_follow_awss_rules() {
    let cloud = cloud().await;
    let here = client(&cloud.running);
    let there = client_with(&cloud.running, root(&cloud.running), "eu-west-1");
    let in_region = |region: &str| {
        CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(region))
            .build()
    };

    here.create_bucket().bucket("one").send().await.unwrap();
    here.create_bucket().bucket("one").send().await.unwrap();
    let unspecified = there.create_bucket().bucket("two").send().await;
    assert_eq!(code(unspecified), "IllegalLocationConstraintException");
    let own = here
        .create_bucket()
        .bucket("two")
        .create_bucket_configuration(in_region("us-east-1"))
        .send()
        .await;
    assert_eq!(code(own), "InvalidLocationConstraint");
    let tagged = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::EuWest1)
        .tags(tag("bivouac:deployment", "x"))
        .tags(tag("b", "2 & 3"))
        .build();
    there
        .create_bucket()
        .bucket("two")
        .create_bucket_configuration(tagged)
        .send()
        .await
        .unwrap();
    let again = there
        .create_bucket()
        .bucket("two")
        .create_bucket_configuration(in_region("eu-west-1"))
        .send()
        .await;
    assert_eq!(code(again), "BucketAlreadyOwnedByYou");
    for name in ["Upper", "a", "a..b", "192.168.1.1"] {
        assert_eq!(
            code(here.create_bucket().bucket(name).send().await),
            "InvalidBucketName",
            "{name}"
        );
    }

    let tags = there
        .get_bucket_tagging()
        .bucket("two")
        .send()
        .await
        .unwrap();
    assert_eq!(
        tags.tag_set(),
        [tag("b", "2 & 3"), tag("bivouac:deployment", "x")]
    );
    assert_eq!(
        code(here.get_bucket_tagging().bucket("one").send().await),
        "NoSuchTagSet"
    );
    let tagging = Tagging::builder().tag_set(tag("k", "v")).build().unwrap();
    here.put_bucket_tagging()
        .bucket("one")
        .tagging(tagging)
        .send()
        .await
        .unwrap();
    assert_eq!(
        here.get_bucket_tagging()
            .bucket("one")
            .send()
            .await
            .unwrap()
            .tag_set(),
        [tag("k", "v")]
    );
    here.delete_bucket_tagging()
        .bucket("one")
        .send()
        .await
        .unwrap();
    assert_eq!(
        code(here.get_bucket_tagging().bucket("one").send().await),
        "NoSuchTagSet"
    );

    let location = here
        .get_bucket_location()
        .bucket("two")
        .send()
        .await
        .unwrap();
    assert_eq!(
        location.location_constraint(),
        Some(&BucketLocationConstraint::EuWest1)
    );
    assert_eq!(
        there
            .head_bucket()
            .bucket("two")
            .send()
            .await
            .unwrap()
            .bucket_region(),
        Some("eu-west-1")
    );
    let elsewhere = here.head_bucket().bucket("two").send().await.unwrap_err();
    assert_eq!(elsewhere.raw_response().unwrap().status().as_u16(), 301);
    assert_eq!(
        elsewhere
            .raw_response()
            .unwrap()
            .headers()
            .get("x-amz-bucket-region"),
        Some("eu-west-1")
    );
    assert_eq!(
        code(here.head_bucket().bucket("none").send().await),
        "NotFound"
    );
    assert_eq!(
        code(here.list_objects_v2().bucket("none").send().await),
        "NoSuchBucket"
    );
    assert_eq!(
        code(here.list_objects_v2().bucket("two").send().await),
        "AuthorizationHeaderMalformed"
    );

    let all = here.list_buckets().send().await.unwrap();
    let names: Vec<_> = all
        .buckets()
        .iter()
        .map(|bucket| bucket.name().unwrap())
        .collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(all.buckets()[1].bucket_region(), Some("eu-west-1"));
    let first = here.list_buckets().max_buckets(1).send().await.unwrap();
    assert_eq!(
        (first.buckets().len(), first.continuation_token()),
        (1, Some("one"))
    );
    let rest = here
        .list_buckets()
        .max_buckets(1)
        .continuation_token("one")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (rest.buckets()[0].name(), rest.continuation_token()),
        (Some("two"), None)
    );
    assert_eq!(
        here.list_buckets()
            .prefix("tw")
            .send()
            .await
            .unwrap()
            .buckets()
            .len(),
        1
    );

    put(&here, "one", "k", "v").await;
    assert_eq!(
        code(here.delete_bucket().bucket("one").send().await),
        "BucketNotEmpty"
    );
    here.delete_object()
        .bucket("one")
        .key("k")
        .send()
        .await
        .unwrap();
    let upload = here
        .create_multipart_upload()
        .bucket("one")
        .key("m")
        .send()
        .await
        .unwrap();
    assert_eq!(
        code(here.delete_bucket().bucket("one").send().await),
        "BucketNotEmpty"
    );
    let id = upload.upload_id().unwrap();
    here.abort_multipart_upload()
        .bucket("one")
        .key("m")
        .upload_id(id)
        .send()
        .await
        .unwrap();
    here.delete_bucket().bucket("one").send().await.unwrap();
    assert_eq!(
        code(here.delete_bucket().bucket("one").send().await),
        "NoSuchBucket"
    );
    assert!(!cloud.home.path().join("buckets/one").exists());
    there.delete_bucket().bucket("two").send().await.unwrap();
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn a_buckets_settings_are_kept() {
    let cloud = cloud().await;
    let s3 = client(&cloud.running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let block = s3
        .get_public_access_block()
        .bucket("bucket")
        .send()
        .await
        .unwrap();
    assert_eq!(
        block
            .public_access_block_configuration()
            .unwrap()
            .block_public_policy(),
        Some(true)
    );
    let open = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .build();
    s3.put_public_access_block()
        .bucket("bucket")
        .public_access_block_configuration(open)
        .send()
        .await
        .unwrap();
    let block = s3
        .get_public_access_block()
        .bucket("bucket")
        .send()
        .await
        .unwrap();
    let block = block.public_access_block_configuration().unwrap();
    assert_eq!(
        (block.block_public_acls(), block.block_public_policy()),
        (Some(true), Some(false))
    );
    s3.delete_public_access_block()
        .bucket("bucket")
        .send()
        .await
        .unwrap();
    let gone = s3.get_public_access_block().bucket("bucket").send().await;
    assert_eq!(code(gone), "NoSuchPublicAccessBlockConfiguration");

    let none = s3
        .get_bucket_lifecycle_configuration()
        .bucket("bucket")
        .send()
        .await;
    assert_eq!(code(none), "NoSuchLifecycleConfiguration");
    let rule = LifecycleRule::builder()
        .id("uploads")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .abort_incomplete_multipart_upload(
            AbortIncompleteMultipartUpload::builder()
                .days_after_initiation(1)
                .build(),
        )
        .build()
        .unwrap();
    let rules = BucketLifecycleConfiguration::builder()
        .rules(rule)
        .build()
        .unwrap();
    s3.put_bucket_lifecycle_configuration()
        .bucket("bucket")
        .lifecycle_configuration(rules)
        .send()
        .await
        .unwrap();

    cloud.running.shutdown().await;
    let running = localcloud::start(options(cloud.home.path())).await.unwrap();
    let s3 = client(&running);
    let kept = s3
        .get_bucket_lifecycle_configuration()
        .bucket("bucket")
        .send()
        .await
        .unwrap();
    let abort = kept.rules()[0].abort_incomplete_multipart_upload().unwrap();
    assert_eq!(abort.days_after_initiation(), Some(1));
    running.shutdown().await;
}

#[tokio::test]
async fn listings_fold_and_page() {
    let cloud = cloud().await;
    let s3 = client(&cloud.running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    for key in ["a", "b/1", "b/2", "b/c/3", "d/", "e"] {
        put(&s3, "bucket", key, key).await;
    }
    let top = s3
        .list_objects_v2()
        .bucket("bucket")
        .delimiter("/")
        .send()
        .await
        .unwrap();
    let keys: Vec<_> = top
        .contents()
        .iter()
        .map(|object| object.key().unwrap())
        .collect();
    let prefixes: Vec<_> = top
        .common_prefixes()
        .iter()
        .map(|prefix| prefix.prefix().unwrap())
        .collect();
    assert_eq!(
        (keys.as_slice(), prefixes.as_slice()),
        (&["a", "e"][..], &["b/", "d/"][..])
    );
    assert_eq!(
        (top.key_count(), top.is_truncated()),
        (Some(4), Some(false))
    );

    let mut all = Vec::new();
    let mut pages = s3
        .list_objects_v2()
        .bucket("bucket")
        .max_keys(2)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        all.extend(
            page.unwrap()
                .contents()
                .iter()
                .map(|object| object.key().unwrap().to_owned()),
        );
    }
    assert_eq!(all, ["a", "b/1", "b/2", "b/c/3", "d/", "e"]);
    let after = s3
        .list_objects_v2()
        .bucket("bucket")
        .start_after("b/2")
        .prefix("b/")
        .send()
        .await
        .unwrap();
    assert_eq!(after.contents()[0].key(), Some("b/c/3"));
    let old = s3
        .list_objects()
        .bucket("bucket")
        .delimiter("/")
        .max_keys(2)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (old.is_truncated(), old.next_marker()),
        (Some(true), Some("b/"))
    );
    let old = s3
        .list_objects()
        .bucket("bucket")
        .delimiter("/")
        .marker("b/")
        .send()
        .await
        .unwrap();
    assert_eq!(old.common_prefixes()[0].prefix(), Some("d/"));
    let versions = s3
        .list_object_versions()
        .bucket("bucket")
        .prefix("b/")
        .send()
        .await
        .unwrap();
    assert_eq!(versions.versions().len(), 3);
    assert_eq!(versions.versions()[0].version_id(), Some("null"));
    let bad = s3
        .list_objects_v2()
        .bucket("bucket")
        .continuation_token("!!")
        .send()
        .await;
    assert_eq!(code(bad), "InvalidArgument");

    let objects = all.iter().map(|key| {
        ObjectIdentifier::builder()
            .key(key)
            .version_id("null")
            .build()
            .unwrap()
    });
    let delete = Delete::builder()
        .set_objects(Some(objects.collect()))
        .build()
        .unwrap();
    let gone = s3
        .delete_objects()
        .bucket("bucket")
        .delete(delete)
        .send()
        .await
        .unwrap();
    assert_eq!((gone.deleted().len(), gone.errors().len()), (6, 0));
    assert_eq!(
        s3.list_objects_v2()
            .bucket("bucket")
            .send()
            .await
            .unwrap()
            .key_count(),
        Some(0)
    );
    s3.delete_bucket().bucket("bucket").send().await.unwrap();
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn conditions_hold() {
    let cloud = cloud().await;
    let s3 = client(&cloud.running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let new = || {
        s3.put_object()
            .bucket("bucket")
            .key("k")
            .body(ByteStream::from_static(b"1"))
    };
    let first = new().if_none_match("*").send().await.unwrap();
    let etag = first.e_tag().unwrap();
    assert_eq!(
        code(new().if_none_match("*").send().await),
        "PreconditionFailed"
    );
    assert_eq!(
        code(new().if_match("\"other\"").send().await),
        "PreconditionFailed"
    );
    new().if_match(etag).send().await.unwrap();
    let get = || s3.get_object().bucket("bucket").key("k");
    assert_eq!(
        code(get().if_match("\"other\"").send().await),
        "PreconditionFailed"
    );
    let same = get().if_none_match(etag).send().await.unwrap_err();
    assert_eq!(same.raw_response().unwrap().status().as_u16(), 304);
    assert_eq!(
        same.raw_response().unwrap().headers().get("etag"),
        Some(etag)
    );
    // Of many that want to be first, one is.
    let racing = (0..16).map(|n| {
        let request = s3
            .put_object()
            .bucket("bucket")
            .key("race")
            .if_none_match("*");
        request.body(ByteStream::from(vec![n; 10])).send()
    });
    let won = futures::future::join_all(racing)
        .await
        .into_iter()
        .filter(Result::is_ok)
        .count();
    assert_eq!(won, 1);
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn objects_are_copied_and_tagged() {
    let cloud = cloud().await;
    let s3 = client(&cloud.running);
    for bucket in ["from", "into"] {
        s3.create_bucket().bucket(bucket).send().await.unwrap();
    }
    let body = ByteStream::from_static(b"bytes");
    s3.put_object()
        .bucket("from")
        .key("a b")
        .content_type("text/x")
        .tagging("t=1")
        .body(body)
        .send()
        .await
        .unwrap();
    let copied = s3
        .copy_object()
        .bucket("into")
        .key("c")
        .copy_source("from/a%20b")
        .send()
        .await
        .unwrap();
    assert!(copied.copy_object_result().unwrap().e_tag().is_some());
    s3.delete_object()
        .bucket("from")
        .key("a b")
        .send()
        .await
        .unwrap();
    assert_eq!(read(&s3, "into", "c").await, b"bytes");
    let head = s3
        .head_object()
        .bucket("into")
        .key("c")
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_type(), Some("text/x"));
    let tags = s3
        .get_object_tagging()
        .bucket("into")
        .key("c")
        .send()
        .await
        .unwrap();
    assert_eq!(tags.tag_set(), [tag("t", "1")]);
    let itself = s3
        .copy_object()
        .bucket("into")
        .key("c")
        .copy_source("into/c")
        .send()
        .await;
    assert_eq!(code(itself), "InvalidRequest");
    let missing = s3
        .copy_object()
        .bucket("into")
        .key("c")
        .copy_source("from/none")
        .send()
        .await;
    assert_eq!(code(missing), "NoSuchKey");

    let tagging = Tagging::builder().tag_set(tag("u", "2")).build().unwrap();
    s3.put_object_tagging()
        .bucket("into")
        .key("c")
        .tagging(tagging)
        .send()
        .await
        .unwrap();
    let tags = s3
        .get_object_tagging()
        .bucket("into")
        .key("c")
        .send()
        .await
        .unwrap();
    assert_eq!(tags.tag_set(), [tag("u", "2")]);
    assert_eq!(read(&s3, "into", "c").await, b"bytes");
    s3.delete_object_tagging()
        .bucket("into")
        .key("c")
        .send()
        .await
        .unwrap();
    assert!(
        s3.get_object_tagging()
            .bucket("into")
            .key("c")
            .send()
            .await
            .unwrap()
            .tag_set()
            .is_empty()
    );
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn an_upload_in_parts_becomes_one_object() {
    let cloud = cloud().await;
    let s3 = client(&cloud.running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let begun = s3
        .create_multipart_upload()
        .bucket("bucket")
        .key("big")
        .content_type("x/y")
        .send()
        .await
        .unwrap();
    let id = begun.upload_id().unwrap();
    let mut parts = Vec::new();
    let sizes = [5 << 20, 6 << 20, 100];
    for (number, size) in (1..).zip(sizes) {
        let body = ByteStream::from(vec![u8::try_from(number).unwrap(); size]);
        let request = s3
            .upload_part()
            .bucket("bucket")
            .key("big")
            .upload_id(id)
            .part_number(number)
            .body(body);
        let part = request.send().await.unwrap();
        let mut done = CompletedPart::builder()
            .part_number(number)
            .e_tag(part.e_tag().unwrap());
        done = done.set_checksum_crc32(part.checksum_crc32().map(str::to_owned));
        parts.push(done.build());
    }
    let listed = s3
        .list_parts()
        .bucket("bucket")
        .key("big")
        .upload_id(id)
        .max_parts(2)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (listed.parts().len(), listed.is_truncated()),
        (2, Some(true))
    );
    let uploads = s3
        .list_multipart_uploads()
        .bucket("bucket")
        .send()
        .await
        .unwrap();
    assert_eq!(uploads.uploads()[0].upload_id(), Some(id));

    let complete = |parts: Vec<CompletedPart>| {
        let upload = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        s3.complete_multipart_upload()
            .bucket("bucket")
            .key("big")
            .upload_id(id)
            .multipart_upload(upload)
            .send()
    };
    let reversed = parts.iter().rev().cloned().collect();
    assert_eq!(code(complete(reversed).await), "InvalidPartOrder");
    let missing = CompletedPart::builder()
        .part_number(9)
        .e_tag("\"x\"")
        .build();
    assert_eq!(code(complete(vec![missing]).await), "InvalidPart");
    let small = vec![
        parts[2].clone(),
        CompletedPart::builder()
            .part_number(9)
            .e_tag("\"x\"")
            .build(),
    ];
    assert_eq!(code(complete(small).await), "InvalidPart");
    let done = complete(parts).await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-3\""), "{done:?}");
    let bytes = read(&s3, "bucket", "big").await;
    assert_eq!(bytes.len(), sizes.iter().sum::<usize>());
    assert_eq!((bytes[0], bytes[5 << 20], bytes[11 << 20]), (1, 2, 3));
    let head = s3
        .head_object()
        .bucket("bucket")
        .key("big")
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_type(), Some("x/y"));
    assert_eq!(data_files(&cloud, "bucket"), 1);

    let begun = s3
        .create_multipart_upload()
        .bucket("bucket")
        .key("other")
        .send()
        .await
        .unwrap();
    let id = begun.upload_id().unwrap();
    let mut small = Vec::new();
    for number in [1, 2] {
        let request = s3
            .upload_part()
            .bucket("bucket")
            .key("other")
            .upload_id(id)
            .part_number(number);
        let part = request
            .body(ByteStream::from_static(b"small"))
            .send()
            .await
            .unwrap();
        small.push(
            CompletedPart::builder()
                .part_number(number)
                .e_tag(part.e_tag().unwrap())
                .build(),
        );
    }
    let upload = CompletedMultipartUpload::builder()
        .set_parts(Some(small))
        .build();
    let request = s3
        .complete_multipart_upload()
        .bucket("bucket")
        .key("other")
        .upload_id(id);
    assert_eq!(
        code(request.multipart_upload(upload).send().await),
        "EntityTooSmall"
    );
    s3.abort_multipart_upload()
        .bucket("bucket")
        .key("other")
        .upload_id(id)
        .send()
        .await
        .unwrap();
    let again = s3
        .abort_multipart_upload()
        .bucket("bucket")
        .key("other")
        .upload_id(id)
        .send()
        .await;
    assert_eq!(code(again), "NoSuchUpload");
    assert_eq!(data_files(&cloud, "bucket"), 1);
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn only_who_signs_rightly_may_call() {
    let cloud = cloud().await;
    let running = &cloud.running;
    let key = &running.credentials().access_key_id;
    let stranger = Credentials::new("AKIASTRANGER", "x", None, None, "test");
    assert_eq!(
        code(
            client_with(running, stranger, "us-east-1")
                .list_buckets()
                .send()
                .await
        ),
        "InvalidAccessKeyId"
    );
    let liar = Credentials::new(key, "wrong", None, None, "test");
    assert_eq!(
        code(
            client_with(running, liar, "us-east-1")
                .list_buckets()
                .send()
                .await
        ),
        "SignatureDoesNotMatch"
    );

    let role = localcloud::auth::Principal::Role {
        name: "r".into(),
        id: "AROA1".into(),
        session: "i-1".into(),
    };
    let store = &running.cloud().context.credentials;
    let session = store.issue(role.clone(), jiff::SignedDuration::from_hours(1));
    let signed = |token: Option<String>| {
        Credentials::new(
            &session.access_key_id,
            &session.secret_access_key,
            token,
            None,
            "test",
        )
    };
    let s3 = client_with(running, signed(session.session_token.clone()), "us-east-1");
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let without = client_with(running, signed(None), "us-east-1");
    assert_eq!(
        code(without.list_buckets().send().await),
        "InvalidAccessKeyId"
    );
    let other = client_with(running, signed(Some("other".to_owned())), "us-east-1");
    assert_eq!(code(other.list_buckets().send().await), "InvalidToken");
    let over = store.issue(role, jiff::SignedDuration::ZERO);
    let over = Credentials::new(
        over.access_key_id,
        over.secret_access_key,
        over.session_token,
        None,
        "test",
    );
    assert_eq!(
        code(
            client_with(running, over, "us-east-1")
                .list_buckets()
                .send()
                .await
        ),
        "ExpiredToken"
    );

    let presigned = s3
        .get_object()
        .bucket("bucket")
        .key("k")
        .presigned(lasting(60))
        .await
        .unwrap();
    put(&s3, "bucket", "k", "v").await;
    let (status, body) = http_call(running, "GET", presigned.uri(), b"").await;
    assert_eq!((status, body.as_slice()), (200, b"v".as_slice()));
    let cut = presigned
        .uri()
        .replace("X-Amz-Security-Token", "X-Amz-Other");
    assert_eq!(http_call(running, "GET", &cut, b"").await.0, 403);
    cloud.running.shutdown().await;
}

fn lasting(seconds: u64) -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(seconds)).unwrap()
}

/// A plain HTTP call, as curl would make it.
async fn http_call(running: &Running, method: &str, uri: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let target = uri
        .strip_prefix(&running.endpoint())
        .expect("a URL of this endpoint");
    let host = running.endpoint().replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer);
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    let at = text.find("\r\n\r\n").unwrap() + 4;
    (status, answer[at..].to_vec())
}

#[tokio::test]
async fn presigned_urls_need_no_credentials_and_expire() {
    let cloud = cloud().await;
    let running = &cloud.running;
    let s3 = client(running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let put = s3
        .put_object()
        .bucket("bucket")
        .key("a/b c")
        .presigned(lasting(60))
        .await
        .unwrap();
    let (status, body) = http_call(running, "PUT", put.uri(), b"by curl").await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    let get = s3
        .get_object()
        .bucket("bucket")
        .key("a/b c")
        .presigned(lasting(60))
        .await
        .unwrap();
    assert_eq!(
        http_call(running, "GET", get.uri(), b"").await,
        (200, b"by curl".to_vec())
    );
    let (status, body) = http_call(running, "GET", &get.uri().replace("a/b", "a/x"), b"").await;
    assert_eq!(status, 403);
    assert!(String::from_utf8_lossy(&body).contains("SignatureDoesNotMatch"));
    let (status, body) = http_call(
        running,
        "GET",
        &format!("{}/bucket/a/b%20c", running.endpoint()),
        b"",
    )
    .await;
    assert_eq!(status, 403);
    assert!(String::from_utf8_lossy(&body).contains("AccessDenied"));
    let past = std::time::SystemTime::now() - Duration::from_secs(120);
    let over = PresigningConfig::builder()
        .start_time(past)
        .expires_in(Duration::from_secs(60))
        .build()
        .unwrap();
    let over = s3
        .get_object()
        .bucket("bucket")
        .key("a/b c")
        .presigned(over)
        .await
        .unwrap();
    let (status, body) = http_call(running, "GET", over.uri(), b"").await;
    assert_eq!(status, 403);
    assert!(String::from_utf8_lossy(&body).contains("expired"));
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn an_interrupted_upload_leaves_nothing() {
    let cloud = cloud().await;
    let running = &cloud.running;
    let s3 = client(running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    put(&s3, "bucket", "k", "before").await;
    let url = s3
        .put_object()
        .bucket("bucket")
        .key("k")
        .presigned(lasting(60))
        .await
        .unwrap();
    let target = url.uri().strip_prefix(&running.endpoint()).unwrap();
    let host = running.endpoint().replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
    let head = format!("PUT {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 1000000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![0; 600_000]).await.unwrap();
    eventually("the upload has begun", async || {
        data_files(&cloud, "bucket") == 2
    })
    .await;
    drop(stream);
    eventually("the file is gone", async || {
        data_files(&cloud, "bucket") == 1
    })
    .await;
    assert_eq!(read(&s3, "bucket", "k").await, b"before");
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn of_concurrent_uploads_to_one_key_one_stays_whole() {
    let cloud = cloud().await;
    let s3 = client(&cloud.running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let uploads = (0..24_u8).map(|n| {
        let s3 = s3.clone();
        async move {
            put(&s3, "bucket", "k", vec![n; 300_000]).await;
            let seen = read(&s3, "bucket", "k").await;
            assert!(seen.len() == 300_000 && seen.iter().all(|byte| *byte == seen[0]));
        }
    });
    futures::future::join_all(uploads).await;
    eventually("only the last one's file is left", async || {
        data_files(&cloud, "bucket") == 1
    })
    .await;
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn all_is_there_after_a_restart() {
    let cloud = cloud().await;
    let s3 = client(&cloud.running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    put(&s3, "bucket", "k", "v").await;
    let begun = s3
        .create_multipart_upload()
        .bucket("bucket")
        .key("m")
        .send()
        .await
        .unwrap();
    let id = begun.upload_id().unwrap().to_owned();
    let part = s3
        .upload_part()
        .bucket("bucket")
        .key("m")
        .upload_id(&id)
        .part_number(1);
    let part = part
        .body(ByteStream::from_static(b"part"))
        .send()
        .await
        .unwrap();
    let Cloud { running, home } = cloud;
    running.shutdown().await;

    let running = localcloud::start(options(home.path())).await.unwrap();
    let s3 = client(&running);
    assert_eq!(read(&s3, "bucket", "k").await, b"v");
    let done = CompletedPart::builder()
        .part_number(1)
        .e_tag(part.e_tag().unwrap())
        .build();
    let upload = CompletedMultipartUpload::builder().parts(done).build();
    let request = s3
        .complete_multipart_upload()
        .bucket("bucket")
        .key("m")
        .upload_id(&id);
    request.multipart_upload(upload).send().await.unwrap();
    assert_eq!(read(&s3, "bucket", "m").await, b"part");
    running.shutdown().await;
}

#[tokio::test]
async fn what_is_not_implemented_says_so() {
    let cloud = cloud().await;
    let s3 = client(&cloud.running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let policy = s3.get_bucket_policy().bucket("bucket").send().await;
    assert_eq!(code(policy), "NotImplemented");
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn clients_that_send_no_checksums_are_served() {
    let cloud = cloud().await;
    let config = client(&cloud.running)
        .config()
        .to_builder()
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .build();
    let s3 = Client::from_conf(config);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    put(&s3, "bucket", "k", "v").await;
    assert_eq!(read(&s3, "bucket", "k").await, b"v");
    cloud.running.shutdown().await;
}
