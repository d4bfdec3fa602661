//! Interruptions, races and restarts lose nothing that was answered.

use crate::support::Cloud;
use crate::support::client;
use crate::support::cloud;
use crate::support::data_files;
use crate::support::eventually;
use crate::support::lasting;
use crate::support::lonely_cloud;
use crate::support::options;
use crate::support::put;
use crate::support::read;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::CompletedMultipartUpload;
use aws_sdk_s3::types::CompletedPart;
use tokio::io::AsyncWriteExt;

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
    let cloud = lonely_cloud().await;
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
