//! Uploads in parts.

use crate::support::client;
use crate::support::cloud;
use crate::support::code;
use crate::support::data_files;
use crate::support::read;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::CompletedMultipartUpload;
use aws_sdk_s3::types::CompletedPart;

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
