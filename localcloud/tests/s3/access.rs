//! Who may call: signatures, and presigned addresses.

use crate::support::client;
use crate::support::client_with;
use crate::support::cloud;
use crate::support::code;
use crate::support::lasting;
use crate::support::put;
use crate::support::role;
use aws_credential_types::Credentials;
use aws_sdk_s3::presigning::PresigningConfig;
use localcloud::Running;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;

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

    let role = role(
        running,
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#,
    );
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

/// A plain HTTP call, as curl would make it.
pub(crate) async fn http_call(
    running: &Running,
    method: &str,
    uri: &str,
    body: &[u8],
) -> (u16, Vec<u8>) {
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
    let told = String::from_utf8_lossy(&body).into_owned();
    assert!(told.contains("SignatureDoesNotMatch"), "{told}");
    assert!(told.contains("<Message>The request signature"), "{told}");
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
