//! Listings, conditions, copies and tags.

use crate::support::client;
use crate::support::cloud;
use crate::support::code;
use crate::support::put;
use crate::support::read;
use crate::support::tag;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::Delete;
use aws_sdk_s3::types::ObjectIdentifier;
use aws_sdk_s3::types::Tagging;

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
