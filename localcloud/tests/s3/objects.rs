//! Objects: what goes in comes back, whatever the key, and nothing half.

use crate::support::client;
use crate::support::cloud;
use crate::support::code;
use crate::support::data_files;
use crate::support::put;
use crate::support::read;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use aws_sdk_s3::types::ChecksumMode;

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
